"""Nodes that change the colours of pictures: blending, blur and sharpening, noise, fewer colours, edges, morphology."""

from typing import Annotated, Literal, NamedTuple

import torch

from executor.schema import InputError, Widget
from nodes.declare import node
from nodes.diffusion import filters
from nodes.diffusion.blend import blended
from nodes.diffusion.palette import quantized
from nodes.diffusion.resize import resize_pictures
from nodes.types import Image, Seed

Radius = Annotated[int, Widget("number", min=1, max=31, step=1)]
Share = Annotated[float, Widget("number", min=0.0, max=1.0, step=0.01)]
Threshold = Annotated[float, Widget("number", min=0.01, max=0.99, step=0.01)]


@node("ImageBlend", category="image/postprocessing")
def image_blend(
    *,
    image1: Image,
    image2: Image,
    blend_factor: Share = 0.5,
    blend_mode: Literal["normal", "multiply", "screen", "overlay", "soft_light", "difference"],
) -> Image:
    """Mix a picture with what a blend mode makes of it and a second one, which is resized to it."""
    if image2.shape[1:3] != image1.shape[1:3]:
        image2 = resize_pictures(image2, image1.shape[2], image1.shape[1], "bicubic", crop=True)
    channels = min(image1.shape[-1], image2.shape[-1])
    if len(image2) not in (1, len(image1)) and len(image1) != 1:
        raise InputError("image2", f"It holds {len(image2)} pictures beside {len(image1)}. Use as many, or one.")
    return blended(image1[..., :channels], image2[..., :channels], blend_mode, blend_factor)


@node("ImageBlur", category="image/postprocessing")
def image_blur(
    *,
    image: Image,
    blur_radius: Radius = 1,
    sigma: Annotated[float, Widget("number", min=0.1, max=10.0, step=0.1)] = 1.0,
) -> Image:
    """Blur pictures with a Gaussian."""
    return filters.blurred(image, blur_radius, sigma)


@node("ImageSharpen", category="image/postprocessing")
def image_sharpen(
    *,
    image: Image,
    sharpen_radius: Radius = 1,
    sigma: Annotated[float, Widget("number", min=0.1, max=10.0, step=0.01)] = 1.0,
    alpha: Annotated[float, Widget("number", min=0.0, max=5.0, step=0.01)] = 1.0,
) -> Image:
    """Strengthen what a blur would take away."""
    return filters.sharpened(image, sharpen_radius, sigma, alpha)


@node("ImageQuantize", category="image/postprocessing")
def image_quantize(
    *,
    image: Image,
    colors: Annotated[int, Widget("number", min=1, max=256, step=1)] = 256,
    dither: Literal["none", "floyd-steinberg", "bayer-2", "bayer-4", "bayer-8", "bayer-16"],
) -> Image:
    """Show pictures with few colours, chosen for each."""
    return quantized(image, colors, dither)


@node("ImageAddNoise", category="image")
def image_add_noise(*, image: Image, seed: Seed = 0, strength: Share = 0.5) -> Image:
    """Add Gaussian noise to pictures; the same seed gives the same noise on every machine."""
    noise = torch.randn(image.shape, generator=torch.Generator().manual_seed(seed))
    return (image + strength * noise).clamp(0, 1)


@node("Canny", category="image/preprocessors")
def canny(*, image: Image, low_threshold: Threshold = 0.4, high_threshold: Threshold = 0.8) -> Image:
    """Find the edges of pictures: white on black."""
    if high_threshold < low_threshold:
        raise InputError("high_threshold", f"{high_threshold} is below low_threshold {low_threshold}. Raise it.")
    return filters.canny(image, low_threshold, high_threshold)[..., None].repeat(1, 1, 1, 3)


@node("Morphology", category="image/postprocessing", display_name="ImageMorphology")
def morphology(
    *,
    image: Image,
    operation: Literal["erode", "dilate", "open", "close", "gradient", "bottom_hat", "top_hat"],
    kernel_size: Annotated[int, Widget("number", min=3, max=999, step=1)] = 3,
) -> Image:
    """Grow or shrink what is bright in a picture, or show what that would change."""
    return filters.morphed(image, operation, kernel_size)


class Yuv(NamedTuple):
    """Brightness and colour differences, each as grey pictures."""

    Y: Image
    U: Image
    V: Image


@node("ImageRGBToYUV", category="image/batch")
def image_rgb_to_yuv(*, image: Image) -> Yuv:
    """Take pictures apart into brightness and two colour differences; 0.5 is no difference."""
    return Yuv(*(plane[..., None].repeat(1, 1, 1, 3) for plane in filters.to_ycbcr(image)))


@node("ImageYUVToRGB", category="image/batch")
def image_yuv_to_rgb(*, Y: Image, U: Image, V: Image) -> Image:  # noqa: N803 - the names that saved workflows have
    """Put pictures together from brightness and two colour differences."""
    if not Y.shape[:3] == U.shape[:3] == V.shape[:3]:
        sizes = ", ".join(f"{len(one)} of {one.shape[2]}x{one.shape[1]}" for one in (Y, U, V))
        raise InputError("Y", f"Y, U and V are pictures of one size and number, not {sizes}. Resize them first.")
    return filters.from_ycbcr(*(one[..., :3].mean(-1) for one in (Y, U, V)))
