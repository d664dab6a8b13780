"""Nodes that save several pictures as one moving one."""

from typing import Annotated, Literal

from executor.folders import Folders
from executor.schema import Injected, RunInfo, Widget
from nodes.declare import Shown, node
from nodes.diffusion.animation import encode_apng, encode_webp
from nodes.output_files import OutputSeries, naming_prefix
from nodes.types import Image

Rate = Annotated[float, Widget("number", min=0.01, max=1000.0, step=0.01)]
METHODS = {"default": 4, "fastest": 0, "slowest": 6}
"""How hard the WebP encoder tries, 0 to 6."""


@node("SaveAnimatedPNG", category="image/animation", is_output=True)
def save_animated_png(
    *,
    images: Image,
    filename_prefix: str = "ComfyUI",
    fps: Rate = 6.0,
    compress_level: Annotated[int, Widget("number", min=0, max=9)] = 4,
    folders: Injected[Folders],
    run: Injected[RunInfo],
) -> Shown:
    """Save pictures as the frames of one animated PNG file that carries the workflow."""
    content = encode_apng(images, run.metadata, fps, compress_level)
    return _saved(".png", content, images, filename_prefix, folders)


@node("SaveAnimatedWEBP", category="image/animation", is_output=True)
def save_animated_webp(
    *,
    images: Image,
    filename_prefix: str = "ComfyUI",
    fps: Rate = 6.0,
    lossless: bool = True,
    quality: Annotated[int, Widget("number", min=0, max=100)] = 80,
    method: Literal["default", "fastest", "slowest"],
    folders: Injected[Folders],
    run: Injected[RunInfo],
) -> Shown:
    """Save pictures as the frames of one animated WebP file that carries the workflow."""
    content = encode_webp(images, run.metadata, fps, quality=None if lossless else quality, method=METHODS[method])
    return _saved(".webp", content, images, filename_prefix, folders)


def _saved(suffix: str, content: bytes, images: Image, prefix: str, folders: Folders) -> Shown:
    with naming_prefix():
        series = OutputSeries(folders, "output", prefix, width=images.shape[2], height=images.shape[1])
        return Shown({"images": [series.save(suffix, content)], "animated": [True]})
