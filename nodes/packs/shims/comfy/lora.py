"""LoRA files as packs read them: names of weights, what a file does to each, and the arithmetic."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from nodes.diffusion.checkpoints.names import unet_names
from nodes.diffusion.checkpoints.source import held
from nodes.diffusion.weights.adapters import Adapter, Decomposed, Difference, LowRank, Replacement
from nodes.diffusion.weights.lora_file import read_lora
from nodes.packs.bridge.missing import Unsupported

log = logging.getLogger(__name__)

LORA_CLIP_MAP = {
    "mlp.fc1": "mlp_fc1",
    "mlp.fc2": "mlp_fc2",
    "self_attn.k_proj": "self_attn_k_proj",
    "self_attn.q_proj": "self_attn_q_proj",
    "self_attn.v_proj": "self_attn_v_proj",
    "self_attn.out_proj": "self_attn_out_proj",
}


def model_lora_keys_unet(model: Any, key_map: dict[str, str] | None = None) -> dict[str, str]:
    """Name in a LoRA file -> name of a weight in `ModelPatcher.get_key_patches`."""
    names = {} if key_map is None else key_map
    value = getattr(model, "value", None) or model.model.value
    for ours, original in unet_names(value.network.weights).items():
        if not ours.endswith(".weight"):
            continue
        target = f"diffusion_model.{original}"
        stem, mine = original.removesuffix(".weight"), ours.removesuffix(".weight")
        names[f"lora_unet_{stem.replace('.', '_')}"] = target
        names[f"lora_unet_{mine.replace('.', '_')}"] = target
        names[f"diffusion_model.{stem}"] = target
        names[f"unet.{mine}"] = target
    return names


def model_lora_keys_clip(model: Any, key_map: dict[str, str] | None = None) -> dict[str, str]:
    """Name in a LoRA file -> name of a weight of a CLIP text model (a `CLIP`, or its `TextPatcher`)."""
    names = {} if key_map is None else key_map
    for target in model.get_key_patches():
        if not target.endswith(".weight") or ".layers." not in target:
            continue
        stem = target.removesuffix(".weight").rpartition("text_model.")[2]
        flat = stem.replace(".", "_")
        if target.startswith("clip_g."):
            begins: tuple[str, ...] = (f"lora_te2_text_model_{flat}", f"text_encoder_2.text_model.{stem}")
        else:
            begins = (
                f"lora_te_text_model_{flat}", f"lora_te1_text_model_{flat}", f"text_encoder.text_model.{stem}",
            )  # fmt: skip
        names |= dict.fromkeys(begins, target)
    return names


def load_lora(lora: Mapping[str, Tensor], to_load: Mapping[str, str], log_missing: bool = True) -> dict[str, Any]:
    """Name of a weight -> ("lora", (up, down, alpha, mid, None, None)), ("diff", (difference,)), or for every other
    kind ("adapter", (the adapter,))."""
    patches: dict[str, Any] = {}
    for layer in read_lora(held(Path("LoRA"), lora)).layers:
        target = to_load.get(layer.stem)
        if target is None:
            if log_missing:
                log.warning("The LoRA's %s is not used, because the model has no place for it.", layer.stem)
            continue
        for leaf, adapter in layer.adapters.items():
            name = target if leaf == "weight" else f"{target.removesuffix('.weight')}.{leaf}"
            patches[name] = _patch(adapter)
    return patches


def _patch(adapter: Adapter) -> tuple[str, tuple[Any, ...]]:
    if isinstance(adapter, LowRank):
        rank = adapter.down.shape[0]
        return "lora", (adapter.up, adapter.down, adapter.scale * rank, adapter.mid, None, None)
    if isinstance(adapter, Difference | Replacement):
        return "diff" if isinstance(adapter, Difference) else "set", (adapter.tensor,)
    return "adapter", (adapter,)


def changed_weight(patches: Sequence[Any], key: str, weight: Tensor) -> Tensor:
    """`calculate_weight` as a change of a network's weight."""
    return calculate_weight(patches, weight, key)


def calculate_weight(
    patches: Any,
    weight: Tensor,
    key: str,
    intermediate_dtype: torch.dtype = torch.float32,
    original_weights: Any = None,
) -> Tensor:
    """A weight with its changes, in their order: (strength, change, strength of the weight, offset, function) each."""
    for strength, change, keep, offset, function in patches:
        whole = weight
        if offset is not None:
            weight = weight.narrow(*offset)
        if keep != 1.0:
            weight = weight * keep
        if isinstance(change, list):  # another model's weight, with its own changes
            (other, convert), *own = change
            change = (calculate_weight(own, convert(other.to(weight)), key),)
        kind, tensors = change if len(change) == 2 and isinstance(change[0], str) else ("diff", change)
        if kind == "set":
            weight = tensors[0].to(weight)
        else:
            difference = _difference(kind, tensors, weight, key, intermediate_dtype)
            if function is not None:
                difference = function(difference)
            weight = weight + (strength * difference).to(weight)
        if offset is not None:
            dim, start, length = offset
            whole = whole.clone()
            whole.narrow(dim, start, length).copy_(weight)
            weight = whole
    return weight


def _difference(kind: str, tensors: Any, weight: Tensor, key: str, dtype: torch.dtype) -> Tensor:
    """What a change adds at strength 1, in the shape of the weight."""
    if kind == "diff":
        added: Tensor = tensors[0].to(weight.device, dtype)
        if added.shape != weight.shape:
            raise ValueError(
                f"A change of {key} has the shape {list(added.shape)}; the weight is {list(weight.shape)}."
            )
        return added
    # The change of a decomposed adapter depends on the weight, so all are taken as what they make of it, less itself.
    start = weight.to(dtype)
    return _adapter(kind, tensors, key).add_to(start.clone(), 1.0) - start


def _adapter(kind: str, tensors: Any, key: str) -> Adapter:
    """What a pack describes by a word and a tuple. Raises Unsupported for a word that is not known."""
    if kind == "adapter":
        found: Adapter = tensors[0]
        return found
    if kind != "lora":
        raise Unsupported(f"Changes of the kind '{kind}' of {key} are not supported by Heddle yet.")
    up, down, alpha, mid, dora, _ = (*tensors, None, None, None)[:6]
    low = LowRank(up, down, 1.0 if alpha is None else float(alpha) / down.shape[0], mid)
    return low if dora is None else Decomposed(low, dora)
