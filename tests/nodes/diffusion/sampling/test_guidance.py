"""Several conditions are averaged by weight, each in its place and time, and guidance compares like with like.

The network here says of every cut that its clean latent is the mean of the condition's tokens.
"""

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from nodes.diffusion.sampling.guidance import CfgGuider, DualCfgGuider, Guider, Predictions
from nodes.diffusion.sampling.prediction import make_discrete, make_flow
from nodes.diffusion.sampling.regions import Box, lay_out
from nodes.diffusion.values import Area, Condition, Conditioning, Model

SIDE = 16
SIGMA = 0.5
LATENT = torch.zeros(1, 2, SIDE, SIDE)


class Constant:
    """A network that predicts the flow towards the mean of the tokens; records the shapes it sees."""

    device = torch.device("cpu")
    dtype = torch.float32

    def __init__(self) -> None:
        self.seen: list[tuple[int, ...]] = []

    def module(self, x: Tensor, timestep: Tensor, encoder_hidden_states: Tensor, **_: Any) -> tuple[Tensor]:
        self.seen.append(tuple(x.shape))
        clean = encoder_hidden_states.mean(dim=(1, 2)).reshape(-1, 1, 1, 1)
        return ((x - clean) / (timestep / 1000).reshape(-1, 1, 1, 1),)


@pytest.fixture
def network() -> Constant:
    return Constant()


def model(network: Constant) -> Model:
    return Model(network, make_flow(1.0), 1.0, None)  # type: ignore[arg-type]


def says(value: float, tokens: int = 3, **where: Any) -> Condition:
    return Condition(torch.full((1, tokens, 4), value), torch.zeros(1, 4), **where)


def predict(network: Constant, *conditions: Condition, sigma: float = SIGMA, latent: Tensor = LATENT) -> Tensor:
    """The (h, w) prediction of one group."""
    x = torch.randn(latent.shape, generator=torch.Generator().manual_seed(0))
    (result,) = Predictions(model(network), (conditions,), latent)(x, sigma, (0,))
    assert torch.allclose(result[:, :1], result[:, 1:], atol=1e-5)
    return result[0, 0]


RIGHT = torch.cat([torch.zeros(1, 32, 16), torch.ones(1, 32, 16)], dim=2)


def check_row(result: Tensor, expected: list[float]) -> None:
    """Every row of (h, w) `result` is `expected`."""
    assert result[0].tolist() == pytest.approx(expected, abs=1e-5)
    assert torch.allclose(result, result[:1].expand_as(result), atol=1e-5)


def test_two_conditions_are_averaged_by_strength(network: Constant) -> None:
    check_row(predict(network, says(1.0), says(5.0, strength=3.0)), [4.0] * SIDE)
    assert network.seen == [(2, 2, SIDE, SIDE)], "conditions of one shape go through the network in one batch"


def test_an_area_rises_over_a_quarter_of_its_side_from_its_inner_border(network: Constant) -> None:
    right = says(3.0, area=Area(8, 0, 8, SIDE))
    mixed = [(1 + 3 * weight) / (1 + weight) for weight in (0.5, 1, 1, 1, 1, 1, 1, 1)]
    check_row(predict(network, says(1.0), right), [1.0] * 8 + mixed)
    assert network.seen == [(1, 2, SIDE, SIDE), (1, 2, SIDE, 8)], "a condition with an area sees its cut only"


def test_the_ramp_of_an_area_is_never_longer_than_eight_cells() -> None:
    (region,), *_ = lay_out([(says(1.0, area=Area(8, 0, 64, 8)),)], torch.zeros(1, 1, 8, 80), make_flow(1.0))
    expected = [step / 8 for step in range(1, 9)]
    assert region.weight[0, 0, 0].tolist() == pytest.approx([*expected, *[1.0] * 48, *reversed(expected)])


def test_where_no_condition_counts_nothing_is_predicted(network: Constant) -> None:
    check_row(predict(network, says(3.0, area=Area(0, 0, 4, SIDE), strength=0.5)), [3.0] * 4 + [0.0] * 12)
    check_row(predict(network, says(3.0, strength=0.0)), [0.0] * SIDE)


def test_an_area_in_shares_follows_the_latents_size(network: Constant) -> None:
    share = says(2.0, area=Area(0.5, 0.0, 0.25, 1.0, relative=True))
    check_row(predict(network, share), [0.0] * 8 + [2.0] * 4 + [0.0] * 4)
    wide = predict(network, says(2.0, area=Area(0.5, 0, 0.25, 1, relative=True)), latent=torch.zeros(1, 2, 8, 32))
    check_row(wide, [0.0] * 16 + [2.0] * 8 + [0.0] * 8)


def test_an_area_is_cut_at_the_border_and_refused_beyond_it(network: Constant) -> None:
    check_row(predict(network, says(2.0, area=Area(12, 0, 100, 100))), [0.0] * 12 + [2.0] * 4)
    with pytest.raises(ValueError, match=r"begins at cell \(16, 0\), outside the latent of 16 x 16 cells"):
        predict(network, says(2.0, area=Area(SIDE, 0, 8, 8)))


def test_a_mask_weighs_every_cell(network: Constant) -> None:
    mask = torch.zeros(1, 32, 32)
    mask[:, :, 16:] = 1.0
    masked = says(4.0, mask=mask, mask_strength=3.0)
    check_row(predict(network, says(0.0), masked), [0.0] * 8 + [3.0] * 8)
    assert network.seen == [(2, 2, SIDE, SIDE)]


def test_a_mask_in_bounds_is_seen_as_a_cut_without_a_ramp(network: Constant) -> None:
    mask = torch.zeros(1, SIDE, SIDE)
    mask[:, 2:12, 5:15] = 0.5
    result = predict(network, says(0.0), says(3.0, mask=mask, within_mask_bounds=True))
    assert network.seen == [(1, 2, SIDE, SIDE), (1, 2, 10, 10)]
    assert torch.allclose(result[2:12, 5:15], torch.ones(10, 10), atol=1e-5)
    assert result[mask[0] == 0].abs().max() < 1e-5


@pytest.mark.parametrize(
    ("others", "expected", "passes"),
    [
        ([], [1.0] * 16, 1),
        ([says(4.0)], [4.0] * 16, 1),
        ([says(4.0, mask=RIGHT)], [1.0] * 8 + [4.0] * 8, 2),
        ([says(4.0, mask=RIGHT, mask_strength=0.25)], [1.0] * 8 + [1.75] * 8, 2),
        ([says(4.0, mask=RIGHT, mask_strength=0.5), says(3.0, mask=RIGHT)], [1.0] * 8 + [10 / 3] * 8, 3),
        ([says(4.0, start=0.9)], [1.0] * 16, 1),
    ],
)
def test_a_default_counts_where_the_others_leave_room(
    others: list[Condition], expected: list[float], passes: int, network: Constant
) -> None:
    check_row(predict(network, says(1.0, default=True), *others), expected)
    assert sum(seen[0] for seen in network.seen) == passes, "a default with no room is not computed"


def test_an_empty_mask_in_bounds_counts_nowhere(network: Constant) -> None:
    empty = says(3.0, mask=torch.zeros(1, SIDE, SIDE), within_mask_bounds=True)
    check_row(predict(network, says(1.0), empty), [1.0] * SIDE)
    assert network.seen[1] == (1, 2, 8, 8)


def test_each_latent_of_a_batch_has_its_mask(network: Constant) -> None:
    masks = torch.stack([torch.zeros(SIDE, SIDE), torch.ones(SIDE, SIDE)])
    latent = torch.zeros(2, 2, SIDE, SIDE)
    (result,) = Predictions(model(network), ((says(0.0), says(2.0, mask=masks)),), latent)(latent, SIGMA, (0,))
    assert [float(one.mean()) for one in result] == pytest.approx([0.0, 1.0])


@pytest.mark.parametrize(
    ("start", "end", "sigma", "counts"),
    [
        (0.0, 1.0, 1e9, True),
        (0.0, 1.0, 0.0, True),
        (0.25, 0.75, 0.8, False),
        (0.25, 0.75, 0.75, True),
        (0.25, 0.75, 0.25, True),
        (0.25, 0.75, 0.2, False),
        (0.0, 0.0, 0.999, False),
        (1.0, 1.0, 0.001, False),
    ],
)
def test_a_condition_counts_between_its_moments(start: float, end: float, sigma: float, counts: bool) -> None:
    ((region,),) = lay_out([(says(1.0, start=start, end=end),)], LATENT, make_flow(1.0))
    assert region.active(sigma) is counts


def test_the_moments_of_a_trained_schedule_are_its_steps() -> None:
    sampling = make_discrete("eps", 0.00085, 0.012)
    ((region,),) = lay_out([(says(1.0, start=0.2, end=0.6),)], LATENT, sampling)
    assert (region.first, region.last) == (sampling.level_at(0.2), sampling.level_at(0.6))
    assert float(sampling.table[799]) < region.first < float(sampling.table[800])


def test_a_condition_out_of_time_costs_nothing(network: Constant) -> None:
    check_row(predict(network, says(1.0), says(3.0, end=0.1)), [1.0] * SIDE)
    assert network.seen == [(1, 2, SIDE, SIDE)]


def test_guidance_compares_an_area_with_the_same_cut_under_the_other_text(network: Constant) -> None:
    positive = (says(1.0), says(3.0, area=Area(8, 0, 8, SIDE), strength=0.5, start=0.1))
    ours, theirs = lay_out([positive, (says(-1.0),)], LATENT, make_flow(1.0))
    assert [region.box for region in ours] == [Box(0, 0, SIDE, SIDE), Box(0, 8, SIDE, 8)]
    assert [region.box for region in theirs] == [region.box for region in ours]
    assert [float(region.condition.tokens.mean()) for region in theirs] == [-1.0, -1.0]
    assert torch.equal(theirs[1].weight, ours[1].weight)
    assert theirs[1].first == ours[1].first
    CfgGuider(model(network), positive, (says(-1.0),), 4.0).denoiser(LATENT)(LATENT, SIGMA)
    assert network.seen == [(2, 2, SIDE, SIDE), (2, 2, SIDE, 8)]


def test_the_counterpart_speaks_the_text_of_the_smallest_area_around_it() -> None:
    negative = (says(-1.0), says(-2.0, area=Area(4, 0, 12, SIDE)), says(-3.0, area=Area(0, 0, 4, 4)))
    _, theirs = lay_out([(says(1.0, area=Area(8, 0, 8, SIDE)),), negative], LATENT, make_flow(1.0))
    assert theirs[3].box == Box(0, 8, SIDE, 8)
    assert float(theirs[3].condition.tokens.mean()) == -2.0


def test_equal_areas_need_no_counterpart() -> None:
    area = Area(8, 0, 8, SIDE)
    ours, theirs = lay_out([(says(1.0, area=area),), (says(-1.0, area=area),)], LATENT, make_flow(1.0))
    assert (len(ours), len(theirs)) == (1, 1)


def guided(guider: Guider) -> float:
    return float(guider.denoiser(LATENT)(LATENT, SIGMA).mean())


def test_guidance_scales_the_difference(network: Constant) -> None:
    one, two, none = (says(1.0),), (says(3.0, tokens=2),), (says(-1.0, tokens=5),)
    assert guided(CfgGuider(model(network), one, none, 4.0)) == pytest.approx(-1 + 4 * 2)
    assert network.seen == [(2, 2, SIDE, SIDE)]
    dual = DualCfgGuider(model(network), one, two, none, cfg_first=3.0, cfg_second=2.0)
    assert guided(dual) == pytest.approx(-1 + 2 * (3 + 1) + 3 * (1 - 3))
    assert guided(replace(dual, nested=True)) == pytest.approx(-1 + 2 * (3 + 3 * (1 - 3) + 1))


def test_without_a_negative_the_unconditional_prediction_is_zero(network: Constant) -> None:
    denoiser = CfgGuider(model(network), (says(2.0),), (), 1.0).denoiser(LATENT)
    assert [float(one.mean()) for one in denoiser.pair(LATENT, SIGMA)] == pytest.approx([2.0, 0.0])
    assert float(denoiser(LATENT, SIGMA).mean()) == pytest.approx(2.0)


areas = st.builds(Area, st.integers(0, SIDE - 1), st.integers(0, SIDE - 1), st.integers(1, SIDE), st.integers(1, SIDE))
conditions = st.builds(
    says,
    st.floats(-3, 3),
    area=st.none() | areas,
    strength=st.floats(0.01, 10),
    tokens=st.integers(1, 3),
)


@given(st.lists(conditions, min_size=1, max_size=4))
def test_a_prediction_lies_between_those_that_it_is_made_of(some: list[Condition]) -> None:
    group: Conditioning = (says(0.0), *some)
    result = predict(Constant(), *group)
    values = [float(one.tokens.mean()) for one in group]
    assert min(values) - 1e-4 <= float(result.min())
    assert float(result.max()) <= max(values) + 1e-4
    assert math.isfinite(float(result.sum()))
