"""Nodes that make, load and change masks."""

from typing import Annotated, Literal

import torch

from executor.folders import Folders
from executor.schema import Injected, InputError, RunInfo, Widget
from nodes.declare import Shown, node
from nodes.diffusion.compose import feathered, grown, matched
from nodes.image import InputPicture, loaded_picture, preview_image
from nodes.input_files import input_digest
from nodes.marks import WireOptions
from nodes.types import Image, Mask

Side = Annotated[int, Widget("number", min=1, max=16384, step=1)]
Offset = Annotated[int, Widget("number", min=0, max=16384, step=1)]
AS_NUMBER = {"display": "number"}


@node("SolidMask", category="mask")
def solid_mask(
    *,
    value: Annotated[float, Widget("number", min=0.0, max=1.0, step=0.01)] = 1.0,
    width: Side = 512,
    height: Side = 512,
) -> Mask:
    """A mask of one value."""
    return torch.full((1, height, width), value)


@node("InvertMask", category="mask")
def invert_mask(*, mask: Mask) -> Mask:
    """Turn 1 into 0 and 0 into 1."""
    return 1 - mask


@node("MaskToImage", category="mask", display_name="Convert Mask to Image")
def mask_to_image(*, mask: Mask) -> Image:
    """Show a mask as a grey picture."""
    return mask.reshape(-1, *mask.shape[-2:])[..., None].repeat(1, 1, 1, 3)


@node("ImageToMask", category="mask", display_name="Convert Image to Mask")
def image_to_mask(*, image: Image, channel: Literal["red", "green", "blue", "alpha"]) -> Mask:
    """Take one channel of a picture as a mask."""
    index = ("red", "green", "blue", "alpha").index(channel)
    if index >= image.shape[-1]:
        raise InputError("channel", "The picture has no alpha channel. Choose red, green or blue.")
    return image[..., index]


@node("ImageColorToMask", category="mask")
def image_color_to_mask(
    *, image: Image, color: Annotated[int, Widget("number", min=0, max=0xFFFFFF, step=1), WireOptions(AS_NUMBER)] = 0
) -> Mask:
    """1 where a picture has exactly a colour, given as a number (red times 65536, green times 256, blue)."""
    values = (image[..., :3].clamp(0, 1) * 255).round().int()
    numbers = (values[..., 0] << 16) + (values[..., 1] << 8) + values[..., 2]
    return (numbers == color).float()


@node("ThresholdMask", category="mask")
def threshold_mask(*, mask: Mask, value: Annotated[float, Widget("number", min=0.0, max=1.0, step=0.01)] = 0.5) -> Mask:
    """1 where a mask is above a value, else 0."""
    return (mask > value).float()


@node("MaskPreview", category="mask", display_name="Preview Mask", is_output=True)
def mask_preview(*, mask: Mask, folders: Injected[Folders], run: Injected[RunInfo]) -> Shown:
    """Show a mask as a grey picture, without saving it to the output folder."""
    return preview_image(images=mask_to_image(mask=mask), folders=folders, run=run)


@node("MaskComposite", category="mask")
def mask_composite(
    *,
    destination: Mask,
    source: Mask,
    x: Offset = 0,
    y: Offset = 0,
    operation: Literal["multiply", "add", "subtract", "and", "or", "xor"],
) -> Mask:
    """Combine a mask with another one that lies over it at a place."""
    result = destination.reshape(-1, *destination.shape[-2:]).clone()
    source = source.reshape(-1, *source.shape[-2:])
    under = result[:, y : y + source.shape[1], x : x + source.shape[2]]
    over = matched(source, len(result))[:, : under.shape[1], : under.shape[2]]
    one, two = under.round().bool(), over.round().bool()
    combined = {
        "multiply": under * over,
        "add": under + over,
        "subtract": under - over,
        "and": (one & two).float(),
        "or": (one | two).float(),
        "xor": (one ^ two).float(),
    }
    under.copy_(combined[operation])
    return result.clamp(0, 1)


@node("GrowMask", category="mask", display_name="Grow Mask")
def grow_mask(
    *,
    mask: Mask,
    expand: Annotated[int, Widget("number", min=-16384, max=16384, step=1)] = 0,
    tapered_corners: bool = True,
) -> Mask:
    """Widen a mask by some pixels, or narrow it if the number is negative."""
    return grown(mask.reshape(-1, *mask.shape[-2:]), expand, square=not tapered_corners)


@node("FeatherMask", category="mask")
def feather_mask(*, mask: Mask, left: Offset = 0, top: Offset = 0, right: Offset = 0, bottom: Offset = 0) -> Mask:
    """Let a mask fade towards its borders, over so many pixels at each."""
    mask = mask.reshape(-1, *mask.shape[-2:])
    height, width = mask.shape[-2:]
    down = feathered(height, min(top, height), min(bottom, height))
    across = feathered(width, min(left, width), min(right, width))
    return mask * down[:, None] * across[None, :]


@node("CropMask", category="mask")
def crop_mask(*, mask: Mask, x: Offset = 0, y: Offset = 0, width: Side = 512, height: Side = 512) -> Mask:
    """Cut a rectangle out of a mask, as far as it lies inside."""
    mask = mask.reshape(-1, *mask.shape[-2:])
    if x >= mask.shape[2] or y >= mask.shape[1]:
        name, size = ("x", mask.shape[2]) if x >= mask.shape[2] else ("y", mask.shape[1])
        raise InputError(name, f"The cut begins outside the mask. Choose a {name} below {size}.")
    return mask[:, y : y + height, x : x + width]


def mask_digest(*, image: str, folders: Folders) -> str:
    """SHA-256 of the file, so that an overwritten picture is loaded again."""
    return input_digest(image, folders)


@node("LoadImageMask", category="mask", display_name="Load Image (as Mask)", fingerprint=mask_digest)
def load_image_mask(
    *, image: InputPicture, channel: Literal["alpha", "red", "green", "blue"], folders: Injected[Folders]
) -> Mask:
    """Load one channel of a picture as a mask; alpha gives 1 where the picture is transparent."""
    colours, clear = loaded_picture(image, folders, "input")
    return clear[:1] if channel == "alpha" else colours[:1, :, :, ("red", "green", "blue").index(channel)]
