"""Each conditioning node changes what it names, and nothing else."""

from typing import Any

import pytest
import torch

from nodes.conditioning import (
    conditioning_average,
    conditioning_combine,
    conditioning_concat,
    conditioning_set_area,
    conditioning_set_area_percentage,
    conditioning_set_area_strength,
    conditioning_set_mask,
    conditioning_set_timestep_range,
    conditioning_zero_out,
)
from nodes.diffusion.values import Area, Condition, Conditioning


def text(value: float, tokens: int = 2, **rest: Any) -> Condition:
    return Condition(torch.full((1, tokens, 3), value), torch.full((1, 3), -value), **rest)


def values(conditioning: Conditioning) -> list[list[float]]:
    """The value of each token of each condition."""
    return [one.tokens[0, :, 0].tolist() for one in conditioning]


def test_combining_keeps_both() -> None:
    combined = conditioning_combine(conditioning_1=(text(1), text(2)), conditioning_2=(text(3),))
    assert values(combined) == [[1, 1], [2, 2], [3, 3]]


def test_concatenating_appends_the_first_text_to_each() -> None:
    joined = conditioning_concat(
        conditioning_to=(text(1, strength=0.5), text(2)), conditioning_from=(text(7, tokens=1), text(8))
    )
    assert values(joined) == [[1, 1, 7], [2, 2, 7]]
    assert joined[0].strength == 0.5
    assert joined[0].pooled.tolist() == [[-1, -1, -1]]


def test_averaging_mixes_tokens_and_pooled_and_fills_a_shorter_text_with_zeros() -> None:
    (mixed,) = conditioning_average(
        conditioning_to=(text(1, tokens=3, strength=2.0),), conditioning_from=(text(5),), conditioning_to_strength=0.75
    )
    assert mixed.tokens[0, :, 0].tolist() == pytest.approx([2.0, 2.0, 0.75])
    assert mixed.pooled[0].tolist() == pytest.approx([-2.0] * 3)
    assert mixed.strength == 2.0
    (cut,) = conditioning_average(
        conditioning_to=(text(1, tokens=1),), conditioning_from=(text(5),), conditioning_to_strength=0.0
    )
    assert cut.tokens[0, :, 0].tolist() == [5.0]


def test_an_area_in_pixels_becomes_cells() -> None:
    (one,) = conditioning_set_area(conditioning=(text(1),), width=64, height=128, x=72, y=15, strength=0.8)
    assert (one.area, one.strength) == (Area(x=9, y=1, width=8, height=16), 0.8)


def test_an_area_in_shares_stays_shares_and_replaces_the_mask_s_bounds() -> None:
    masked = conditioning_set_mask(
        conditioning=(text(1),), mask=torch.ones(4, 4), strength=0.5, set_cond_area="mask bounds"
    )
    assert masked[0].mask is not None
    assert masked[0].mask.shape == (1, 4, 4)
    assert (masked[0].mask_strength, masked[0].within_mask_bounds) == (0.5, True)
    (one,) = conditioning_set_area_percentage(conditioning=masked, width=0.5, height=1.0, x=0.25, y=0.0, strength=1.0)
    assert (one.area, one.within_mask_bounds) == (Area(0.25, 0.0, 0.5, 1.0, relative=True), False)
    assert one.mask is masked[0].mask


def test_strength_and_moments_are_set_alone() -> None:
    (one,) = conditioning_set_area_strength(conditioning=(text(1, end=0.5),), strength=3.0)
    assert (one.strength, one.area, one.end) == (3.0, None, 0.5)
    (one,) = conditioning_set_timestep_range(conditioning=(one,), start=0.25, end=0.75)
    assert (one.strength, one.start, one.end) == (3.0, 0.25, 0.75)


def test_zeroing_out_leaves_the_shape_and_the_source() -> None:
    source = (text(4, tokens=5, strength=2.0),)
    (one,) = conditioning_zero_out(conditioning=source)
    assert one.tokens.shape == (1, 5, 3)
    assert not one.tokens.any()
    assert not one.pooled.any()
    assert one.strength == 2.0
    assert values(source) == [[4] * 5]
