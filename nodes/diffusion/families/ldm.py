"""The original latent-diffusion layout: sizes of a UNet and of a KL autoencoder from tensor shapes alone.

Rombach et al. 2022, "High-Resolution Image Synthesis with Latent Diffusion Models". All families of this layout share
these functions; what shapes cannot tell (heads, groups) is a rule that holds for every width, so smaller networks of
the same layout load too. Names are without the prefix that a checkpoint puts in front of them.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

Shapes = Mapping[str, tuple[int, ...]]
Config = dict[str, Any]
"""Arguments of a network's constructor in diffusers or transformers."""

UNET_PREFIX = "model.diffusion_model."
VAE_PREFIX = "first_stage_model."

UNET_ENTRANCE = "input_blocks.0.0.weight"
VAE_ENTRANCE = "encoder.conv_in.weight"
LATENT_ENTRANCE = "decoder.conv_in.weight"
CLASS_ENTRANCE = "label_emb.0.0.weight"
"""(time width, vector width): the vector that a UNet is told besides the text."""

HEAD_WIDTH = 64
"""Channels of an attention head in every family after SD 1.x."""


def norm_groups(channels: int) -> int:
    """Groups of every group normalisation in a network whose first layer has `channels`: 32 in the published sizes."""
    return min(32, channels // 4)


def wide_heads(channels: int) -> int:
    """One attention head for each 64 channels."""
    return max(1, channels // HEAD_WIDTH)


def has_linear_projections(shapes: Shapes) -> bool:
    """Whether the projections around the attention are linear layers, not 1x1 convolutions."""
    return any(name.endswith(".proj_in.weight") and len(shape) == 2 for name, shape in shapes.items())


def attended_levels(shapes: Shapes) -> list[bool]:
    """For each level of a UNet, the widest first, whether it attends to the text."""
    return [any(depth for _, depth in level) for level in _unet_levels(shapes)]


def unet_config(shapes: Shapes, heads: Callable[[int], int]) -> Config:
    """UNet2DConditionModel arguments; `heads` gives the attention heads of a level from its channels.

    Raises ValueError with a clause saying which part has no place in the layout, KeyError naming an absent tensor.
    """
    config = encoder_config(shapes, heads)
    if "cross_attention_dim" not in config:
        raise ValueError("its UNet has no cross-attention")
    ways = (kind.replace("Down", "Up") for kind in reversed(config["down_block_types"]))
    return config | {
        "in_channels": shapes[UNET_ENTRANCE][1],
        "out_channels": shapes["out.2.weight"][0],
        "up_block_types": tuple(ways),
    }


def encoder_config(shapes: Shapes, heads: Callable[[int], int]) -> Config:
    """The part of `unet_config` that says how a UNet gets down to its middle; errors are the same."""
    levels = _unet_levels(shapes)
    layers = {len(level) for level in levels}
    if len(layers) != 1:
        raise ValueError(f"its UNet levels have different numbers of layers ({[len(level) for level in levels]})")
    keys = [name for name in shapes if name.endswith("attn2.to_k.weight")]
    attended = [any(depth for _, depth in level) for level in levels]
    channels = tuple(level[-1][0] for level in levels)
    return {
        "block_out_channels": channels,
        "down_block_types": tuple("CrossAttnDownBlock2D" if one else "DownBlock2D" for one in attended),
        "layers_per_block": layers.pop(),
        "attention_head_dim": [heads(one) for one in channels],
        "transformer_layers_per_block": _depths(shapes, levels),
        "norm_num_groups": norm_groups(channels[0]),
        "use_linear_projection": has_linear_projections(shapes),
    } | ({"cross_attention_dim": shapes[keys[0]][1]} if keys else {})


def vae_config(shapes: Shapes, scale: float) -> Config:
    """AutoencoderKL arguments. Raises KeyError naming an absent tensor."""
    levels = _count(shapes, r"encoder\.down\.(\d+)\.")
    layers = _count(shapes, r"encoder\.down\.0\.block\.(\d+)\.")
    channels = tuple(shapes[f"encoder.down.{i}.block.0.conv1.weight"][0] for i in range(levels))
    return {
        "in_channels": shapes[VAE_ENTRANCE][1],
        "out_channels": shapes["decoder.conv_out.weight"][0],
        "block_out_channels": channels,
        "down_block_types": ("DownEncoderBlock2D",) * levels,
        "up_block_types": ("UpDecoderBlock2D",) * levels,
        "layers_per_block": layers,
        "latent_channels": shapes[LATENT_ENTRANCE][1],
        "norm_num_groups": norm_groups(channels[0]),
        "scaling_factor": scale,
        "use_quant_conv": "quant_conv.weight" in shapes,
        "use_post_quant_conv": "post_quant_conv.weight" in shapes,
    }


def _depths(shapes: Shapes, levels: list[list[tuple[int, int]]]) -> list[int]:
    """Transformer layers of each level. The middle has as many as the last level, also where that has none itself."""
    middle = _transformer_layers(shapes, "middle_block.1.")
    depths = []
    for level in levels:
        found = {depth for _, depth in level} or {0}
        if len(found) != 1:
            raise ValueError("its UNet has transformers of different depths in one level, which is not supported yet")
        depths.append(found.pop() or middle)
    if middle and depths[-1] != middle:
        raise ValueError(f"its UNet's middle has {middle} transformer layers and not {depths[-1]}, as its last level")
    return depths


def _unet_levels(shapes: Shapes) -> list[list[tuple[int, int]]]:
    """For each level, the (channels, transformer layers) of its layers; a level ends at its downsampler."""
    levels: list[list[tuple[int, int]]] = [[]]
    for index in range(1, _count(shapes, r"input_blocks\.(\d+)\.")):
        block = f"input_blocks.{index}."
        if f"{block}0.op.weight" in shapes:
            levels.append([])
            continue
        if f"{block}0.in_layers.2.weight" not in shapes:
            raise ValueError(f"its block {block.removesuffix('.')} is neither a residual layer nor a downsampler")
        depth = _transformer_layers(shapes, f"{block}1.")
        levels[-1].append((shapes[f"{block}0.in_layers.2.weight"][0], depth))
    return levels


def _transformer_layers(shapes: Shapes, block: str) -> int:
    layers = 0
    while f"{block}transformer_blocks.{layers}.norm1.weight" in shapes:
        layers += 1
    return layers


def _count(shapes: Shapes, pattern: str) -> int:
    return len({match[1] for name in shapes if (match := re.match(pattern, name))})
