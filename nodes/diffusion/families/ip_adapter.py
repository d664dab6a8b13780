"""IP-Adapters: which kind a file is, and its sizes, from names and shapes alone.

Ye et al. 2023, "IP-Adapter: Text Compatible Image Prompt Adapter". Names are those of the published files.
"""

import re
from typing import Literal

from nodes.diffusion.families.ldm import Config, Shapes

PICTURE, LAYERS = "image_proj.", "ip_adapter."
ProjectionKind = Literal["plain", "full", "plus"]
"""Tokens are made of the projected class token; of every patch by itself; of every patch by asking (a resampler)."""

_TOKENS = 4
"""Of the plain kind."""
_HEAD_WIDTH = 64


def projection_config(shapes: Shapes) -> tuple[ProjectionKind, Config]:
    """The kind, and the arguments of diffusers' projection. Raises ValueError with a clause, KeyError."""
    inner = {name.removeprefix(PICTURE): shape for name, shape in shapes.items() if name.startswith(PICTURE)}
    if "latents" in inner:
        entrance, hidden = inner["proj_in.weight"][1], inner["latents"][2]
        return "plus", {
            "embed_dims": entrance,
            "output_dims": inner["proj_out.weight"][0],
            "hidden_dims": hidden,
            "depth": len({match[1] for name in inner if (match := re.match(r"layers\.(\d+)\.", name))}),
            "dim_head": _HEAD_WIDTH,
            "heads": inner["layers.0.0.to_q.weight"][0] // _HEAD_WIDTH,
            "num_queries": inner["latents"][1],
            "ffn_ratio": inner["layers.0.1.1.weight"][0] / hidden,
        }
    if "proj.weight" in inner:
        wide, entrance = inner["proj.weight"]
        tokens = {"cross_attention_dim": wide // _TOKENS, "num_image_text_embeds": _TOKENS}
        return "plain", {"image_embed_dim": entrance, **tokens}
    if "proj.3.weight" in inner:
        return "full", {
            "image_embed_dim": inner["proj.0.weight"][1],
            "cross_attention_dim": inner["proj.3.weight"][0],
        }
    if any(name.startswith("perceiver_resampler.") for name in inner) or "proj.2.weight" in inner:
        raise ValueError("it is a FaceID adapter, which needs a face recognition model that is not part of Heddle")
    raise ValueError("its projection of pictures is of no kind that is known")


def projection_name(name: str, kind: ProjectionKind) -> str:
    """The published name, without prefix, of a parameter of diffusers' projection."""
    if kind == "plain":
        return name.replace("image_embeds.", "proj.")
    if kind == "full":
        for ours, theirs in (("ff.net.0.proj.", "proj.0."), ("ff.net.2.", "proj.2."), ("norm.", "proj.3.")):
            name = name.replace(ours, theirs)
        return name
    match = re.fullmatch(r"layers\.(\d+)\.(.+)", name)
    if match is None:
        return name
    row, rest = f"layers.{match[1]}", match[2]
    for ours, theirs in _RESAMPLER.items():
        if rest.startswith(ours):
            return f"{row}.{theirs}{rest.removeprefix(ours)}"
    raise KeyError(f"'{name}' has no place in an IP-Adapter.")


_RESAMPLER = {
    "ln0.": "0.norm1.",
    "ln1.": "0.norm2.",
    "attn.to_q.": "0.to_q.",
    "attn.to_k.": "0.to_kv.",
    "attn.to_v.": "0.to_kv.",
    "attn.to_out.0.": "0.to_out.",
    "ff.0.": "1.0.",
    "ff.1.net.0.proj.": "1.1.",
    "ff.1.net.2.": "1.3.",
}
