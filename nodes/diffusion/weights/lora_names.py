"""Names in LoRA files: which network and layer a name is about, and which part of an adapter it is.

Kohya's names (`lora_unet_down_blocks_0_...`), diffusers' and PEFT's (`unet.down_blocks.0...`), and those of the
original layout in both spellings. Layers are compared by their names with underscores for dots. Reads no tensor.
"""

import re
from collections.abc import Iterable
from typing import NamedTuple

from nodes.diffusion.checkpoints.names import unet_names

UNET, FIRST_TEXT, SECOND_TEXT = "unet", "first text model", "second text model"

_NETWORKS = (
    ("lora_unet_", UNET),
    ("lycoris_unet_", UNET),
    ("lora_te1_", FIRST_TEXT),
    ("lora_te2_", SECOND_TEXT),
    ("lora_te_", FIRST_TEXT),
    ("lycoris_te1_", FIRST_TEXT),
    ("lycoris_te2_", SECOND_TEXT),
    ("lycoris_te_", FIRST_TEXT),
    ("lycoris_", UNET),
    ("model.diffusion_model.", UNET),
    ("diffusion_model.", UNET),
    ("unet.", UNET),
    ("text_encoder_2.", SECOND_TEXT),
    ("text_encoder.", FIRST_TEXT),
    ("text_encoders.clip_g.transformer.", SECOND_TEXT),
    ("text_encoders.clip_l.transformer.", FIRST_TEXT),
    ("text_encoders.clip_h.transformer.", FIRST_TEXT),
    ("text_model.", FIRST_TEXT),
)
"""Beginning of a name -> network; what is without any of them is the UNet's."""

_WRAPPER = "base_model.model."
"""What PEFT puts before the names of the network that it wraps."""

_PROCESSOR = re.compile(r"\.processor\.(to_(?:q|k|v|out))_lora$")
"""Attention processors of diffusers before 0.22."""

PARTS = {
    ".lora_up.weight": "up",
    ".lora_down.weight": "down",
    ".lora_mid.weight": "mid",
    ".lora_B.weight": "up",
    ".lora_A.weight": "down",
    ".lora_B.default.weight": "up",
    ".lora_A.default.weight": "down",
    ".lora.up.weight": "up",
    ".lora.down.weight": "down",
    ".lora_linear_layer.up.weight": "up",
    ".lora_linear_layer.down.weight": "down",
    "_lora.up.weight": "up",
    "_lora.down.weight": "down",
    ".alpha": "alpha",
    ".dora_scale": "magnitude",
    ".lora_magnitude_vector": "output magnitude",
    ".lora_magnitude_vector.weight": "output magnitude",
    ".lora_magnitude_vector.default.weight": "output magnitude",
    ".hada_w1_a": "w1_a",
    ".hada_w1_b": "w1_b",
    ".hada_w2_a": "w2_a",
    ".hada_w2_b": "w2_b",
    ".hada_t1": "t1",
    ".hada_t2": "t2",
    ".lokr_w1": "kron_w1",
    ".lokr_w1_a": "kron_w1_a",
    ".lokr_w1_b": "kron_w1_b",
    ".lokr_w2": "kron_w2",
    ".lokr_w2_a": "kron_w2_a",
    ".lokr_w2_b": "kron_w2_b",
    ".lokr_t2": "kron_t2",
    ".diff": "diff",
    ".w_norm": "diff",
    ".set_weight": "set",
    ".diff_b": "bias diff",
    ".b_norm": "bias diff",
}
"""End of a name -> what it is of its layer's adapter."""

_ENDS = sorted(PARTS, key=len, reverse=True)


class Place(NamedTuple):
    """Which layer a name in a file is about."""

    network: str
    """UNET, FIRST_TEXT or SECOND_TEXT."""
    layer: str
    """Its name with underscores for dots, without what stands for the network."""


class Found(NamedTuple):
    """What a name in a file says."""

    stem: str
    """What the names of one adapter begin with."""
    part: str
    place: Place


def read_name(name: str) -> Found | None:
    """What a tensor of a LoRA file is, or None if it is nothing that is known."""
    end = next((end for end in _ENDS if name.endswith(end)), None)
    if end is None:
        return None
    stem = name.removesuffix(end) + ("_lora" if end.startswith("_lora") else "")
    return Found(stem, PARTS[end], _place(stem))


def unet_layers(parameters: Iterable[str]) -> dict[str, str]:
    """Layer's name in files, either diffusers' or the original layout's -> its name in a UNet2DConditionModel."""
    layers: dict[str, str] = {}
    for name, original in unet_names(parameters).items():
        stem = name.rpartition(".")[0]
        layers[_flat(stem)] = stem
        layers[_flat(original.rpartition(".")[0])] = stem
    return layers


def text_layers(parameters: Iterable[str]) -> dict[str, str]:
    """The same for a CLIPTextModel."""
    stems = {name.rpartition(".")[0] for name in parameters}
    return {_flat(stem.removeprefix("text_model.")): stem for stem in stems}


def _place(stem: str) -> Place:
    plain = stem.removeprefix(_WRAPPER)
    network, begins = next(((network, begins) for begins, network in _NETWORKS if plain.startswith(begins)), (UNET, ""))
    layer = _PROCESSOR.sub(lambda match: f".{match[1]}" + (".0" if match[1] == "to_out" else ""), plain)
    layer = _flat(layer.removeprefix(begins))
    return Place(network, layer if network == UNET else layer.removeprefix("text_model_"))


def _flat(name: str) -> str:
    return name.replace(".", "_")
