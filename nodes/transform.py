"""Resizing of a picture or a mask in one of many ways, each with inputs of its own."""

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar, Generic, Literal, NamedTuple, TypeVar

from executor.schema import Widget
from nodes.declare import node
from nodes.diffusion.resize import MEGAPIXEL, resize_pictures
from nodes.types import Image, Mask

Side = Annotated[int, Widget("number", min=0, max=16384, step=1)]
Crop = Literal["disabled", "center"]
PICTURE_DIMENSIONS = 4
"""(N, H, W, channels); a mask has none for its channels."""


@dataclass(frozen=True)
class ByMultiplier:
    """Both sides times a number."""

    key: ClassVar[str] = "scale by multiplier"
    multiplier: Annotated[float, Widget("number", min=0.01, max=8.0, step=0.01)] = 1.0


@dataclass(frozen=True)
class ToDimensions:
    """To a width and a height; one that is 0 follows from the other."""

    key: ClassVar[str] = "scale dimensions"
    width: Side = 512
    height: Side = 512
    crop: Crop = "center"


@dataclass(frozen=True)
class LongerSide:
    """The longer side to a number, the other one in proportion."""

    key: ClassVar[str] = "scale longer dimension"
    longer_size: Side = 512


@dataclass(frozen=True)
class ShorterSide:
    """The shorter side to a number, the other one in proportion."""

    key: ClassVar[str] = "scale shorter dimension"
    shorter_size: Side = 512


@dataclass(frozen=True)
class ToWidth:
    """The width to a number, the height in proportion."""

    key: ClassVar[str] = "scale width"
    width: Side = 512


@dataclass(frozen=True)
class ToHeight:
    """The height to a number, the width in proportion."""

    key: ClassVar[str] = "scale height"
    height: Side = 512


@dataclass(frozen=True)
class TotalPixels:
    """To so many times 1024 x 1024 pixels, in proportion."""

    key: ClassVar[str] = "scale total pixels"
    megapixels: Annotated[float, Widget("number", min=0.01, max=16.0, step=0.01)] = 1.0


@dataclass(frozen=True)
class MatchSize:
    """To the size of another picture or mask."""

    key: ClassVar[str] = "match size"
    match: Image | Mask
    crop: Crop = "center"


ResizeType = ByMultiplier | ToDimensions | LongerSide | ShorterSide | ToWidth | ToHeight | TotalPixels | MatchSize
InputType = TypeVar("InputType", Image, Mask)


class Resized(NamedTuple, Generic[InputType]):
    """What was put in, in its new size."""

    resized: InputType


@node("ResizeImageMaskNode", category="transform", display_name="Resize Image/Mask")
def resize_image_mask(
    *,
    input: InputType,  # noqa: A002 - the name that saved workflows have
    resize_type: ResizeType,
    scale_method: Literal["nearest-exact", "bilinear", "area", "bicubic", "lanczos"] = "area",
) -> Resized[InputType]:
    """Resize a picture or a mask."""
    is_picture = input.ndim == PICTURE_DIMENSIONS
    pictures = input if is_picture else input.reshape(-1, *input.shape[-2:])[..., None].expand(-1, -1, -1, 3)
    rows, columns = pictures.shape[1:3]
    width, height = new_size(resize_type, columns, rows)
    crop = isinstance(resize_type, ToDimensions | MatchSize) and resize_type.crop == "center"
    resized = resize_pictures(pictures, width, height, scale_method, crop=crop)
    return Resized(resized if is_picture else resized[..., 0])


def new_size(how: ResizeType, width: int, height: int) -> tuple[int, int]:
    """The new width and height of a picture of the given ones; a side of 0 that nothing decides stays as it is."""
    match how:
        case ByMultiplier(factor):
            return _scaled(width, height, factor)
        case ToDimensions(columns, rows):
            across, down = _scaled(width, height, max(columns / width, rows / height) or 1.0)
            return columns or across, rows or down
        case LongerSide(size):
            return _scaled(width, height, size / max(width, height) or 1.0)
        case ShorterSide(size):
            return _scaled(width, height, size / min(width, height) or 1.0)
        case ToWidth(columns):
            return _scaled(width, height, columns / width or 1.0)
        case ToHeight(rows):
            return _scaled(width, height, rows / height or 1.0)
        case TotalPixels(megapixels):
            return _scaled(width, height, math.sqrt(megapixels * MEGAPIXEL / (width * height)))
        case MatchSize(other):
            rows, columns = other.shape[1:3] if other.ndim == PICTURE_DIMENSIONS else other.shape[-2:]
            return columns, rows


def _scaled(width: int, height: int, factor: float) -> tuple[int, int]:
    return max(1, round(width * factor)), max(1, round(height * factor))
