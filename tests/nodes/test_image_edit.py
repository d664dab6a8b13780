"""Pictures are made, resized, cut and put together, value by value."""

import pytest
import torch

from nodes.image_edit import (
    empty_image,
    image_batch,
    image_composite_masked,
    image_crop,
    image_invert,
    image_pad_for_outpaint,
    image_scale,
    image_scale_by,
)

METHODS = ["nearest-exact", "bilinear", "area", "bicubic", "lanczos"]


def columns(*values: float, rows: int = 2) -> torch.Tensor:
    """A picture whose columns have these values in every channel."""
    return torch.tensor(values).reshape(1, 1, -1, 1).expand(1, rows, -1, 3).clone()


def test_a_colour_is_a_number() -> None:
    image = empty_image(width=3, height=2, batch_size=2, color=0xFF8000)
    assert image.shape == (2, 2, 3, 3)
    assert image[1, 1, 2].tolist() == pytest.approx([1.0, 128 / 255, 0.0])


@pytest.mark.parametrize("method", METHODS)
def test_pictures_are_resized(method: str) -> None:
    image = torch.full((2, 4, 8, 3), 0.2)
    for (width, height), shape in {(16, 4): (4, 16), (0, 8): (8, 16), (4, 0): (2, 4)}.items():
        resized = image_scale(image=image, upscale_method=method, width=width, height=height, crop="disabled")
        assert resized.shape == (2, *shape, 3)
        assert torch.allclose(resized, torch.full_like(resized, 0.2), atol=1 / 255)
    assert image_scale(image=image, upscale_method=method, width=0, height=0, crop="center") is image
    assert image_scale_by(image=image, upscale_method=method, scale_by=0.5).shape == (2, 2, 4, 3)


def test_halving_by_area_averages_and_a_centred_crop_drops_the_sides() -> None:
    image = columns(1.0, 0.0, 0.5, 0.5, 0.0, 1.0)
    halved = image_scale(image=image, upscale_method="area", width=3, height=1, crop="disabled")
    assert halved[0, 0, :, 0].tolist() == pytest.approx([0.5, 0.5, 0.5])
    middle = image_scale(image=image, upscale_method="nearest-exact", width=2, height=2, crop="center")
    assert middle[0, 0, :, 0].tolist() == [0.5, 0.5]


def test_inverting_and_cutting() -> None:
    image = columns(0.0, 0.25, 1.0)
    assert image_invert(image=image)[0, 0, :, 0].tolist() == [1.0, 0.75, 0.0]
    assert image_crop(image=image, width=9, height=1, x=1, y=0)[0, :, :, 0].tolist() == [[0.25, 1.0]]
    assert image_crop(image=image, width=9, height=9, x=99, y=99)[0, :, :, 0].tolist() == [[1.0]]


def test_a_batch_has_the_size_of_the_first_and_the_channels_of_both() -> None:
    clear = torch.zeros(1, 4, 12, 4)
    both = image_batch(image1=columns(0.0, 0.25, 1.0), image2=clear)
    assert both.shape == (2, 2, 3, 4)
    assert both[0, 0, 1].tolist() == [0.25, 0.25, 0.25, 1.0]
    assert not both[1].any()


def test_margins_are_grey_and_masked() -> None:
    image, mask = image_pad_for_outpaint(image=columns(1.0, 1.0), left=8, top=0, right=0, bottom=8, feathering=0)
    assert (image.shape, mask.shape) == ((1, 10, 10, 3), (1, 10, 10))
    assert image[0, 0, :, 0].tolist() == [0.5] * 8 + [1.0] * 2
    assert mask[0, 0].tolist() == [1.0] * 8 + [0.0] * 2
    assert mask[0, 2:].min() == 1


def test_the_mask_of_margins_fades_with_the_square_of_the_distance() -> None:
    _, mask = image_pad_for_outpaint(image=torch.ones(1, 16, 16, 3), left=8, top=0, right=8, bottom=0, feathering=4)
    soft = [(4 - distance) ** 2 / 16 for distance in range(4)]
    falling = [(4 - distance) ** 2 / 16 for distance in range(1, 4)]
    expected = [1.0] * 8 + soft + [0.0] * 9 + falling[::-1] + [1.0] * 8
    assert mask[0, 0].tolist() == pytest.approx(expected)
    assert torch.equal(mask[0], mask[0, :1].expand(16, -1))
    _, corner = image_pad_for_outpaint(image=torch.ones(1, 16, 16, 3), left=8, top=8, right=0, bottom=0, feathering=4)
    assert corner[0, 10, 9] == (4 - 1) ** 2 / 16
    _, small = image_pad_for_outpaint(image=torch.ones(1, 8, 8, 3), left=8, top=0, right=0, bottom=0, feathering=4)
    assert small.sum() == 64, "a small picture gets no soft edge"


def test_a_picture_is_pasted_where_the_mask_says() -> None:
    made = image_composite_masked(
        destination=columns(0.0, 0.0, 0.0, 0.0),
        source=columns(1.0, 1.0),
        x=1,
        y=1,
        mask=torch.tensor([[[1.0, 0.25]] * 2]),
    )
    assert made[0, :, :, 0].tolist() == [[0, 0, 0, 0], [0, 1, 0.25, 0]]
    whole = image_composite_masked(
        destination=torch.zeros(3, 4, 4, 4), source=torch.full((1, 2, 2, 3), 0.5), x=0, y=0, resize_source=True
    )
    assert whole.shape == (3, 4, 4, 4)
    assert whole[2, 3, 3].tolist() == [0.5, 0.5, 0.5, 1.0]
