"""What happens to colours: each effect against its formula, worked out by hand."""

import math

import pytest
import torch
from torch import Tensor

from executor.schema import InputError
from nodes.image_effects import (
    canny,
    image_add_noise,
    image_blend,
    image_blur,
    image_quantize,
    image_rgb_to_yuv,
    image_sharpen,
    image_yuv_to_rgb,
    morphology,
)


def row(*values: float) -> Tensor:
    """One row of grey."""
    return torch.tensor(values)[None, None, :, None].repeat(1, 1, 1, 3)


def values(image: Tensor) -> list[float]:
    """The first row's red."""
    return image[0, 0, :, 0].tolist()


BELOW, ABOVE = (0.2, 0.5, 0.8), (0.6, 0.25, 0.9)


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("normal", (0.6, 0.25, 0.9)),
        ("multiply", (0.12, 0.125, 0.72)),
        ("screen", (0.68, 0.625, 0.98)),
        ("overlay", (0.24, 0.25, 0.96)),
        # D(0.2) = ((16 0.2 - 12) 0.2 + 4) 0.2 = 0.448; below a half the other branch holds; D(0.8) = sqrt(0.8)
        ("soft_light", (0.2 + 0.2 * (0.448 - 0.2), 0.5 - 0.5 * 0.5 * 0.5, 0.8 + 0.8 * (math.sqrt(0.8) - 0.8))),
        ("difference", (0.4, 0.25, 0.1)),
    ],
)
def test_blend_modes_follow_their_formulas(mode: str, expected: tuple[float, ...]) -> None:
    whole = image_blend(image1=row(*BELOW), image2=row(*ABOVE), blend_factor=1.0, blend_mode=mode)
    assert values(whole) == pytest.approx(expected, abs=1e-6)
    half = image_blend(image1=row(*BELOW), image2=row(*ABOVE), blend_factor=0.5, blend_mode=mode)
    assert values(half) == pytest.approx([(a + b) / 2 for a, b in zip(BELOW, expected, strict=True)], abs=1e-6)
    none = image_blend(image1=row(*BELOW), image2=row(*ABOVE), blend_factor=0.0, blend_mode=mode)
    assert values(none) == pytest.approx(BELOW)


def test_the_second_picture_is_resized_and_batches_must_agree() -> None:
    made = image_blend(
        image1=torch.zeros(2, 4, 6, 3), image2=torch.ones(1, 8, 8, 4), blend_factor=1.0, blend_mode="normal"
    )
    assert made.shape == (2, 4, 6, 3)
    assert torch.allclose(made, torch.ones(()))
    with pytest.raises(InputError, match=r"It holds 3 pictures beside 2\. Use as many, or one\."):
        image_blend(image1=torch.zeros(2, 1, 1, 3), image2=torch.zeros(3, 1, 1, 3), blend_mode="normal")


def test_a_blur_spreads_a_point_as_the_gaussian_says_and_keeps_what_is_even() -> None:
    weights = [math.exp(-(x**2) / (2 * 0.8**2)) for x in range(-2, 3)]
    weights = [weight / sum(weights) for weight in weights]
    point = torch.zeros(1, 9, 9, 3)
    point[:, 4, 4] = 1
    blurred = image_blur(image=point, blur_radius=2, sigma=0.8)
    assert torch.allclose(blurred[0, 2:7, 2:7, 1], torch.outer(torch.tensor(weights), torch.tensor(weights)), atol=1e-6)
    assert blurred.sum() == pytest.approx(3, abs=1e-4)
    for size in [(1, 1), (1, 2), (3, 40)]:  # far smaller than the radius
        even = torch.full((2, *size, 3), 0.3)
        assert torch.allclose(image_blur(image=even, blur_radius=31, sigma=10.0), even, atol=1e-5)


def test_the_border_is_mirrored() -> None:
    weights = [math.exp(-0.5), 1.0, math.exp(-0.5)]
    side, middle = (weight / sum(weights) for weight in weights[:2])
    blurred = image_blur(image=row(1.0, 0.0, 0.0), blur_radius=1, sigma=1.0)
    assert values(blurred) == pytest.approx([middle, side, 0.0], abs=1e-6)


def test_sharpening_adds_what_a_blur_takes_away() -> None:
    image = torch.rand(1, 7, 7, 3, generator=torch.Generator().manual_seed(1))
    blurred = image_blur(image=image, blur_radius=2, sigma=1.5)
    sharp = image_sharpen(image=image, sharpen_radius=2, sigma=1.5, alpha=0.7)
    assert torch.allclose(sharp, (image + 0.7 * (image - blurred)).clamp(0, 1), atol=1e-6)
    assert torch.equal(image_sharpen(image=image, sharpen_radius=2, sigma=1.5, alpha=0.0), image)


@pytest.mark.parametrize("dither", ["none", "floyd-steinberg", "bayer-2", "bayer-4", "bayer-8", "bayer-16"])
def test_few_colours_are_left_and_dithering_keeps_the_mean(dither: str) -> None:
    ramp = torch.linspace(0, 1, 64)[None, None, :, None].repeat(2, 40, 1, 3)
    for colours in (2, 5, 256):
        made = image_quantize(image=ramp, colors=colours, dither=dither)
        assert made.shape == ramp.shape
        assert len({tuple(pixel) for pixel in made[0].reshape(-1, 3).tolist()}) <= colours
        assert made.mean() == pytest.approx(0.5, abs=0.06)
    assert len(image_quantize(image=ramp, colors=1, dither=dither)[0].reshape(-1, 3).unique(dim=0)) == 1


def test_noise_comes_from_the_seed_alone() -> None:
    image = torch.full((2, 64, 64, 3), 0.5)
    made = image_add_noise(image=image, seed=7, strength=0.05)
    assert torch.equal(made, image_add_noise(image=image, seed=7, strength=0.05))
    assert not torch.equal(made, image_add_noise(image=image, seed=8, strength=0.05))
    assert (made - image).std().item() == pytest.approx(0.05, rel=0.05)
    assert torch.equal(image_add_noise(image=image, seed=7, strength=0.0), image)
    assert not torch.equal(made[0], made[1])


PLATEAU = (0.0, 0.0, 1.0, 1.0, 1.0, 0.0, 0.5, 0.0, 0.0)


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        ("erode", (0, 0, 0, 1, 0, 0, 0, 0, 0)),
        ("dilate", (0, 1, 1, 1, 1, 1, 0.5, 0.5, 0)),
        ("open", (0, 0, 1, 1, 1, 0, 0, 0, 0)),
        ("close", (0, 0, 1, 1, 1, 0.5, 0.5, 0, 0)),
        ("gradient", (0, 1, 1, 0, 1, 1, 0.5, 0.5, 0)),
        ("top_hat", (0, 0, 0, 0, 0, 0, 0.5, 0, 0)),
        ("bottom_hat", (0, 0, 0, 0, 0, 0.5, 0, 0, 0)),
    ],
)
def test_morphology_with_a_square_of_three(operation: str, expected: tuple[float, ...]) -> None:
    image = torch.tensor(PLATEAU)[None, None, :, None].repeat(1, 3, 1, 3)
    assert values(morphology(image=image, operation=operation, kernel_size=3)) == list(expected)
    assert morphology(image=image, operation=operation, kernel_size=4).shape == image.shape


def test_an_opening_with_an_even_square_leaves_things_where_they_are() -> None:
    image = torch.zeros(1, 12, 12, 3)
    image[:, 4:8, 3:7] = 1
    assert torch.equal(morphology(image=image, operation="open", kernel_size=4), image)
    assert torch.equal(morphology(image=image, operation="close", kernel_size=4), image)


def test_edges_are_where_the_step_is_and_one_pixel_wide() -> None:
    image = torch.zeros(1, 12, 12, 3)
    image[:, :, 6:] = 1
    edges = canny(image=image)
    assert edges.shape == image.shape
    assert set(edges.unique().tolist()) == {0.0, 1.0}
    assert edges[0, :, :, 0].sum(1).eq(1).all(), "one pixel in each row"
    assert edges[0, :, 5:7].sum() == edges.sum(), "at the step"
    assert not canny(image=torch.full((2, 5, 5, 3), 0.7), low_threshold=0.1, high_threshold=0.2).any()


def test_a_weak_edge_counts_where_it_is_connected_to_a_strong_one() -> None:
    image = torch.zeros(1, 40, 12, 3)
    image[:, :, 6:] = torch.linspace(0.6, 0.1, 40)[None, :, None, None]
    strong = canny(image=image, low_threshold=0.9, high_threshold=0.9)[0, :, :, 0].any(1)
    connected = canny(image=image, low_threshold=0.1, high_threshold=0.9)[0, :, :, 0].any(1)
    assert 0 < strong.sum() < 40
    assert connected.all()
    alone = canny(image=image[:, 30:], low_threshold=0.1, high_threshold=0.9)
    assert not alone.any()
    with pytest.raises(InputError, match=r"0\.2 is below low_threshold 0\.5\. Raise it\."):
        canny(image=image, low_threshold=0.5, high_threshold=0.2)


@pytest.mark.parametrize(
    ("rgb", "yuv"),
    [
        ((0.0, 0.0, 0.0), (0.0, 0.5, 0.5)),
        ((1.0, 1.0, 1.0), (1.0, 0.5, 0.5)),
        ((1.0, 0.0, 0.0), (0.299, 0.5 - 0.299 / 1.772, 1.0)),
        ((0.0, 0.0, 1.0), (0.114, 1.0, 0.5 - 0.114 / 1.402)),
    ],
)
def test_colours_become_brightness_and_differences_and_come_back(rgb, yuv) -> None:
    image = torch.tensor(rgb).expand(2, 3, 4, 3)
    planes = image_rgb_to_yuv(image=image)
    assert [plane.shape for plane in planes] == [(2, 3, 4, 3)] * 3
    assert [plane[1, 2, 3, 2].item() for plane in planes] == pytest.approx(yuv, abs=1e-6)
    assert torch.allclose(image_yuv_to_rgb(Y=planes.Y, U=planes.U, V=planes.V), image, atol=1e-6)
    with pytest.raises(InputError, match="not 2 of 4x3, 1 of 4x3, 2 of 4x3"):
        image_yuv_to_rgb(Y=planes.Y, U=planes.U[:1], V=planes.V)
