"""Small control networks as diffusers makes them, and the layouts in which such files are published.

The adapters' original layout is written down here by itself; that of ControlNets is what diffusers' converter reads.
"""

import re
from typing import Any

import torch
from diffusers import ControlNetModel, ControlNetUnionModel, T2IAdapter
from torch import Tensor, nn

from tests.nodes.small_families import Made

HINT_WIDTHS = (8, 12, 16, 24)


def randomised(module: nn.Module) -> Any:
    """Zero convolutions say nothing before training."""
    for parameter in module.parameters():
        if float(parameter.detach().abs().max()) == 0:
            nn.init.normal_(parameter, std=0.05)
    return module.eval().requires_grad_(False)


def make_control(made: Made, seed: int = 5) -> Any:
    torch.manual_seed(seed)
    return randomised(ControlNetModel.from_unet(made.unet, conditioning_embedding_out_channels=HINT_WIDTHS))


def make_small_sdxl_control() -> Any:
    """As the published small ones for SDXL: it attends to nothing."""
    torch.manual_seed(6)
    return randomised(
        ControlNetModel(
            block_out_channels=(32, 64, 128), down_block_types=("DownBlock2D",) * 3, mid_block_type="UNetMidBlock2D",
            layers_per_block=1, norm_num_groups=8, attention_head_dim=[1, 1, 2], addition_embed_type="text_time",
            addition_time_embed_dim=256, projection_class_embeddings_input_dim=128 + 6 * 256,
            conditioning_embedding_out_channels=HINT_WIDTHS,
        )
    )  # fmt: skip


def make_union(made: Made, types: int = 8) -> Any:
    torch.manual_seed(8)
    config = {
        name: made.unet.config[name]
        for name in (
            "block_out_channels", "down_block_types", "layers_per_block", "cross_attention_dim", "attention_head_dim",
            "transformer_layers_per_block", "norm_num_groups", "use_linear_projection", "addition_embed_type",
            "addition_time_embed_dim", "projection_class_embeddings_input_dim",
        )
    }  # fmt: skip
    union = ControlNetUnionModel(
        **config, conditioning_embedding_out_channels=HINT_WIDTHS, num_control_type=types, num_trans_channel=32,
        num_proj_channel=32,
    )  # fmt: skip
    return randomised(union)


def make_adapter(kind: str, channels: tuple[int, ...], in_channels: int = 3, layers: int = 2) -> Any:
    torch.manual_seed(9)
    square = 16 if kind == "full_adapter_xl" else 8
    return randomised(T2IAdapter(in_channels, list(channels), layers, square, kind))


def original_adapter(state: dict[str, Tensor], layers: int) -> dict[str, Tensor]:
    """The names of the adapters' first publication."""
    light = any(".out_conv." in name for name in state)

    def name_of(name: str) -> str:
        name = name.removeprefix("adapter.")
        match = re.fullmatch(r"body\.(\d+)\.(?:resnets\.(\d+)\.)?(.+)", name)
        if match is None:
            return name
        level, block, rest = match.groups()
        if light:
            return f"body.{level}.{rest}" if block is None else f"body.{level}.body.{block}.{rest}"
        return f"body.{int(level) * layers + int(block or 0)}.{rest}"

    return {name_of(name): value for name, value in state.items()}
