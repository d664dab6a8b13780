"""Networks that steer a UNet by a picture: their sizes, from tensor shapes alone.

Zhang et al. 2023, "Adding Conditional Control to Text-to-Image Diffusion Models" (ControlNet); Mou et al. 2023,
"T2I-Adapter". Names are those of the original layouts, without prefix; union networks have diffusers' only.
"""

import re
from collections.abc import Callable
from typing import Literal

from nodes.diffusion.families.ldm import CLASS_ENTRANCE, UNET_ENTRANCE, Config, Shapes, encoder_config

HINT = "input_hint_block."
HINT_ENTRANCE = f"{HINT}0.weight"
TASKS = "task_embedding"
"""(types, channels): one row for each type of picture that a union network knows."""

UNION_HEADS = 8
NUMBER_WIDTH = 256
"""Of the sinusoidal embedding of each number that a network is told."""

ADAPTER_ENTRANCE = "conv_in.weight"
"""Of a full T2I adapter; light ones have none."""
_FINE, _COARSE = 8, 16
"""Pixels along the side of the squares that adapters of SD 1.x, and of SDXL, begin with."""

ControlKind = Literal["control", "union", "adapter"]


def control_config(shapes: Shapes, heads: Callable[[int], int]) -> Config:
    """ControlNetModel arguments, or ControlNetUnionModel's if there is a task embedding.

    Raises ValueError with a clause, KeyError naming an absent tensor.
    """
    convolutions = sorted(
        int(match[1]) for name in shapes if (match := re.fullmatch(rf"{re.escape(HINT)}(\d+)\.weight", name))
    )
    # Each width has two convolutions, of which the second leads to the next one; the last one leads into the network.
    widths = [shapes[f"{HINT}{number}.weight"][0] for number in convolutions[:-1:2]]
    config = encoder_config(shapes, heads) | {
        "in_channels": shapes[UNET_ENTRANCE][1],
        "conditioning_channels": shapes[HINT_ENTRANCE][1],
        "conditioning_embedding_out_channels": tuple(widths),
    }
    if CLASS_ENTRANCE in shapes:
        config |= {
            "addition_embed_type": "text_time",
            "addition_time_embed_dim": NUMBER_WIDTH,
            "projection_class_embeddings_input_dim": shapes[CLASS_ENTRANCE][1],
        }
    if TASKS not in shapes:
        attended = any(name.startswith("middle_block.1.transformer_blocks.") for name in shapes)
        return config | {"mid_block_type": "UNetMidBlock2DCrossAttn" if attended else "UNetMidBlock2D"}
    types, width = shapes[TASKS]
    return config | {
        "num_control_type": types,
        "num_trans_channel": width,
        "num_trans_head": UNION_HEADS,
        "num_trans_layer": len({name.split(".")[1] for name in shapes if name.startswith("transformer_layes.")}),
        "num_proj_channel": shapes["spatial_ch_projs.weight"][0],
        "addition_time_embed_dim": shapes["control_add_embedding.linear_1.weight"][1] // types,
    }


def adapter_config(shapes: Shapes) -> Config:
    """T2IAdapter arguments, from diffusers' names without `adapter.`. Raises KeyError naming an absent tensor."""
    levels = 1 + max(int(match[1]) for name in shapes if (match := re.match(r"body\.(\d+)\.", name)))
    layers = len({match[1] for name in shapes if (match := re.match(r"body\.0\.resnets\.(\d+)\.", name))})
    light = ADAPTER_ENTRANCE not in shapes
    entered = shapes["body.0.in_conv.weight" if light else ADAPTER_ENTRANCE][1]
    square = _COARSE if entered in (_COARSE**2, 3 * _COARSE**2) else _FINE
    if light:
        # The last level of a light adapter repeats the width of the one before it, without being asked for.
        channels = [shapes[f"body.{level}.out_conv.weight"][0] for level in range(levels - 1)]
    else:
        channels = [shapes[f"body.{level}.resnets.0.block1.weight"][0] for level in range(levels)]
    kind = "light_adapter" if light else "full_adapter_xl" if square == _COARSE else "full_adapter"
    return {
        "in_channels": entered // square**2,
        "channels": channels,
        "num_res_blocks": layers,
        "downscale_factor": square,
        "adapter_type": kind,
    }
