"""Nodes that put the style of a picture beside the text (T2I-Adapter's style adapter for SD 1)."""

from dataclasses import replace
from typing import Annotated, Literal

import torch

from executor.folders import Folders
from executor.schema import FolderChoices, Injected, InputError, Widget
from nodes.coding import naming
from nodes.declare import node
from nodes.diffusion.checkpoints.style import open_style_model
from nodes.diffusion.memory.device import DeviceMemory
from nodes.diffusion.style import style_tokens
from nodes.model_files import file_state, opening
from nodes.types import Conditioning, StyleModel, VisionOutput

StyleName = Annotated[str, Widget("combo", choices=FolderChoices("style_models"))]


def style_state(*, style_model_name: str, folders: Folders) -> str:
    """Changes when the file is replaced."""
    return file_state(folders.model("style_models", style_model_name))


@node("StyleModelLoader", category="loaders", display_name="Load Style Model", fingerprint=style_state)
def style_model_loader(*, style_model_name: StyleName, folders: Injected[Folders]) -> StyleModel:
    """Open a style model for SD 1."""
    with opening("style_model_name"):
        return open_style_model(folders.model("style_models", style_model_name))


@node("StyleModelApply", category="conditioning/style_model", display_name="Apply Style Model", lane="device")
def style_model_apply(
    *,
    conditioning: Conditioning,
    style_model: StyleModel,
    clip_vision_output: VisionOutput,
    strength: Annotated[float, Widget("number", min=0.0, max=10.0, step=0.001)] = 1.0,
    strength_type: Literal["multiply", "attn_bias"],
    memory: Injected[DeviceMemory],
) -> Conditioning:
    """Put the style of a picture behind the text, as further words. The strength multiplies them."""
    if strength_type == "attn_bias" and strength != 1:
        raise InputError(
            "strength_type",
            "Only the strength 1 can be given to attention. Choose 'multiply', or set the strength to 1.",
        )
    for one in conditioning:
        if one.tokens.shape[-1] != style_model.text_width:
            raise InputError(
                "style_model",
                f"{style_model.title} makes words of {style_model.text_width} numbers and the conditioning's have "
                f"{one.tokens.shape[-1]}. Choose one for the model's family in StyleModelLoader.",
            )
    with memory.resident(style_model.network), naming("clip_vision_output"):
        words = style_tokens(style_model, clip_vision_output) * strength
    return tuple(
        replace(one, tokens=torch.cat([one.tokens, words.expand(len(one.tokens), -1, -1)], dim=1))
        for one in conditioning
    )
