"""Stable Diffusion 1.x: an LDM UNet conditioned on one CLIP text model, a four-channel KL autoencoder, eps prediction.

Rombach et al. 2022, "High-Resolution Image Synthesis with Latent Diffusion Models". All sizes come from the tensor
shapes, so smaller networks of the same layout load too. What shapes cannot tell is the same for every width: see
`norm_groups`, `UNET_HEADS` and `text_heads`.
"""

import re
from collections.abc import Mapping
from typing import Any, Literal

Shapes = Mapping[str, tuple[int, ...]]
Config = dict[str, Any]
"""Arguments of a network's constructor in diffusers or transformers."""

NAME = "sd1"
UNET_PREFIX = "model.diffusion_model."
VAE_PREFIX = "first_stage_model."
TEXT_PREFIX = "cond_stage_model.transformer.text_model."

UNET_HEADS = 8
PREDICTION: Literal["eps"] = "eps"
LATENT_SCALE = 0.18215
BETA_RANGE = (0.00085, 0.012)
"""First and last beta of the 1,000 training steps, linear in their square roots."""

UNET_ENTRANCE = f"{UNET_PREFIX}input_blocks.0.0.weight"
VAE_ENTRANCE = f"{VAE_PREFIX}encoder.conv_in.weight"
LATENT_ENTRANCE = f"{VAE_PREFIX}decoder.conv_in.weight"
TOKENS = f"{TEXT_PREFIX}embeddings.token_embedding.weight"
POSITIONS = f"{TEXT_PREFIX}embeddings.position_embedding.weight"


def norm_groups(channels: int) -> int:
    """Groups of every group normalisation in a network whose first layer has `channels`: 32 in the published sizes."""
    return min(32, channels // 4)


def text_heads(width: int) -> int:
    """Attention heads of a CLIP text model: one for each 64 channels."""
    return max(1, width // 64)


def unet_config(shapes: Shapes) -> Config:
    """UNet2DConditionModel arguments. Raises ValueError with a clause saying which part has no place in the layout."""
    levels = _unet_levels(shapes)
    layers = {len(level) for level in levels}
    if len(layers) != 1:
        raise ValueError(f"its UNet levels have different numbers of layers ({[len(level) for level in levels]})")
    attended = [any(attention for _, attention in level) for level in levels]
    keys = [name for name in shapes if name.startswith(UNET_PREFIX) and name.endswith("attn2.to_k.weight")]
    if not keys:
        raise ValueError("its UNet has no cross-attention")
    channels = tuple(level[-1][0] for level in levels)
    projection = next(name for name in shapes if name.startswith(UNET_PREFIX) and name.endswith(".proj_in.weight"))
    return {
        "in_channels": shapes[UNET_ENTRANCE][1],
        "out_channels": shapes[f"{UNET_PREFIX}out.2.weight"][0],
        "block_out_channels": channels,
        "down_block_types": tuple("CrossAttnDownBlock2D" if one else "DownBlock2D" for one in attended),
        "up_block_types": tuple("CrossAttnUpBlock2D" if one else "UpBlock2D" for one in reversed(attended)),
        "layers_per_block": layers.pop(),
        "cross_attention_dim": shapes[keys[0]][1],
        "attention_head_dim": UNET_HEADS,
        "norm_num_groups": norm_groups(channels[0]),
        "use_linear_projection": len(shapes[projection]) == 2,
    }


def vae_config(shapes: Shapes) -> Config:
    """AutoencoderKL arguments."""
    levels = _count(shapes, rf"{re.escape(VAE_PREFIX)}encoder\.down\.(\d+)\.")
    layers = _count(shapes, rf"{re.escape(VAE_PREFIX)}encoder\.down\.0\.block\.(\d+)\.")
    channels = tuple(shapes[f"{VAE_PREFIX}encoder.down.{i}.block.0.conv1.weight"][0] for i in range(levels))
    return {
        "in_channels": shapes[VAE_ENTRANCE][1],
        "out_channels": shapes[f"{VAE_PREFIX}decoder.conv_out.weight"][0],
        "block_out_channels": channels,
        "down_block_types": ("DownEncoderBlock2D",) * levels,
        "up_block_types": ("UpDecoderBlock2D",) * levels,
        "layers_per_block": layers,
        "latent_channels": shapes[LATENT_ENTRANCE][1],
        "norm_num_groups": norm_groups(channels[0]),
        "scaling_factor": LATENT_SCALE,
    }


def text_config(shapes: Shapes) -> Config:
    """CLIPTextConfig arguments."""
    vocabulary, width = shapes[TOKENS]
    return {
        "vocab_size": vocabulary,
        "hidden_size": width,
        "intermediate_size": shapes[f"{TEXT_PREFIX}encoder.layers.0.mlp.fc1.weight"][0],
        "projection_dim": width,
        "num_hidden_layers": _count(shapes, rf"{re.escape(TEXT_PREFIX)}encoder\.layers\.(\d+)\."),
        "num_attention_heads": text_heads(width),
        "max_position_embeddings": shapes[POSITIONS][0],
        "hidden_act": "quick_gelu",
        "bos_token_id": 49406,
        "eos_token_id": 49407,
    }


def _unet_levels(shapes: Shapes) -> list[list[tuple[int, bool]]]:
    """For each level, the (channels, has attention) of its layers; a level ends at its downsampler."""
    levels: list[list[tuple[int, bool]]] = [[]]
    for index in range(1, _count(shapes, rf"{re.escape(UNET_PREFIX)}input_blocks\.(\d+)\.")):
        block = f"{UNET_PREFIX}input_blocks.{index}."
        if f"{block}0.op.weight" in shapes:
            levels.append([])
            continue
        if f"{block}0.in_layers.2.weight" not in shapes:
            raise ValueError(f"its block {block.removesuffix('.')} is neither a residual layer nor a downsampler")
        levels[-1].append((shapes[f"{block}0.in_layers.2.weight"][0], f"{block}1.norm.weight" in shapes))
    return levels


def _count(shapes: Shapes, pattern: str) -> int:
    return len({match[1] for name in shapes if (match := re.match(pattern, name))})
