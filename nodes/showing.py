"""Nodes that show or save in newer ways: two pictures side by side, pictures in a chosen format, texts."""

import secrets
from dataclasses import dataclass
from typing import ClassVar, Literal, NamedTuple

from executor.folders import Folders
from executor.schema import Injected, RunInfo
from nodes.declare import Shown, node
from nodes.image import SAVED_COMPRESSION, SHOWN_COMPRESSION, save_pictures
from nodes.output_files import OutputSeries, naming_prefix
from nodes.types import Image


@dataclass(frozen=True)
class AsPng:
    """PNG with eight bits a channel."""

    key: ClassVar[str] = "png"
    bit_depth: Literal["8-bit"] = "8-bit"
    colorspace: Literal["sRGB"] = "sRGB"


class PassedOn(NamedTuple):
    """The saved pictures."""

    images: Image


class PassedText(NamedTuple):
    """The saved text."""

    text: str


@node("ImageCompare", category="image", display_name="Image Compare", is_output=True)
def image_compare(
    *, image_a: Image | None = None, image_b: Image | None = None, folders: Injected[Folders], run: Injected[RunInfo]
) -> Shown:
    """Show two pictures one over the other, to slide between them, without saving them to the output folder."""
    shown = {}
    for side, pictures in (("a_images", image_a), ("b_images", image_b)):
        if pictures is not None:
            target = f"compare_{secrets.token_hex(4)}"
            shown[side] = save_pictures(pictures, ("temp", target), folders, run, SHOWN_COMPRESSION).ui["images"]
    return Shown(shown)


@node("SaveImageAdvanced", category="image", display_name="Save Image (Advanced)", is_output=True)
def save_image_advanced(
    *,
    images: Image,
    filename_prefix: str = "ComfyUI",
    format: AsPng,  # noqa: A002 - the name that saved workflows have
    folders: Injected[Folders],
    run: Injected[RunInfo],
) -> PassedOn | Shown:
    """Save pictures to the output folder in a chosen format, with the workflow inside, and pass them on."""
    del format  # there is one so far
    shown = save_pictures(images, ("output", filename_prefix), folders, run, SAVED_COMPRESSION)
    return Shown(shown.ui, (images,))


@node("SaveText", category="utils/string", display_name="Save Text", is_output=True)
def save_text(
    *,
    text: str,
    filename_prefix: str = "ComfyUI",
    format: Literal["txt", "md", "json"] = "txt",  # noqa: A002 - the name that saved workflows have
    folders: Injected[Folders],
) -> PassedText | Shown:
    """Save a text to the output folder, in UTF-8, and pass it on."""
    with naming_prefix():
        entry = OutputSeries(folders, "output", filename_prefix).save(f".{format}", text.encode())
    return Shown({"text": [text], "files": [entry]}, (text,))
