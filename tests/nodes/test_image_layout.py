"""Pictures are turned, fitted, joined and taken apart, value by value."""

import pytest
import torch
from torch import Tensor

from executor.progress import Unwatched
from nodes.image_layout import (
    get_image_size,
    image_flip,
    image_from_batch,
    image_rotate,
    image_scale_to_max_dimension,
    image_scale_to_total_pixels,
    image_stitch,
    rebatch_images,
    repeat_image_batch,
    resize_and_pad_image,
)


def grey(*rows: list[float], count: int = 1) -> Tensor:
    """Pictures with these rows in every channel."""
    return torch.tensor(rows)[None, :, :, None].repeat(count, 1, 1, 3)


def shown(image: Tensor) -> list[list[float]]:
    """The rows of the first picture's green."""
    return image[0, :, :, 1].tolist()


def test_pictures_are_measured_and_the_editor_is_told() -> None:
    told: list[str] = []

    class Listening(Unwatched):
        def text(self, text: str) -> None:
            told.append(text)

    assert get_image_size(image=torch.zeros(3, 5, 7, 3), progress=Listening()) == (7, 5, 3)
    assert told == ["width: 7, height: 5\n batch size: 3"]


@pytest.mark.parametrize(
    ("turned", "rows"),
    [
        (lambda image: image_flip(image=image, flip_method="x-axis: vertically"), [[4, 5, 6], [1, 2, 3]]),
        (lambda image: image_flip(image=image, flip_method="y-axis: horizontally"), [[3, 2, 1], [6, 5, 4]]),
        (lambda image: image_rotate(image=image, rotation="none"), [[1, 2, 3], [4, 5, 6]]),
        (lambda image: image_rotate(image=image, rotation="90 degrees"), [[4, 1], [5, 2], [6, 3]]),
        (lambda image: image_rotate(image=image, rotation="180 degrees"), [[6, 5, 4], [3, 2, 1]]),
        (lambda image: image_rotate(image=image, rotation="270 degrees"), [[3, 6], [2, 5], [1, 4]]),
    ],
)
def test_pictures_are_mirrored_and_turned_clockwise(turned, rows) -> None:
    assert shown(turned(grey([1.0, 2.0, 3.0], [4.0, 5.0, 6.0]))) == rows


@pytest.mark.parametrize(
    ("width", "height", "largest", "expected"),
    [(8, 4, 16, (16, 8)), (4, 8, 2, (1, 2)), (3, 1000, 10, (1, 10)), (7, 5, 7, (7, 5)), (7, 5, 0, (7, 5))],
)
def test_the_longer_side_gets_a_length(width: int, height: int, largest: int, expected: tuple[int, int]) -> None:
    made = image_scale_to_max_dimension(
        image=torch.zeros(1, height, width, 3), upscale_method="area", largest_size=largest
    )
    assert (made.shape[2], made.shape[1]) == expected


@pytest.mark.parametrize(
    ("width", "height", "megapixels", "steps", "expected"),
    [
        (512, 512, 1.0, 1, (1024, 1024)),
        (512, 256, 0.5, 1, (1024, 512)),
        (300, 200, 0.25, 64, (640, 448)),
        (1, 4, 0.01, 256, (256, 256)),
    ],
)
def test_pictures_get_a_number_of_pixels(width, height, megapixels, steps, expected) -> None:
    made = image_scale_to_total_pixels(
        image=torch.zeros(1, height, width, 3),
        upscale_method="nearest-exact",
        megapixels=megapixels,
        resolution_steps=steps,
    )
    assert (made.shape[2], made.shape[1]) == expected


@pytest.mark.parametrize(
    ("size", "colour", "rows"),
    [
        ((4, 4), "white", [[1, 1, 1, 1], [0.5] * 4, [0.5] * 4, [1, 1, 1, 1]]),
        ((2, 3), "black", [[0, 0], [0.5, 0.5], [0, 0]]),
        ((2, 1), "white", [[0.5, 0.5]]),
        ((3, 1), "black", [[0.5, 0.5, 0]]),
    ],
)
def test_pictures_are_fitted_into_a_frame(size, colour, rows) -> None:
    made = resize_and_pad_image(
        image=grey([0.5, 0.5]),
        target_width=size[0],
        target_height=size[1],
        padding_color=colour,
        interpolation="nearest-exact",
    )
    assert shown(made) == rows


TALL = grey([0.25], [0.25])
LOW = grey([0.75])


@pytest.mark.parametrize(
    ("direction", "match", "spacing", "rows"),
    [
        ("right", False, 0, [[0.25, 0.75], [0.25, 0.0]]),
        ("left", False, 0, [[0.75, 0.25], [0.0, 0.25]]),
        ("down", False, 0, [[0.25], [0.25], [0.75]]),
        ("up", False, 0, [[0.75], [0.25], [0.25]]),
        ("up", True, 2, [[0.75], [1.0], [1.0], [0.25], [0.25]]),
        ("right", False, 2, [[0.25, 1.0, 1.0, 0.75], [0.25, 1.0, 1.0, 0.0]]),
    ],
)
def test_pictures_are_put_side_by_side(direction, match, spacing, rows) -> None:
    made = image_stitch(
        image1=TALL,
        image2=LOW,
        direction=direction,
        match_image_size=match,
        spacing_width=spacing,
        spacing_color="green",
    )
    assert shown(made) == rows


def test_the_second_picture_is_resized_to_the_shared_side_and_a_short_batch_repeats_its_last() -> None:
    first, second = torch.ones(3, 8, 4, 3), torch.full((2, 2, 6, 4), 0.2)
    made = image_stitch(image1=first, image2=second, direction="right", match_image_size=True)
    assert made.shape == (3, 8, 4 + 24, 4)
    assert made[..., :4, 3].eq(1).all(), "what had no transparency is opaque"
    assert torch.allclose(made[2, :, 4:], torch.tensor(0.2), atol=1 / 255)
    assert image_stitch(image1=first, image2=None, direction="up", match_image_size=True) is first


def test_batches_are_taken_apart_repeated_and_cut_anew() -> None:
    batch = torch.arange(5.0)[:, None, None, None].repeat(1, 2, 2, 3)

    def numbers(image: Tensor) -> list[float]:
        return image[:, 0, 0, 0].tolist()

    for first, length, expected in [(0, 1, [0]), (1, 3, [1, 2, 3]), (3, 99, [3, 4]), (99, 2, [4])]:
        assert numbers(image_from_batch(image=batch, batch_index=first, length=length)) == expected
    assert numbers(repeat_image_batch(image=batch[:2], amount=3)) == [0, 1, 0, 1, 0, 1]
    cut = rebatch_images(images=[batch, batch[:2]], batch_size=3)
    assert [numbers(one) for one in cut] == [[0, 1, 2], [3, 4, 0], [1]]
    other = torch.zeros(1, 4, 4, 3)
    assert [len(one) for one in rebatch_images(images=[batch[:1], other, batch[:1]], batch_size=2)] == [1, 1, 1]
