"""FreeU and Deep Shrink do to feature maps what their papers say."""

from typing import Any

import pytest
import torch
from diffusers.utils.torch_utils import apply_freeu
from torch import Tensor

from nodes.diffusion.patches.contract import Alteration, Call, Place
from nodes.diffusion.patches.features import Downscaled, FreeU
from tests.nodes.diffusion.patches.small_unet import call_of, predict, small_unet

B, S = (1.3, 1.4), (0.9, 0.2)
OUT = Place("output", 0)


@pytest.mark.parametrize("size", [(16, 16), (13, 9)])
@pytest.mark.parametrize("level", [0, 1])
def test_the_first_freeu_is_that_of_diffusers(level: int, size: tuple[int, int]) -> None:
    channels = (128, 64)[level]
    h, kept = torch.randn(2, channels, *size), torch.randn(2, 48, *size)
    given = h.clone(), kept.clone()
    made = FreeU(B, S, by_structure=False).before_output(h, kept, OUT, call_of(h))
    assert torch.equal(h, given[0]), "what is given is not written to"
    expected = apply_freeu(level, *given, b1=B[0], b2=B[1], s1=S[0], s2=S[1])
    for one, other in zip(made, expected, strict=True):
        assert torch.allclose(one, other, atol=1e-5)


def test_the_second_freeu_counts_in_full_where_the_mean_is_highest() -> None:
    h, kept = torch.randn(2, 64, 6, 5), torch.randn(2, 8, 6, 5)
    made, _ = FreeU(B, S, by_structure=True).before_output(h, kept, OUT, call_of(h))
    for index in range(2):
        mean = h[index].mean(0)
        share = (mean - mean.min()) / (mean.max() - mean.min())
        expected = h[index, :32] * ((B[1] - 1) * share + 1)
        assert torch.allclose(made[index, :32], expected, atol=1e-5)
        assert torch.equal(made[index, 32:], h[index, 32:])


def test_freeu_leaves_other_widths_and_neutral_factors_alone() -> None:
    h, kept = torch.randn(1, 32, 4, 4), torch.randn(1, 8, 4, 4)
    assert FreeU(B, S, by_structure=False).before_output(h, kept, OUT, call_of(h)) == (h, kept)
    unet = small_unet("sdxl")
    for by_structure in (False, True):
        assert torch.equal(predict(unet, FreeU((1.0, 1.0), (1.0, 1.0), by_structure)), predict(unet))
        assert not torch.allclose(predict(unet, FreeU(B, S, by_structure)), predict(unet), atol=1e-3)


class Sizes(Alteration):
    """Notes the sizes that blocks work at."""

    def __init__(self) -> None:
        self.found: dict[Any, tuple[int, ...]] = {}

    def after_input(self, h: Tensor, place: Place, call: Call) -> Tensor:
        self.found[place.number] = tuple(h.shape[-2:])
        return h

    def before_output(self, h: Tensor, kept: Tensor, place: Place, call: Call) -> tuple[Tensor, Tensor]:
        self.found["out", place.number] = tuple(h.shape[-2:])
        return h, kept


@pytest.mark.parametrize("method", ["bicubic", "nearest-exact", "bilinear", "area", "bislerp"])
@pytest.mark.parametrize("after_skip", [True, False])
def test_deep_blocks_work_on_smaller_maps_in_the_chosen_range(method: str, after_skip: bool) -> None:
    unet, sizes = small_unet(), Sizes()
    shrunk = Downscaled(1, 2.0, 0.0, 0.35, after_skip, method, method)
    small, whole = (6, 4), (12, 8)
    made = predict(unet, shrunk, sizes, level=14.0)
    assert made.shape[-2:] == whole
    assert sizes.found[0] == whole
    assert sizes.found[1] == (whole if after_skip else small)
    assert sizes.found[2] == (3, 2), "the next level halves what is left"
    assert sizes.found["out", 2] == (whole if after_skip else small)
    assert sizes.found["out", 3] == whole
    assert not torch.allclose(made, predict(unet, level=14.0), atol=1e-3)
    assert torch.equal(predict(unet, shrunk, level=0.1), predict(unet)), "late steps see the whole map"
    assert torch.equal(predict(unet, Downscaled(1, 1.0, 0.0, 1.0, after_skip, method, method)), predict(unet))
