"""Masks are made, loaded and changed, cell by cell."""

from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from executor.folders import Folders
from executor.schema import InputError, RunInfo
from nodes.diffusion.compose import feathered
from nodes.mask import (
    crop_mask,
    feather_mask,
    grow_mask,
    image_color_to_mask,
    image_to_mask,
    invert_mask,
    load_image_mask,
    mask_composite,
    mask_digest,
    mask_preview,
    mask_to_image,
    solid_mask,
    threshold_mask,
)


def dot(size: int = 7) -> torch.Tensor:
    """A mask that is 1 in its middle."""
    mask = torch.zeros(1, size, size)
    mask[0, size // 2, size // 2] = 1
    return mask


def test_masks_and_pictures_turn_into_each_other() -> None:
    mask = solid_mask(value=0.25, width=3, height=2)
    assert mask.shape == (1, 2, 3)
    picture = mask_to_image(mask=invert_mask(mask=mask))
    assert picture.shape == (1, 2, 3, 3)
    assert picture[0, 1, 2].tolist() == [0.75] * 3
    coloured = torch.tensor([0.1, 0.2, 0.3]).expand(1, 2, 3, 3)
    assert image_to_mask(image=coloured, channel="green")[0, 0].tolist() == pytest.approx([0.2] * 3)
    with pytest.raises(InputError, match="no alpha channel"):
        image_to_mask(image=coloured, channel="alpha")


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        ("multiply", [0.6, 0.12, 0.4, 0.08]),
        ("add", [0.6, 0.8, 1.0, 0.6]),
        ("subtract", [0.6, 0.4, 0.0, 0.2]),
        ("and", [0.6, 0.0, 0.0, 0.0]),
        ("or", [0.6, 1.0, 1.0, 0.0]),
        ("xor", [0.6, 1.0, 1.0, 0.0]),
    ],
)
def test_a_mask_is_combined_with_one_that_lies_over_it(operation: str, expected: list[float]) -> None:
    under = torch.tensor([[[0.6, 0.6, 0.4, 0.4]]])
    over = torch.tensor([[[0.2, 1.0, 0.2, 0.9]]])
    made = mask_composite(destination=under, source=over, x=1, y=0, operation=operation)
    assert made.flatten().tolist() == pytest.approx(expected)
    assert under.flatten().tolist() == pytest.approx([0.6, 0.6, 0.4, 0.4])


def test_a_dot_grows_to_a_diamond_or_a_square() -> None:
    assert grow_mask(mask=dot(), expand=2, tapered_corners=True).sum() == 13
    assert grow_mask(mask=dot(), expand=2, tapered_corners=False).sum() == 25
    assert torch.equal(grow_mask(mask=dot(), expand=0), dot())
    assert grow_mask(mask=dot(), expand=16384, tapered_corners=True).min() == 1
    assert grow_mask(mask=dot(), expand=-1, tapered_corners=True).sum() == 0
    assert grow_mask(mask=torch.ones(1, 7, 7), expand=-16384, tapered_corners=True).min() == 1


@given(st.integers(1, 4), st.booleans())
def test_narrowing_is_widening_of_the_inverse(steps: int, tapered: bool) -> None:
    mask = torch.rand(2, 6, 9, generator=torch.Generator().manual_seed(steps))
    narrow = grow_mask(mask=mask, expand=-steps, tapered_corners=tapered)
    assert torch.allclose(narrow, 1 - grow_mask(mask=1 - mask, expand=steps, tapered_corners=tapered))
    assert (narrow <= mask).all()


def test_a_mask_fades_towards_its_borders() -> None:
    faded = feather_mask(mask=torch.ones(1, 3, 6), left=2, top=0, right=4, bottom=0)
    assert faded[0, 1].tolist() == pytest.approx([0.5, 1.0, 1.0, 0.75, 0.5, 0.25])
    assert torch.equal(faded[0], faded[0, :1].expand(3, 6))
    assert feathered(3, 4, 0).tolist() == pytest.approx([0.25, 0.5, 0.75])


def test_a_mask_is_cut_as_far_as_it_lies_inside() -> None:
    mask = torch.arange(6).float().reshape(1, 2, 3)
    assert crop_mask(mask=mask, x=1, y=1, width=9, height=9).tolist() == [[[4, 5]]]
    with pytest.raises(InputError, match="Choose a x below 3"):
        crop_mask(mask=mask, x=3, y=0, width=1, height=1)


def test_a_channel_of_a_picture_is_loaded_as_a_mask(folders: Folders) -> None:
    Image.new("RGBA", (3, 2), (255, 51, 0, 204)).save(folders.input / "a.png")
    for channel, value in {"alpha": 0.2, "red": 1.0, "green": 0.2, "blue": 0.0}.items():
        mask = load_image_mask(image="a.png", channel=channel, folders=folders)
        assert mask.shape == (1, 2, 3)
        assert mask[0, 0, 0] == pytest.approx(value)
    digest = mask_digest(image="a.png", folders=folders)
    Image.new("RGB", (3, 2)).save(folders.input / "a.png")
    assert mask_digest(image="a.png", folders=folders) != digest
    assert not load_image_mask(image="a.png", channel="alpha", folders=folders).any()
    with pytest.raises(InputError, match=r"no picture 'gone\.png'"):
        load_image_mask(image="gone.png", channel="alpha", folders=folders)


def test_a_colour_becomes_a_mask_and_a_threshold_is_passed_only_above() -> None:
    image = torch.tensor([[[255, 128, 0], [255, 128, 1], [254, 128, 0]]])[None].float() / 255
    for color, expected in {0xFF8000: [1, 0, 0], 0xFF8001: [0, 1, 0], 0: [0, 0, 0]}.items():
        assert image_color_to_mask(image=image, color=color)[0, 0].tolist() == expected
    mask = torch.tensor([[[0.0, 0.5, 0.50001, 1.0]]])
    for value, expected in {0.5: [0, 0, 1, 1], 0.0: [0, 1, 1, 1], 1.0: [0, 0, 0, 0]}.items():
        assert threshold_mask(mask=mask, value=value)[0, 0].tolist() == expected


def test_a_mask_is_shown_as_a_picture_that_is_not_kept(tmp_path: Path) -> None:
    folders = Folders(tmp_path / "in", tmp_path / "out", tmp_path / "temp", tmp_path / "user", {})
    shown = mask_preview(mask=torch.tensor([[0.0, 1.0]]), folders=folders, run=RunInfo({}, {}, "1"))
    (entry,) = shown.ui["images"]
    assert entry["type"] == "temp"
    with Image.open(tmp_path / "temp" / entry["filename"]) as picture:
        assert [picture.getpixel((x, 0)) for x in (0, 1)] == [(0, 0, 0), (255, 255, 255)]
