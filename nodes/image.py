"""Nodes that load, save and show pictures."""

import secrets
from typing import Annotated, NamedTuple

from executor.folders import Folders, PathError, Place
from executor.schema import FolderChoices, Injected, InputError, RunInfo, Widget
from nodes.declare import Shown, node
from nodes.diffusion.pictures import PictureError, encode_png, load_picture
from nodes.input_files import input_digest
from nodes.marks import WireOptions
from nodes.output_files import OutputSeries, naming_prefix
from nodes.types import Image, Mask

SAVED_COMPRESSION = 4
SHOWN_COMPRESSION = 1
"""zlib levels: a preview should be there at once, a saved picture may take a little longer."""

InputPicture = Annotated[str, Widget("combo", choices=FolderChoices("input"), upload="image")]

OutputPicture = Annotated[
    str,
    Widget("combo", upload="image"),
    WireOptions(
        {
            "image_folder": "output",
            "remote": {
                "route": "/internal/files/output",
                "refresh_button": True,
                "control_after_refresh": "first",
            },
        }
    ),
]
"""Editors fetch the choices, newest first."""


class LoadedImage(NamedTuple):
    """Outputs of the image loader."""

    IMAGE: Image
    MASK: Mask


def image_digest(*, image: str, folders: Folders) -> str:
    """SHA-256 of the file, so that an overwritten picture is loaded again."""
    return input_digest(image, folders)


@node("LoadImage", category="image", display_name="Load Image", fingerprint=image_digest)
def load_image(*, image: InputPicture, folders: Injected[Folders]) -> LoadedImage:
    """Load a picture from the input folder, and a mask that is 1 where it is transparent."""
    return loaded_picture(image, folders, "input")


def output_digest(*, image: str, folders: Folders) -> str:
    """SHA-256 of the file, so that an overwritten picture is loaded again."""
    return input_digest(image, folders, "output")


@node(
    "LoadImageOutput",
    category="image",
    display_name="Load Image (from Outputs)",
    experimental=True,
    fingerprint=output_digest,
)
def load_image_output(*, image: OutputPicture, folders: Injected[Folders]) -> LoadedImage:
    """Load a picture that was saved, and a mask that is 1 where it is transparent."""
    return loaded_picture(image, folders, "output")


@node("SaveImage", category="image", display_name="Save Image", is_output=True)
def save_image(
    *, images: Image, filename_prefix: str = "ComfyUI", folders: Injected[Folders], run: Injected[RunInfo]
) -> Shown:
    """Save pictures to the output folder as PNG files that carry the workflow.

    The prefix may name a subfolder, and may hold %width%, %height%, %batch_num%, %year%, %month%, %day%, %hour%,
    %minute% and %second%.
    """
    return save_pictures(images, ("output", filename_prefix), folders, run, SAVED_COMPRESSION)


@node("PreviewImage", category="image", display_name="Preview Image", is_output=True)
def preview_image(*, images: Image, folders: Injected[Folders], run: Injected[RunInfo]) -> Shown:
    """Show pictures without saving them to the output folder."""
    # A name of its own for each call, so that a browser never shows an older preview that it still has.
    return save_pictures(images, ("temp", f"preview_{secrets.token_hex(4)}"), folders, run, SHOWN_COMPRESSION)


def loaded_picture(name: str, folders: Folders, place: Place) -> LoadedImage:
    """A picture of a folder, unless the name says another one. Raises InputError for the input `image`."""
    try:
        return LoadedImage(*load_picture(folders.annotated(name, place)))
    except (PathError, PictureError) as error:
        raise InputError("image", str(error)) from error


def save_pictures(images: Image, target: tuple[Place, str], folders: Folders, run: RunInfo, compression: int) -> Shown:
    """Save pictures under a folder and a prefix as PNG files that carry the workflow, and show them; `compression` is
    zlib's level. Raises InputError for the prefix."""
    place, prefix = target
    with naming_prefix():
        series = OutputSeries(folders, place, prefix, width=images.shape[2], height=images.shape[1])
        shown = [
            series.save(".png", encode_png(picture, run.metadata, compression), batch_num=index)
            for index, picture in enumerate(images)
        ]
    return Shown({"images": shown})
