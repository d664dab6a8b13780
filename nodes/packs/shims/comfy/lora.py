"""LoRA files: names of weights, and the arithmetic. Sampling with them is refused for now, by the model patcher."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from nodes.diffusion.checkpoints.names import unet_names
from nodes.packs.bridge.missing import Unsupported

LORA_CLIP_MAP = {
    "mlp.fc1": "mlp_fc1",
    "mlp.fc2": "mlp_fc2",
    "self_attn.k_proj": "self_attn_k_proj",
    "self_attn.q_proj": "self_attn_q_proj",
    "self_attn.v_proj": "self_attn_v_proj",
    "self_attn.out_proj": "self_attn_out_proj",
}

_PAIRS = (
    (".lora_up.weight", ".lora_down.weight"),
    ("_lora.up.weight", "_lora.down.weight"),
    (".lora_B.weight", ".lora_A.weight"),
    (".lora_linear_layer.up.weight", ".lora_linear_layer.down.weight"),
)


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
        names[f"lora_te_text_model_{stem.replace('.', '_')}"] = target
        names[f"lora_te1_text_model_{stem.replace('.', '_')}"] = target
        names[f"text_encoder.text_model.{stem}"] = target
    return names


def load_lora(lora: Mapping[str, Tensor], to_load: Mapping[str, str], log_missing: bool = True) -> dict[str, Any]:
    """Name of a weight -> ("lora", (up, down, alpha, mid, dora scale, reshape)) or ("diff", (difference,))."""
    patches: dict[str, Any] = {}
    for name, target in to_load.items():
        alpha = lora.get(f"{name}.alpha")
        for up, down in _PAIRS:
            if f"{name}{up}" in lora:
                scale = None if alpha is None else float(alpha)
                tensors = lora[f"{name}{up}"], lora[f"{name}{down}"]
                mid, dora = lora.get(f"{name}.lora_mid.weight"), lora.get(f"{name}.dora_scale")
                patches[target] = ("lora", (*tensors, scale, mid, dora, None))
        for ending in (".diff", ".set_weight"):
            if f"{name}{ending}" in lora:
                patches[target] = ("diff" if ending == ".diff" else "set", (lora[f"{name}{ending}"],))
        if f"{name}.diff_b" in lora:
            patches[target.removesuffix(".weight") + ".bias"] = ("diff", (lora[f"{name}.diff_b"],))
    return patches


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
    if kind != "lora":
        raise Unsupported(f"Changes of the kind '{kind}' of {key} are not supported by Heddle yet.")
    up, down, alpha, mid, dora, _ = (*tensors, None, None, None)[:6]
    if mid is not None or dora is not None:
        raise Unsupported(f"LoRA with Tucker or DoRA parts (of {key}) is not supported by Heddle yet.")
    scale = 1.0 if alpha is None else float(alpha) / down.shape[0]
    product = up.to(weight.device, dtype).flatten(1) @ down.to(weight.device, dtype).flatten(1)
    return product.reshape(weight.shape) * scale
