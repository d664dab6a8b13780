"""Each correction of guidance is its paper's formula, and changes nothing at neutral strength."""

import pytest
import torch
from torch import Tensor

from nodes.diffusion.sampling import corrections
from nodes.diffusion.sampling.prediction import ModelSampling, make_discrete, make_flow
from nodes.diffusion.sampling.steering import Guided, Steering, plain, steer

EPS, FLOW = make_discrete("eps", 0.00085, 0.012), make_flow(1.0)


def step(sigma: float = 2.0, sampling: ModelSampling = EPS, count: int = 3) -> Guided:
    torch.manual_seed(8)
    x, positive, negative = torch.randn(3, count, 4, 6, 5)
    first = Guided(x, sigma, positive, negative, 5.0, sampling, positive)
    return Guided(x, sigma, positive, negative, 5.0, sampling, plain(first))


def test_no_cell_gets_longer_than_the_positive_has_it() -> None:
    now = step()
    made = corrections.normed(1.0)(now)
    for cell in ((0, 1, 1), (2, 4, 3)):
        positive, guided = (one[cell[0], :, cell[1], cell[2]] for one in (now.positive, now.denoised))
        expected = guided * min(1.0, float(positive.norm() / guided.norm()))
        assert torch.allclose(made[cell[0], :, cell[1], cell[2]], expected, atol=1e-5)
    assert torch.allclose(corrections.normed(0.5)(now), made * 0.5)


def test_guidance_is_renormed_below_a_level_only() -> None:
    now = step()
    assert torch.equal(corrections.renormed(2.0, 1.0)(now), now.positive)
    made = corrections.renormed(2.1, 1.0)(now)
    lengths = [one.flatten(1).norm(dim=1) for one in (made, now.positive, now.denoised)]
    assert torch.allclose(lengths[0], torch.minimum(lengths[1], lengths[2]), rtol=1e-5)
    assert torch.equal(corrections.renormed(2.1, 0.0)(now), now.denoised)
    assert torch.allclose(corrections.renormed(2.1, 100.0)(now), now.denoised)


def test_mahiro_weighs_by_likeness() -> None:
    now = step()
    first, second = now.negative * 5, (now.positive * 5 + now.denoised) / 2
    first, second = (one.sign() * one.abs() ** 0.5 for one in (first, second))
    likeness = float(((first * second).sum(1) / (first.norm(dim=1) * second.norm(dim=1))).mean())
    share = 2 * (likeness + 1)
    expected = (share * now.denoised + (4 - share) * now.positive * 5) / 4
    assert torch.allclose(corrections.directed(now), expected, atol=1e-4)


@pytest.mark.parametrize("sampling", [EPS, FLOW])
def test_the_noise_is_divided(sampling: ModelSampling) -> None:
    now = step(0.6, sampling)
    alpha = sampling.alpha(0.6)

    def noise(denoised: Tensor) -> Tensor:
        return (now.x - alpha * denoised) / 0.6

    made = corrections.epsilon_scaled(1.25)(now)
    assert torch.allclose(noise(made), noise(now.denoised) / 1.25, atol=1e-5)
    k, spread = 2.0, 0.7
    snr = alpha**2 / 0.6**2
    ratio = (snr * spread**2 + 1) / (snr * spread**2 / k + 1)
    made = corrections.temperature_scaled(k, spread)(now)
    assert torch.allclose(noise(made), noise(now.denoised) * ratio, atol=1e-5)


def test_pure_noise_is_left_alone() -> None:
    now = step(1.0, FLOW)
    for formula in (corrections.epsilon_scaled(1.2), corrections.temperature_scaled(2.0, 1.0)):
        assert formula(now) is now.denoised


def test_the_score_of_normal_data_is_that_of_colder_data() -> None:
    """For data with mean 0 and deviation s the best denoiser is known, and so is that for deviation s / sqrt(k)."""
    spread, k, sigma = 0.8, 3.0, 1.3
    now = step(sigma)

    def best(variance: float) -> Tensor:
        return now.x * variance / (variance + sigma**2)

    told = Guided(now.x, sigma, now.positive, now.negative, 5.0, EPS, best(spread**2))
    made = corrections.temperature_scaled(k, spread)(told)
    assert torch.allclose(made, best(spread**2 / k), atol=1e-5)


def test_what_guidance_adds_is_scaled_by_frequency() -> None:
    now = step()
    difference = now.positive - now.negative
    spectrum = torch.fft.fft2(difference)
    rows, columns = torch.fft.fftfreq(6) * 6, torch.fft.fftfreq(5) * 5
    low = ((rows[:, None] >= -1) & (rows[:, None] < 1)) & ((columns >= -1) & (columns < 1))
    expected = torch.fft.ifft2(spectrum * torch.where(low, 0.5, 1.5)).real
    positive, negative = corrections.frequency_scaled(0.5, 1.5, 1)(now)
    assert torch.allclose(positive - negative, expected, atol=1e-5)
    assert torch.equal(negative, now.negative)
    same, _ = corrections.frequency_scaled(1.0, 1.0, 20)(now)
    assert torch.allclose(same, now.positive, atol=1e-5), "a radius beyond the picture is all of it"


def test_cfg_rises_over_a_batch() -> None:
    now = step()
    difference = now.positive - now.negative
    made = corrections.graded(1.0, triangle=False)(now)
    for row, cfg in enumerate((1.0, 3.0, 5.0)):
        assert torch.allclose(made[row], now.negative[row] + cfg * difference[row], atol=1e-5)
    made = corrections.graded(1.0, triangle=True)(now)
    for row, cfg in enumerate((1.0, 5.0, 1.0)):
        assert torch.allclose(made[row], now.negative[row] + cfg * difference[row], atol=1e-5)


def test_only_formulas_that_read_the_negative_want_it() -> None:
    after = corrections.epsilon_scaled(1.1), corrections.temperature_scaled(2.0, 1.0)
    assert not Steering(after=after).reads_negative
    assert Steering(after=(*after, corrections.normed(1.0))).reads_negative
    assert Steering(formula=corrections.renormed(1.0, 1.0)).reads_negative
    now = step()
    assert torch.equal(steer(Steering(after=after), now), after[1](step_with(now, after[0](now))))


def step_with(now: Guided, denoised: Tensor) -> Guided:
    return Guided(now.x, now.sigma, now.positive, now.negative, now.cfg, now.sampling, denoised)
