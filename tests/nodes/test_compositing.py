"""Pictures with transparency: all operators at one pixel, against Porter and Duff's table."""

import pytest
import torch
from torch import Tensor

from nodes.compositing import join_image_with_alpha, porter_duff_image_composite, split_image_with_alpha

S, SA, D, DA = 0.8, 0.5, 0.4, 0.75
"""Colour and alpha of source and destination."""
SP, DP = S * SA, D * DA
OVER = SA + DA - SA * DA

# mode -> (colour multiplied by alpha, alpha)
EXPECTED = {
    "ADD": (min(1, SP + DP), min(1, SA + DA)),
    "CLEAR": (0, 0),
    "DARKEN": (SP * (1 - DA) + DP * (1 - SA) + min(SP * DA, DP * SA), OVER),
    "DST": (DP, DA),
    "DST_ATOP": (DP * SA + SP * (1 - DA), SA),
    "DST_IN": (DP * SA, DA * SA),
    "DST_OUT": (DP * (1 - SA), DA * (1 - SA)),
    "DST_OVER": (DP + SP * (1 - DA), OVER),
    "LIGHTEN": (SP * (1 - DA) + DP * (1 - SA) + max(SP * DA, DP * SA), OVER),
    "MULTIPLY": (SP * DP, SA * DA),
    "OVERLAY": (SP * (1 - DA) + DP * (1 - SA) + SA * DA - 2 * (SA - SP) * (DA - DP), OVER),
    "SCREEN": (SP + DP - SP * DP, OVER),
    "SRC": (SP, SA),
    "SRC_ATOP": (SP * DA + DP * (1 - SA), DA),
    "SRC_IN": (SP * DA, SA * DA),
    "SRC_OUT": (SP * (1 - DA), SA * (1 - DA)),
    "SRC_OVER": (SP + DP * (1 - SA), OVER),
    "XOR": (SP * (1 - DA) + DP * (1 - SA), SA + DA - 2 * SA * DA),
}


def picture(value: float, count: int = 1, height: int = 2, width: int = 3) -> Tensor:
    return torch.full((count, height, width, 3), value)


def clear(alpha: float, count: int = 1, height: int = 2, width: int = 3) -> Tensor:
    """The mask of pictures of this alpha."""
    return torch.full((count, height, width), 1 - alpha)


@pytest.mark.parametrize("mode", sorted(EXPECTED))
def test_an_operator_gives_what_its_formula_says(mode: str) -> None:
    colours, mask = porter_duff_image_composite(
        source=picture(S), source_alpha=clear(SA), destination=picture(D), destination_alpha=clear(DA), mode=mode
    )
    colour, alpha = EXPECTED[mode]
    assert (1 - mask).unique().tolist() == pytest.approx([alpha], abs=1e-6)
    plain = 0 if mode in ("CLEAR",) else min(1, colour / alpha)
    if mode == "OVERLAY":
        below = 2 * DP <= DA
        both = 2 * SP * DP if below else SA * DA - 2 * (SA - SP) * (DA - DP)
        plain = (SP * (1 - DA) + DP * (1 - SA) + both) / OVER
    assert colours.unique().tolist() == pytest.approx([plain], abs=1e-6)


def test_sizes_and_numbers_follow_the_destination_and_the_shorter_batch() -> None:
    colours, mask = porter_duff_image_composite(
        source=picture(1.0, 3, 4, 4),
        source_alpha=clear(1.0, 1, 8, 8),
        destination=picture(0.0, 2, 5, 6),
        destination_alpha=clear(1.0, 3, 2, 2),
        mode="SRC_OVER",
    )
    assert (colours.shape, mask.shape) == ((2, 5, 6, 3), (2, 5, 6))
    assert colours.eq(1).all()
    assert not mask.any()


def test_transparency_is_taken_off_and_put_on() -> None:
    image = torch.rand(2, 4, 5, 4, generator=torch.Generator().manual_seed(3))
    colours, mask = split_image_with_alpha(image=image)
    assert torch.equal(colours, image[..., :3])
    assert torch.allclose(mask, 1 - image[..., 3])
    assert torch.allclose(join_image_with_alpha(image=colours, alpha=mask), image)
    assert not split_image_with_alpha(image=colours).MASK.any(), "a picture without transparency is opaque"
    large = join_image_with_alpha(image=colours, alpha=torch.ones(3, 8, 10))
    assert large.shape == (2, 4, 5, 4)
    assert not large[..., 3].any()
