"""Nodes for pictures with transparency. As from the image loader, a mask is 1 where a picture is transparent."""

from typing import Literal, NamedTuple

import torch

from nodes.declare import node
from nodes.diffusion.blend import composited
from nodes.diffusion.compose import matched
from nodes.diffusion.resize import resize_pictures
from nodes.types import Image, Mask

Mode = Literal[
    "ADD", "CLEAR", "DARKEN", "DST", "DST_ATOP", "DST_IN", "DST_OUT", "DST_OVER", "LIGHTEN", "MULTIPLY", "OVERLAY",
    "SCREEN", "SRC", "SRC_ATOP", "SRC_IN", "SRC_OUT", "SRC_OVER", "XOR",
]  # fmt: skip


class PictureAndMask(NamedTuple):
    """A picture, and a mask that is 1 where it is transparent."""

    IMAGE: Image
    MASK: Mask


@node("PorterDuffImageComposite", category="mask/compositing", display_name="Porter-Duff Image Composite")
def porter_duff_image_composite(
    *,
    source: Image,
    source_alpha: Mask,
    destination: Image,
    destination_alpha: Mask,
    mode: Mode = "DST",
) -> PictureAndMask:
    """Put a picture over another, each with its transparency.

    Of two batches the shorter one counts; the source and the masks are resized to the destination.
    """
    count = min(len(source), len(destination))
    height, width = destination.shape[1:3]
    above = _fitted(source[:count, ..., :3], width, height)
    alphas = [
        1 - _fitted(matched(mask.reshape(-1, *mask.shape[-2:]), count)[..., None], width, height)[..., 0]
        for mask in (source_alpha, destination_alpha)
    ]
    colours, alpha = composited(above, alphas[0], destination[:count, ..., :3], alphas[1], mode)
    return PictureAndMask(colours, 1 - alpha)


@node("SplitImageWithAlpha", category="mask/compositing", display_name="Split Image with Alpha")
def split_image_with_alpha(*, image: Image) -> PictureAndMask:
    """Take a picture's transparency off as a mask; one without any is opaque."""
    alpha = image[..., 3] if image.shape[-1] > 3 else torch.ones(image.shape[:3])
    return PictureAndMask(image[..., :3], 1 - alpha)


@node("JoinImageWithAlpha", category="mask/compositing", display_name="Join Image with Alpha")
def join_image_with_alpha(*, image: Image, alpha: Mask) -> Image:
    """Make a picture transparent where a mask, resized to it, is 1.

    Of two batches the shorter one counts.
    """
    masks = alpha.reshape(-1, *alpha.shape[-2:])
    count = min(len(image), len(masks))
    fitted = _fitted(masks[:count, ..., None], image.shape[2], image.shape[1])
    return torch.cat([image[:count, ..., :3], 1 - fitted], -1)


def _fitted(pictures: Image, width: int, height: int) -> Image:
    if pictures.shape[1:3] == (height, width):
        return pictures
    return resize_pictures(pictures, width, height, "bilinear")
