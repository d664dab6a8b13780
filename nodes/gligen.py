"""Nodes that say what a picture shows where, by named boxes (GLIGEN)."""

from dataclasses import replace
from typing import Annotated

from executor.folders import Folders
from executor.schema import FolderChoices, Injected, InputError, Widget
from nodes.conditioning import CELL
from nodes.declare import node
from nodes.diffusion.checkpoints.gligen import open_gligen
from nodes.diffusion.memory.device import DeviceMemory
from nodes.diffusion.patches.gligen import MOST_BOXES
from nodes.diffusion.text.encoder import encode_text
from nodes.diffusion.values import Condition, Grounding, TextBox
from nodes.model_files import embedding_state, file_state, opening
from nodes.types import Clip, Conditioning, Gligen, Text

GligenName = Annotated[str, Widget("combo", choices=FolderChoices("gligen"))]
Side = Annotated[int, Widget("number", min=8, max=16384, step=8)]
Offset = Annotated[int, Widget("number", min=0, max=16384, step=8)]


def gligen_state(*, gligen_name: str, folders: Folders) -> str:
    """Changes when the file is replaced."""
    return file_state(folders.model("gligen", gligen_name))


@node("GLIGENLoader", category="loaders", fingerprint=gligen_state)
def gligen_loader(*, gligen_name: GligenName, folders: Injected[Folders]) -> Gligen:
    """Open layers that let a model see named boxes."""
    with opening("gligen_name"):
        return open_gligen(folders.model("gligen", gligen_name))


@node("GLIGENTextBoxApply", category="conditioning/gligen", lane="device", fingerprint=embedding_state)
def gligen_text_box_apply(
    *,
    conditioning_to: Conditioning,
    clip: Clip,
    gligen_textbox_model: Gligen,
    text: Text,
    width: Side = 64,
    height: Side = 64,
    x: Offset = 0,
    y: Offset = 0,
    memory: Injected[DeviceMemory],
) -> Conditioning:
    """Say what is in a rectangle, given in pixels. Connect several of these nodes behind each other for several."""
    net = gligen_textbox_model
    with memory.resident(*clip.networks):
        embedding = encode_text(clip, text).pooled
    if embedding.shape[-1] != net.text_width:
        raise InputError(
            "clip",
            f"{net.title} wants names as {net.text_width} numbers and this text encoder makes {embedding.shape[-1]}. "
            "Connect the text encoder of the model that it was made for.",
        )
    box = TextBox(embedding, *(side // CELL for side in (x, y, width, height)))

    def with_it(one: Condition) -> Condition:
        before = one.grounding.boxes if one.grounding is not None and one.grounding.net is net else ()
        if len(before) == MOST_BOXES:
            raise InputError("conditioning_to", f"It has {MOST_BOXES} boxes already, and {net.title} sees no more.")
        return replace(one, grounding=Grounding(net, (*before, box)))

    return tuple(with_it(one) for one in conditioning_to)
