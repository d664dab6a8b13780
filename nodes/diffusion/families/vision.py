"""CLIP vision models: sizes from tensor shapes, in the layouts of transformers and of OpenCLIP, without prefix.

Radford et al. 2021 (CLIP), Dosovitskiy et al. 2020, "An Image is Worth 16x16 Words" (ViT).
"""

import math
import re

from nodes.diffusion.families.clip import Layout
from nodes.diffusion.families.ldm import Config, Shapes

PATCHES = "vision_model.embeddings.patch_embedding.weight"
OPEN_PATCHES = "conv1.weight"
VISION_PROJECTION = "visual_projection.weight"
OPEN_VISION_PROJECTION = "proj"

MOST_HEADS = 16
"""Of the published models from ViT-L on; smaller ones have one for each 64 channels."""
_OPEN_CLIP_WIDTHS = frozenset({1280, 1664})
"""OpenCLIP's ViT-H and ViT-bigG, which were trained with another activation than OpenAI's models."""


def vision_layout(shapes: Shapes) -> Layout | None:
    """The layout that tensors without prefix are in, or None if they are no CLIP vision model."""
    if PATCHES in shapes:
        return "clip"
    return "open_clip" if OPEN_PATCHES in shapes and "ln_pre.weight" in shapes else None


def vision_config(shapes: Shapes, layout: Layout) -> Config:
    """CLIPVisionConfig arguments. Raises KeyError naming an absent tensor."""
    if layout == "clip":
        patches, positions = shapes[PATCHES], shapes["vision_model.embeddings.position_embedding.weight"][0]
        inner, layers = (
            shapes["vision_model.encoder.layers.0.mlp.fc1.weight"][0],
            r"vision_model\.encoder\.layers\.(\d+)\.",
        )
        projected = shapes[VISION_PROJECTION][0]
    else:
        patches, positions = shapes[OPEN_PATCHES], shapes["positional_embedding"][0]
        inner, layers = shapes["transformer.resblocks.0.mlp.c_fc.weight"][0], r"transformer\.resblocks\.(\d+)\."
        projected = shapes[OPEN_VISION_PROJECTION][1]
    width, _, side, _ = patches
    return {
        "hidden_size": width,
        "intermediate_size": inner,
        "projection_dim": projected,
        "num_hidden_layers": len({match[1] for name in shapes if (match := re.match(layers, name))}),
        "num_attention_heads": max(1, min(MOST_HEADS, width // 64)),
        # One position is that of the class token.
        "image_size": math.isqrt(positions - 1) * side,
        "patch_size": side,
        "hidden_act": "gelu" if width in _OPEN_CLIP_WIDTHS else "quick_gelu",
    }
