"""CLIP text models: sizes from tensor shapes, in the layouts of OpenAI's model (as transformers names it) and OpenCLIP.

Radford et al. 2021, "Learning Transferable Visual Models From Natural Language Supervision"; Cherti et al. 2023,
"Reproducible scaling laws for contrastive language-image learning" (OpenCLIP). Names are without prefix.
"""

import re
from typing import Literal

from nodes.diffusion.families.ldm import Config, Shapes

Layout = Literal["clip", "open_clip"]

TOKENS = "embeddings.token_embedding.weight"
OPEN_TOKENS = "token_embedding.weight"
PROJECTION = "text_projection.weight"
OPEN_PROJECTION = "text_projection"

KNOWN_WIDTHS: dict[int, Literal["l", "h", "g"]] = {768: "l", 1024: "h", 1280: "g"}
"""Width -> which published text model it is: OpenAI's ViT-L, OpenCLIP's ViT-H and ViT-bigG."""


def heads(width: int) -> int:
    """Attention heads of a CLIP text model: one for each 64 channels."""
    return max(1, width // 64)


def layout_of(shapes: Shapes) -> Layout | None:
    """The layout that tensors without prefix are in, or None if they are no CLIP text model."""
    if TOKENS in shapes:
        return "clip"
    return "open_clip" if OPEN_TOKENS in shapes and "positional_embedding" in shapes else None


def text_config(shapes: Shapes, layout: Layout, activation: Literal["quick_gelu", "gelu"]) -> Config:
    """CLIPTextConfig arguments. Raises KeyError naming an absent tensor."""
    if layout == "clip":
        vocabulary, width = shapes[TOKENS]
        positions = shapes["embeddings.position_embedding.weight"][0]
        inner, layers = shapes["encoder.layers.0.mlp.fc1.weight"][0], r"encoder\.layers\.(\d+)\."
    else:
        vocabulary, width = shapes[OPEN_TOKENS]
        positions = shapes["positional_embedding"][0]
        inner, layers = shapes["transformer.resblocks.0.mlp.c_fc.weight"][0], r"transformer\.resblocks\.(\d+)\."
    return {
        "vocab_size": vocabulary,
        "hidden_size": width,
        "intermediate_size": inner,
        "projection_dim": projection_width(shapes) or width,
        "num_hidden_layers": len({match[1] for name in shapes if (match := re.match(layers, name))}),
        "num_attention_heads": heads(width),
        "max_position_embeddings": positions,
        "hidden_act": activation,
        "bos_token_id": 49406,
        "eos_token_id": 49407,
    }


def projection_width(shapes: Shapes) -> int | None:
    """Width of the projected text; None for a model that does not project what it pools."""
    if PROJECTION in shapes:
        return shapes[PROJECTION][0]
    return shapes[OPEN_PROJECTION][1] if OPEN_PROJECTION in shapes else None
