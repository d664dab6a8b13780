"""The ways to a new size, and what is resized."""

import pytest
import torch

from nodes import transform
from nodes.transform import new_size, resize_image_mask


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        (transform.ByMultiplier(0.5), (60, 40)),
        (transform.ToDimensions(30, 50), (30, 50)),
        (transform.ToDimensions(30, 0), (30, 20)),
        (transform.ToDimensions(0, 20), (30, 20)),
        (transform.ToDimensions(0, 0), (120, 80)),
        (transform.LongerSide(60), (60, 40)),
        (transform.ShorterSide(20), (30, 20)),
        (transform.ShorterSide(0), (120, 80)),
        (transform.ToWidth(12), (12, 8)),
        (transform.ToHeight(8), (12, 8)),
        (transform.TotalPixels(9600 / 1024**2), (120, 80)),
        (transform.TotalPixels(4 * 9600 / 1024**2), (240, 160)),
        (transform.MatchSize(torch.zeros(1, 3, 5, 3)), (5, 3)),
        (transform.MatchSize(torch.zeros(1, 3, 5)), (5, 3)),
    ],
    ids=str,
)
def test_a_way_gives_a_size(how: transform.ResizeType, expected: tuple[int, int]) -> None:
    assert new_size(how, 120, 80) == expected


@pytest.mark.parametrize("method", ["nearest-exact", "bilinear", "area", "bicubic", "lanczos"])
def test_a_picture_and_its_mask_are_resized_alike(method: str) -> None:
    mask = torch.rand(2, 6, 9, generator=torch.Generator().manual_seed(1))
    picture = mask[..., None].expand(-1, -1, -1, 3)
    for how in (transform.ByMultiplier(2.0), transform.ToDimensions(4, 4), transform.ToDimensions(4, 4, "disabled")):
        (resized,) = resize_image_mask(input=picture, resize_type=how, scale_method=method)  # type: ignore[arg-type]
        (alike,) = resize_image_mask(input=mask, resize_type=how, scale_method=method)  # type: ignore[arg-type]
        assert alike.shape == resized.shape[:3]
        assert torch.equal(alike, resized[..., 0])


def test_a_crop_keeps_the_proportions() -> None:
    wide = torch.arange(8.0)[None, None, :].expand(1, 4, 8)
    (cut,) = resize_image_mask(input=wide, resize_type=transform.ToDimensions(4, 4))
    assert cut[0, 0].tolist() == [2, 3, 4, 5]
    (squeezed,) = resize_image_mask(input=wide, resize_type=transform.ToDimensions(4, 4, "disabled"))
    assert squeezed[0, 0].tolist() == [0.5, 2.5, 4.5, 6.5]
