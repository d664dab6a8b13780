"""A small CLIP vision model as transformers makes it, and the layouts in which such files are published."""

import re
from typing import Any

import torch
from torch import Tensor
from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

SIDE = 42


def make_vision(width: int = 64, projection: int = 32, layers: int = 3) -> Any:
    torch.manual_seed(3)
    config = CLIPVisionConfig(
        hidden_size=width, intermediate_size=2 * width, projection_dim=projection, num_hidden_layers=layers,
        num_attention_heads=max(1, width // 64), image_size=SIDE, patch_size=14, hidden_act="quick_gelu",
    )  # fmt: skip
    return CLIPVisionModelWithProjection(config).eval().requires_grad_(False)


def open_vision_tensors(model: Any) -> dict[str, Tensor]:
    """In OpenCLIP's layout, by its published names."""
    state = {name.removeprefix("vision_model."): value for name, value in model.state_dict().items()}
    made = {
        "class_embedding": state["embeddings.class_embedding"],
        "conv1.weight": state["embeddings.patch_embedding.weight"],
        "positional_embedding": state["embeddings.position_embedding.weight"],
        "proj": state["visual_projection.weight"].T.contiguous(),
    }
    for ours, theirs in (("pre_layrnorm", "ln_pre"), ("post_layernorm", "ln_post")):
        made |= {f"{theirs}.{leaf}": state[f"{ours}.{leaf}"] for leaf in ("weight", "bias")}
    pairs = {"layer_norm1": "ln_1", "layer_norm2": "ln_2", "mlp.fc1": "mlp.c_fc", "mlp.fc2": "mlp.c_proj"}
    pairs["self_attn.out_proj"] = "attn.out_proj"
    layers = {match[1] for name in state if (match := re.match(r"encoder\.layers\.(\d+)\.", name))}
    for layer in layers:
        ours, theirs = f"encoder.layers.{layer}", f"transformer.resblocks.{layer}"
        for leaf in ("weight", "bias"):
            made[f"{theirs}.attn.in_proj_{leaf}"] = torch.cat(
                [state[f"{ours}.self_attn.{x}_proj.{leaf}"] for x in "qkv"]
            )
            made |= {f"{theirs}.{new}.{leaf}": state[f"{ours}.{old}.{leaf}"] for old, new in pairs.items()}
    return made
