"""Small networks of every family as diffusers and transformers make them, written in the original single-file layout.

The writer knows OpenCLIP's layout by itself, so that the loader is not tested against its own table.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from safetensors.torch import save_file
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from nodes.diffusion.checkpoints.export import sd1_state_dict
from nodes.diffusion.families.ldm import UNET_PREFIX, VAE_PREFIX

L_WIDTH, G_WIDTH = 64, 128


@dataclass(frozen=True)
class Small:
    """A family's UNet arguments at reduced width and depth, and where its text models lie."""

    unet: dict[str, Any]
    texts: tuple[tuple[str, str], ...]
    """(which model, prefix)"""
    in_channels: int = 4


def levels(*attended: bool) -> dict[str, Any]:
    return {
        "down_block_types": tuple("CrossAttnDownBlock2D" if one else "DownBlock2D" for one in attended),
        "up_block_types": tuple("CrossAttnUpBlock2D" if one else "UpBlock2D" for one in reversed(attended)),
    }


SD1 = Small(
    {"block_out_channels": (32, 64), **levels(True, False), "cross_attention_dim": L_WIDTH, "attention_head_dim": 8},
    (("l", "cond_stage_model.transformer.text_model."),),
)
SD2 = Small(
    {
        "block_out_channels": (64, 128),
        **levels(True, False),
        "cross_attention_dim": G_WIDTH,
        "attention_head_dim": [1, 2],
        "use_linear_projection": True,
    },
    (("g", "cond_stage_model.model."),),
)
SDXL_VECTORS = {"addition_embed_type": "text_time", "addition_time_embed_dim": 256, "use_linear_projection": True}
SDXL = Small(
    {
        "block_out_channels": (32, 64, 128),
        **levels(False, True, True),
        "transformer_layers_per_block": [1, 1, 2],
        "cross_attention_dim": L_WIDTH + G_WIDTH,
        "attention_head_dim": [1, 1, 2],
        "projection_class_embeddings_input_dim": G_WIDTH + 6 * 256,
        **SDXL_VECTORS,
    },
    (("l", "conditioner.embedders.0.transformer.text_model."), ("g", "conditioner.embedders.1.model.")),
)
REFINER = Small(
    {
        "block_out_channels": (32, 64, 64, 128),
        **levels(False, True, True, False),
        "transformer_layers_per_block": 2,
        "cross_attention_dim": G_WIDTH,
        "attention_head_dim": [1, 1, 1, 2],
        "projection_class_embeddings_input_dim": G_WIDTH + 5 * 256,
        **SDXL_VECTORS,
    },
    (("g", "conditioner.embedders.0.model."),),
)
UNCLIP = replace(
    SD2, unet=SD2.unet | {"class_embed_type": "projection", "projection_class_embeddings_input_dim": 2 * G_WIDTH}
)
SMALL = {
    "sd1": SD1,
    "sd1 even": replace(SD1, unet=SD1.unet | {"block_out_channels": (32, 32)}),
    "sd1 inpainting": replace(SD1, in_channels=9),
    "sd1 editing": replace(SD1, in_channels=8),
    "sd2": SD2,
    "sd2 inpainting": replace(SD2, in_channels=9),
    "sd2 depth": replace(SD2, in_channels=5),
    "sd2 unclip": UNCLIP,
    "sdxl": SDXL,
    "sdxl inpainting": replace(SDXL, in_channels=9),
    "sdxl_refiner": REFINER,
}


@dataclass
class Made:
    """A checkpoint file and the networks that are in it."""

    path: Path
    small: Small
    unet: Any
    vae: Any
    texts: dict[str, Any]
    tensors: dict[str, Tensor]


def make_unet(small: Small) -> nn.Module:
    arguments = {"layers_per_block": 1, "norm_num_groups": small.unet["block_out_channels"][0] // 4} | small.unet
    return UNet2DConditionModel(in_channels=small.in_channels, out_channels=4, **arguments)


def make_vae() -> nn.Module:
    return AutoencoderKL(
        block_out_channels=(16, 16, 16, 32),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=4,
    )


def make_text(which: str, layers: int = 3) -> nn.Module:
    width = L_WIDTH if which == "l" else G_WIDTH
    config = CLIPTextConfig(
        hidden_size=width,
        intermediate_size=2 * width,
        projection_dim=width,
        num_hidden_layers=layers,
        num_attention_heads=width // 64,
        hidden_act="quick_gelu" if which == "l" else "gelu",
        vocab_size=49408,
        eos_token_id=49407,
    )
    return CLIPTextModel(config) if which == "l" else CLIPTextModelWithProjection(config)


def open_clip_tensors(model: nn.Module) -> dict[str, Tensor]:
    """A CLIPTextModelWithProjection in OpenCLIP's layout, by its published names."""
    state = {name.removeprefix("text_model."): value for name, value in model.state_dict().items()}
    made = {
        "token_embedding.weight": state["embeddings.token_embedding.weight"],
        "positional_embedding": state["embeddings.position_embedding.weight"],
        "ln_final.weight": state["final_layer_norm.weight"],
        "ln_final.bias": state["final_layer_norm.bias"],
        "text_projection": state["text_projection.weight"].T.contiguous(),
        "logit_scale": torch.tensor(4.6),
    }
    layers = {int(match[1]) for name in state if (match := re.match(r"encoder\.layers\.(\d+)\.", name))}
    pairs = {"layer_norm1": "ln_1", "layer_norm2": "ln_2", "mlp.fc1": "mlp.c_fc", "mlp.fc2": "mlp.c_proj"}
    pairs["self_attn.out_proj"] = "attn.out_proj"
    for layer in layers:
        ours, theirs = f"encoder.layers.{layer}", f"transformer.resblocks.{layer}"
        for leaf in ("weight", "bias"):
            fused = [state[f"{ours}.self_attn.{part}_proj.{leaf}"] for part in "qkv"]
            made[f"{theirs}.attn.in_proj_{leaf}"] = torch.cat(fused)
            made |= {f"{theirs}.{new}.{leaf}": state[f"{ours}.{old}.{leaf}"] for old, new in pairs.items()}
    return made


def whole(unet: nn.Module, vae: nn.Module, texts: dict[str, nn.Module], small: Small) -> dict[str, Tensor]:
    """All tensors of a checkpoint in the original layout."""
    plain = make_text("l", layers=1)
    tensors = sd1_state_dict(unet, vae, plain)
    tensors = {name: value for name, value in tensors.items() if name.startswith((UNET_PREFIX, VAE_PREFIX))}
    for which, prefix in small.texts:
        model = texts[which]
        inner = model.state_dict() if which == "l" else open_clip_tensors(model)
        tensors |= {prefix + name.removeprefix("text_model."): value for name, value in inner.items()}
    return tensors


MakeFile = Callable[[str], Made]


@pytest.fixture(scope="session")
def make_file(tmp_path_factory: pytest.TempPathFactory) -> MakeFile:
    """The checkpoint file of a small family, written once."""
    made: dict[str, Made] = {}
    folder = tmp_path_factory.mktemp("families")

    def make(name: str) -> Made:
        if name not in made:
            torch.manual_seed(7)
            small = SMALL[name]
            unet, vae = make_unet(small).eval(), make_vae().eval()
            texts = {which: make_text(which).eval() for which, _ in small.texts}
            tensors = whole(unet, vae, texts, small)
            path = folder / f"{name.replace(' ', '_')}.safetensors"
            save_file(tensors, path)
            made[name] = Made(path, small, unet, vae, texts, tensors)
        return made[name]

    return make
