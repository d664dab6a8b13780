"""Nodes that make, resize, cut and put together pictures."""

from typing import Annotated, Literal, NamedTuple

import torch

from executor.schema import Widget
from nodes.declare import node
from nodes.diffusion import resize
from nodes.diffusion.compose import outpaint_mask, paste
from nodes.types import Image, Mask

UpscaleMethod = Literal["nearest-exact", "bilinear", "area", "bicubic", "lanczos"]
NewSide = Annotated[int, Widget("number", min=0, max=16384, step=1)]
Side = Annotated[int, Widget("number", min=1, max=16384, step=1)]
Offset = Annotated[int, Widget("number", min=0, max=16384, step=1)]
Margin = Annotated[int, Widget("number", min=0, max=16384, step=8)]

GREY = 0.5
"""What the margins of an outpainted picture show."""


@node("ImageScale", category="image/upscaling", display_name="Upscale Image")
def image_scale(
    *,
    image: Image,
    upscale_method: UpscaleMethod,
    width: NewSide = 512,
    height: NewSide = 512,
    crop: Literal["disabled", "center"],
) -> Image:
    """Resize a picture. A side of 0 follows from the other one; if both are 0 nothing happens."""
    if width == 0 and height == 0:
        return image
    old_height, old_width = image.shape[1:3]
    columns = width or max(1, round(old_width * height / old_height))
    rows = height or max(1, round(old_height * width / old_width))
    return resize.resize_pictures(image, columns, rows, upscale_method, crop=crop == "center")


@node("ImageScaleBy", category="image/upscaling", display_name="Upscale Image By")
def image_scale_by(
    *,
    image: Image,
    upscale_method: UpscaleMethod,
    scale_by: Annotated[float, Widget("number", min=0.01, max=8.0, step=0.01)] = 1.0,
) -> Image:
    """Resize a picture by a factor."""
    rows, columns = (max(1, round(side * scale_by)) for side in image.shape[1:3])
    return resize.resize_pictures(image, columns, rows, upscale_method)


@node("ImageInvert", category="image", display_name="Invert Image")
def image_invert(*, image: Image) -> Image:
    """Turn every colour into its opposite."""
    return 1 - image


@node("ImageBatch", category="image", display_name="Batch Images", deprecated=True)
def image_batch(*, image1: Image, image2: Image) -> Image:
    """Put two batches of pictures together; the second is resized to the first, cut evenly."""
    if image1.shape[1:3] != image2.shape[1:3]:
        image2 = resize.resize_pictures(image2, image1.shape[2], image1.shape[1], "bilinear", crop=True)
    channels = max(image1.shape[-1], image2.shape[-1])
    # A picture without transparency is opaque beside one that has some.
    alike = [torch.nn.functional.pad(image, (0, channels - image.shape[-1]), value=1.0) for image in (image1, image2)]
    return torch.cat(alike)


@node("ImageCrop", category="image/transform", display_name="Image Crop")
def image_crop(*, image: Image, width: Side = 512, height: Side = 512, x: Offset = 0, y: Offset = 0) -> Image:
    """Cut a rectangle out of a picture, as far as it lies inside."""
    left, top = min(x, image.shape[2] - 1), min(y, image.shape[1] - 1)
    return image[:, top : top + height, left : left + width]


@node("EmptyImage", category="image")
def empty_image(
    *,
    width: Side = 512,
    height: Side = 512,
    batch_size: Annotated[int, Widget("number", min=1, max=4096)] = 1,
    color: Annotated[int, Widget("color", min=0, max=0xFFFFFF, step=1)] = 0,
) -> Image:
    """Pictures of one colour, given as a number (red times 65536, green times 256, blue)."""
    channels = torch.tensor([color >> shift & 0xFF for shift in (16, 8, 0)]) / 0xFF
    return channels.repeat(batch_size, height, width, 1)


class Padded(NamedTuple):
    """Outputs of the outpainting node."""

    IMAGE: Image
    MASK: Mask


@node("ImagePadForOutpaint", category="image", display_name="Pad Image for Outpainting")
def image_pad_for_outpaint(
    *,
    image: Image,
    left: Margin = 0,
    top: Margin = 0,
    right: Margin = 0,
    bottom: Margin = 0,
    feathering: Annotated[int, Widget("number", min=0, max=16384, step=1)] = 40,
) -> Padded:
    """Put grey margins around a picture, and a mask that covers them with a soft edge."""
    count, height, width, channels = image.shape
    wide = torch.full((count, top + height + bottom, left + width + right, channels), GREY)
    wide[:, top : top + height, left : left + width] = image
    return Padded(wide, outpaint_mask(height, width, (left, top, right, bottom), feathering))


@node("ImageCompositeMasked", category="image")
def image_composite_masked(
    *,
    destination: Image,
    source: Image,
    x: Offset = 0,
    y: Offset = 0,
    resize_source: bool = False,
    mask: Mask | None = None,
) -> Image:
    """Paste a picture over another where the mask says."""
    if resize_source:
        source = resize.resize_pictures(source, destination.shape[2], destination.shape[1], "bilinear")
    channels = destination.shape[-1]
    # A source without transparency is opaque on a destination that has some; one with it loses it otherwise.
    missing = max(0, channels - source.shape[-1])
    source = torch.nn.functional.pad(source[..., :channels], (0, missing), value=1.0)
    return paste(destination.movedim(-1, 1), source.movedim(-1, 1), x, y, mask).movedim(1, -1).contiguous()
