"""Nodes that turn, fit and join pictures, and take batches of them apart."""

from typing import Annotated, Literal, NamedTuple

import torch

from executor.progress import Progress
from executor.schema import Injected, Widget
from nodes.declare import node
from nodes.diffusion.compose import matched
from nodes.diffusion.resize import MEGAPIXEL, resize_pictures
from nodes.image_edit import NewSide, Side, UpscaleMethod
from nodes.transform import LongerSide, new_size
from nodes.types import Image

COLOURS = {"white": (1.0, 1.0, 1.0), "black": (0.0, 0.0, 0.0), "red": (1.0, 0.0, 0.0), "green": (0.0, 1.0, 0.0),
           "blue": (0.0, 0.0, 1.0)}  # fmt: skip
TURNS = {"none": 0, "90 degrees": 1, "180 degrees": 2, "270 degrees": 3}
LISTED_METHODS = ("area", "lanczos", "bilinear", "nearest-exact", "bilinear", "bicubic")
"""One of them twice, as saved definitions have it."""
Count = Annotated[int, Widget("number", min=1, max=4096)]


class PictureSizes(NamedTuple):
    """Outputs of the node that measures pictures."""

    width: int
    height: int
    batch_size: int


@node("GetImageSize", category="image", display_name="Get Image Size")
def get_image_size(*, image: Image, progress: Injected[Progress]) -> PictureSizes:
    """Tell the width and height of pictures in pixels, and how many there are."""
    count, height, width = image.shape[:3]
    progress.text(f"width: {width}, height: {height}\n batch size: {count}")
    return PictureSizes(width, height, count)


@node("ImageFlip", category="image/transform")
def image_flip(*, image: Image, flip_method: Literal["x-axis: vertically", "y-axis: horizontally"]) -> Image:
    """Mirror pictures: top to bottom, or left to right."""
    return image.flip(1 if flip_method.startswith("x") else 2)


@node("ImageRotate", category="image/transform")
def image_rotate(*, image: Image, rotation: Literal["none", "90 degrees", "180 degrees", "270 degrees"]) -> Image:
    """Turn pictures clockwise."""
    return image.rot90(TURNS[rotation], (2, 1)).contiguous()


@node("ImageScaleToMaxDimension", category="image/upscaling")
def image_scale_to_max_dimension(
    *,
    image: Image,
    upscale_method: Annotated[str, Widget("combo", choices=LISTED_METHODS)],
    largest_size: NewSide = 512,
) -> Image:
    """Resize pictures in proportion so that the longer side has a length; 0 leaves them as they are."""
    height, width = image.shape[1:3]
    if largest_size == 0:
        return image
    return resize_pictures(image, *new_size(LongerSide(largest_size), width, height), upscale_method)


@node("ImageScaleToTotalPixels", category="image/upscaling")
def image_scale_to_total_pixels(
    *,
    image: Image,
    upscale_method: UpscaleMethod,
    megapixels: Annotated[float, Widget("number", min=0.01, max=16.0, step=0.01)] = 1.0,
    resolution_steps: Annotated[int, Widget("number", min=1, max=256)] = 1,
) -> Image:
    """Resize pictures in proportion to so many times 1024 x 1024 pixels; both sides become multiples of the steps."""
    height, width = image.shape[1:3]
    factor = (megapixels * MEGAPIXEL / (width * height)) ** 0.5
    columns, rows = (max(1, round(side * factor / resolution_steps)) * resolution_steps for side in (width, height))
    return resize_pictures(image, columns, rows, upscale_method)


@node("ResizeAndPadImage", category="image/transform")
def resize_and_pad_image(
    *,
    image: Image,
    target_width: Side = 512,
    target_height: Side = 512,
    padding_color: Literal["white", "black"],
    interpolation: Literal["area", "bicubic", "nearest-exact", "bilinear", "lanczos"],
) -> Image:
    """Resize pictures in proportion until they touch a frame from inside, and fill the rest of it evenly."""
    height, width = image.shape[1:3]
    factor = min(target_width / width, target_height / height)
    columns, rows = max(1, int(width * factor)), max(1, int(height * factor))
    resized = resize_pictures(image, columns, rows, interpolation)
    return _centred_on(resized, target_width, target_height, COLOURS[padding_color])


@node("ImageStitch", category="image/transform", display_name="Image Stitch")
def image_stitch(
    *,
    image1: Image,
    direction: Literal["right", "down", "left", "up"] = "right",
    match_image_size: bool = True,
    spacing_width: Annotated[int, Widget("number", min=0, max=1024, step=2)] = 0,
    spacing_color: Literal["white", "black", "red", "green", "blue"] = "white",
    image2: Image | None = None,
) -> Image:
    """Put a second picture at a side of the first, with a strip between them.

    The second is resized in proportion to the shared side; otherwise the smaller one gets black borders. A shorter
    batch repeats its last picture.
    """
    if image2 is None:
        return image1
    along = 2 if direction in ("right", "left") else 1
    across = 3 - along
    if match_image_size and image1.shape[across] != image2.shape[across]:
        factor = image1.shape[across] / image2.shape[across]
        height, width = (max(1, round(side * factor)) for side in image2.shape[1:3])
        size = (width, image1.shape[1]) if along == 2 else (image1.shape[2], height)
        image2 = resize_pictures(image2, *size, "lanczos")
    shared = max(image1.shape[across], image2.shape[across])
    count, channels = max(len(image1), len(image2)), max(image1.shape[-1], image2.shape[-1])
    both = [_alike(image, count, channels, (across, shared)) for image in (image1, image2)]
    if spacing_width:
        height, width = (shared, spacing_width) if along == 2 else (spacing_width, shared)
        strip = torch.ones(count, height, width, channels)
        strip[..., :3] = torch.tensor(COLOURS[spacing_color])
        both.insert(1, strip)
    return torch.cat(both if direction in ("right", "down") else both[::-1], along)


@node("ImageFromBatch", category="image/batch")
def image_from_batch(
    *,
    image: Image,
    batch_index: Annotated[int, Widget("number", min=0, max=4095)] = 0,
    length: Count = 1,
) -> Image:
    """Take some pictures out of a batch: as many as there are from the first one on, or its last one."""
    first = min(batch_index, len(image) - 1)
    return image[first : first + length].clone()


@node("RepeatImageBatch", category="image/batch")
def repeat_image_batch(*, image: Image, amount: Count = 1) -> Image:
    """Put a batch several times behind itself."""
    return image.repeat(amount, 1, 1, 1)


@node("RebatchImages", category="image/batch", display_name="Rebatch Images")
def rebatch_images(*, images: list[Image], batch_size: Count = 1) -> list[Image]:
    """Cut a list of batches into batches of another length; pictures of different sizes stay apart."""
    batches: list[list[Image]] = []
    for picture in (one for batch in images for one in batch.split(1)):
        if not batches or len(batches[-1]) == batch_size or batches[-1][0].shape != picture.shape:
            batches.append([])
        batches[-1].append(picture)
    return [torch.cat(batch) for batch in batches]


def _alike(image: Image, count: int, channels: int, side: tuple[int, int]) -> Image:
    """A batch with so many pictures and channels, on black that is as long as `side` (dimension, length) says."""
    image = torch.nn.functional.pad(image, (0, channels - image.shape[-1]), value=1.0)
    if len(image) < count:
        image = torch.cat([image, matched(image[-1:], count - len(image))])
    dimension, length = side
    height, width = (length if index == dimension else image.shape[index] for index in (1, 2))
    return _centred_on(image, width, height, COLOURS["black"])


def _centred_on(image: Image, width: int, height: int, colour: tuple[float, float, float]) -> Image:
    if image.shape[1:3] == (height, width):
        return image
    frame = torch.ones(len(image), height, width, image.shape[-1])
    frame[..., :3] = torch.tensor(colour)
    top, left = (height - image.shape[1]) // 2, (width - image.shape[2]) // 2
    frame[:, top : top + image.shape[1], left : left + image.shape[2]] = image
    return frame
