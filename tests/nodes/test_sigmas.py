"""Schedules that are made and cut by nodes, against closed forms."""

import math

import pytest
import torch
from torch import Tensor

from executor.schema import InputError
from nodes.diffusion.memory.network import Network
from nodes.diffusion.sampling.prediction import make_discrete
from nodes.diffusion.sampling.schedules import SCHEDULERS
from nodes.diffusion.values import VAE, Model
from nodes.sigmas import (
    basic_scheduler,
    beta_sampling_scheduler,
    exponential_scheduler,
    extend_intermediate_sigmas,
    flip_sigmas,
    karras_scheduler,
    laplace_scheduler,
    manual_sigmas,
    polyexponential_scheduler,
    sampling_percent_to_sigma,
    sd_turbo_scheduler,
    set_first_sigma,
    split_sigmas,
    split_sigmas_denoise,
    vp_scheduler,
)

SAMPLING = make_discrete("eps", 0.00085, 0.012)


@pytest.fixture
def model() -> Model:
    network = Network("unet", torch.nn.Identity(), {})
    return Model(network, SAMPLING, 1.0, VAE(network, 4, 8))


def check(sigmas: Tensor, expected: list[float]) -> None:
    assert sigmas.dtype is torch.float32
    assert sigmas.tolist() == pytest.approx(expected, rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("scheduler", sorted(SCHEDULERS))
def test_less_denoising_takes_the_last_steps_of_a_longer_schedule(model: Model, scheduler: str) -> None:
    part = basic_scheduler(model=model, scheduler=scheduler, steps=5, denoise=0.5)
    assert torch.equal(part, SCHEDULERS[scheduler](SAMPLING, 10)[-6:])
    assert len(basic_scheduler(model=model, scheduler=scheduler, steps=5, denoise=0.0)) == 0


def test_between_two_levels_schedules_follow_their_formulas() -> None:
    ends = {"steps": 3, "sigma_max": 16.0, "sigma_min": 1.0}
    check(exponential_scheduler(**ends), [16.0, 4.0, 1.0, 0.0])
    check(karras_scheduler(**ends, rho=2.0), [16.0, 2.5**2, 1.0, 0.0])
    check(polyexponential_scheduler(**ends, rho=1.0), [16.0, 4.0, 1.0, 0.0])
    check(polyexponential_scheduler(**ends, rho=2.0), [16.0, 2.0, 1.0, 0.0])
    check(laplace_scheduler(**ends, mu=math.log(3.0), beta=0.5), [16.0, 3.0, 1.0])
    quarter = laplace_scheduler(steps=5, sigma_max=16.0, sigma_min=0.1, mu=0.0, beta=1.0)
    assert quarter[1:4].tolist() == pytest.approx([2.0, 1.0, 0.5], rel=1e-4)


def test_the_variance_preserving_schedule_ends_at_its_smallest_time() -> None:
    sigmas = vp_scheduler(steps=2, beta_d=2.0, beta_min=1.0, eps_s=0.5)
    check(sigmas, [math.sqrt(math.e**2 - 1), math.sqrt(math.exp(0.75) - 1), 0.0])


def test_the_beta_schedule_with_its_usual_shape_is_that_of_the_combo(model: Model) -> None:
    assert torch.equal(
        beta_sampling_scheduler(model=model, steps=7, alpha=0.6, beta=0.6), SCHEDULERS["beta"](SAMPLING, 7)
    )
    even = beta_sampling_scheduler(model=model, steps=3, alpha=1.0, beta=1.0)
    check(even, [float(SAMPLING.table[index]) for index in (999, 666, 333)] + [0.0])


def test_the_turbo_schedule_visits_the_distilled_levels(model: Model) -> None:
    levels = [float(SAMPLING.table[index]) for index in (999, 899, 799, 699)]
    check(sd_turbo_scheduler(model=model, steps=2, denoise=1.0), [*levels[:2], 0.0])
    check(sd_turbo_scheduler(model=model, steps=2, denoise=0.8), [*levels[2:], 0.0])


def test_a_schedule_is_cut_with_the_level_at_the_cut_in_both_parts() -> None:
    sigmas = torch.tensor([8.0, 4.0, 2.0, 1.0, 0.0])
    cases: dict[int, tuple[list[float], list[float]]] = {
        0: ([8], [8, 4, 2, 1, 0]),
        3: ([8, 4, 2, 1], [1, 0]),
        9: ([8, 4, 2, 1, 0], []),
    }
    for step, parts in cases.items():
        assert tuple(part.tolist() for part in split_sigmas(sigmas=sigmas, step=step)) == parts
    shares: dict[float, tuple[list[float], list[float]]] = {
        1.0: ([8], [8, 4, 2, 1, 0]),
        0.5: ([8, 4, 2], [2, 1, 0]),
        0.0: ([8, 4, 2, 1, 0], [0]),
    }
    for denoise, parts in shares.items():
        assert tuple(part.tolist() for part in split_sigmas_denoise(sigmas=sigmas, denoise=denoise)) == parts


def test_a_flipped_schedule_begins_just_above_zero_and_leaves_its_source() -> None:
    sigmas = torch.tensor([3.0, 1.0, 0.0])
    check(flip_sigmas(sigmas=sigmas), [1e-4, 1.0, 3.0])
    check(flip_sigmas(sigmas=sigmas[:2]), [1.0, 3.0])
    check(set_first_sigma(sigmas=sigmas, sigma=9.0), [9.0, 1.0, 0.0])
    check(sigmas, [3.0, 1.0, 0.0])
    assert len(flip_sigmas(sigmas=torch.zeros(0))) == 0


def test_numbers_are_read_out_of_a_text() -> None:
    check(manual_sigmas(sigmas="14.6, 7;  .5 -1 1e-2\n0"), [14.6, 7.0, 0.5, -1.0, 0.01, 0.0])
    assert len(manual_sigmas(sigmas="none")) == 0


def test_steps_between_two_levels_are_cut_into_parts() -> None:
    sigmas = torch.tensor([16.0, 8.0, 4.0, 0.0])
    half = math.sin(math.pi / 4)
    cases = {"linear": 6.0, "cosine": 8 - 4 * half, "sine": 8 - 4 * (1 - half)}
    for spacing, middle in cases.items():
        cut = extend_intermediate_sigmas(sigmas=sigmas, steps=2, start_at_sigma=10.0, end_at_sigma=5.0, spacing=spacing)
        check(cut, [16.0, 8.0, middle, 4.0, 0.0])
    everywhere = extend_intermediate_sigmas(
        sigmas=sigmas, steps=2, start_at_sigma=-1.0, end_at_sigma=0.0, spacing="linear"
    )
    check(everywhere, [16.0, 12.0, 8.0, 6.0, 4.0, 2.0, 0.0])


def test_a_share_of_the_sampling_has_a_level(model: Model) -> None:
    def level(share: float, *, actual: bool) -> float:
        return sampling_percent_to_sigma(model=model, sampling_percent=share, return_actual_sigma=actual).sigma_value

    assert level(0.5, actual=False) == level(0.5, actual=True) == SAMPLING.level_at(0.5)
    assert (level(0.0, actual=True), level(1.0, actual=True)) == (SAMPLING.sigma_max, SAMPLING.sigma_min)
    assert (level(0.0, actual=False), level(1.0, actual=False)) == (999999999.9, 0.0)


def test_what_gives_no_schedule_is_refused_by_name(model: Model) -> None:
    with pytest.raises(InputError, match="rho is 0"):
        karras_scheduler(rho=0.0)
    with pytest.raises(InputError, match=r"sigma_min is 0\.0, but levels"):
        exponential_scheduler(sigma_min=0.0)
    with pytest.raises(InputError, match="beta is 0"):
        beta_sampling_scheduler(model=model, beta=0.0)
