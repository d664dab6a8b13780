"""Schedulers: which noise levels a sampler visits. Each gives descending sigmas that end in 0; none knows a sampler."""

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from nodes.diffusion.sampling.prediction import ModelSampling

Scheduler = Callable[[ModelSampling, int], Tensor]


def simple(sampling: ModelSampling, steps: int) -> Tensor:
    """Every (n / steps)-th entry of the training table, counted from the noisy end."""
    table = sampling.table
    stride = len(table) / steps
    return _closed([float(table[-(1 + int(index * stride))]) for index in range(steps)])


def sgm_uniform(sampling: ModelSampling, steps: int) -> Tensor:
    """Timesteps spaced evenly, the last one left out (Stability's generative-models)."""
    return _ended(sampling.sigma(_times(sampling, steps + 1)[:-1]))


def normal(sampling: ModelSampling, steps: int) -> Tensor:
    """Timesteps spaced evenly from the noisiest to the cleanest."""
    sigmas = sampling.sigma(_times(sampling, steps)).tolist()
    # A flow already ends at 0, and would otherwise visit it twice.
    return torch.tensor(sigmas) if math.isclose(sigmas[-1], 0, abs_tol=1e-5) else _closed(sigmas)


def karras(sampling: ModelSampling, steps: int, rho: float = 7.0) -> Tensor:
    """Karras et al. 2022, equation 5."""
    ramp = torch.linspace(0, 1, steps)
    low, high = sampling.sigma_min ** (1 / rho), sampling.sigma_max ** (1 / rho)
    return _ended((high + ramp * (low - high)) ** rho)


def exponential(sampling: ModelSampling, steps: int) -> Tensor:
    """Evenly spaced in log sigma."""
    return _ended(torch.linspace(math.log(sampling.sigma_max), math.log(sampling.sigma_min), steps).exp())


def ddim_uniform(sampling: ModelSampling, steps: int) -> Tensor:
    """Every (n // steps)-th training step (Song et al. 2020, DDIM); may visit one level more than asked for."""
    table = sampling.table
    levels = [float(table[index]) for index in range(1, len(table), max(len(table) // steps, 1))]
    start = [] if math.isclose(float(table[1]), 0, abs_tol=1e-5) else [0.0]
    return torch.tensor([*start, *levels][::-1])


def beta(sampling: ModelSampling, steps: int, a: float = 0.6, b: float = 0.6) -> Tensor:
    """Timesteps at quantiles of a beta distribution (Lee et al. 2024, "Beta Sampling is All You Need")."""
    # Imported here: scipy takes a quarter of a second, and only this schedule needs it.
    from scipy.stats import beta as distribution  # type: ignore[import-untyped]

    last = len(sampling.table) - 1
    quantiles = distribution.ppf([1 - index / steps for index in range(steps)], a, b)
    levels: list[float] = []
    previous = -1
    for index in (round(float(quantile) * last) for quantile in quantiles):
        if index != previous:
            levels.append(float(sampling.table[index]))
        previous = index
    return _closed(levels)


def linear_quadratic(sampling: ModelSampling, steps: int, threshold: float = 0.025) -> Tensor:
    """Small even steps first, then quadratically growing ones (Genmo 2024, Mochi)."""
    if steps == 1:
        return torch.tensor([1.0, 0.0]) * sampling.sigma_max
    linear = steps // 2
    rest = steps - linear
    slope = threshold / linear
    difference = linear - threshold * steps
    curve = difference / (linear * rest**2)
    tilt = slope - 2 * difference / rest**2
    offset = curve * linear**2
    ramp = [index * slope for index in range(linear)]
    ramp += [curve * index**2 + tilt * index + offset for index in range(linear, steps)]
    return torch.tensor([*(1 - value for value in ramp), 0.0]) * sampling.sigma_max


def kl_optimal(sampling: ModelSampling, steps: int) -> Tensor:
    """Sabour et al. 2024, "Align Your Steps", theorem 3.1: even in the arc tangent of sigma."""
    ramp = torch.linspace(0, 1, steps) if steps > 1 else torch.zeros(1)
    return _ended((ramp * math.atan(sampling.sigma_min) + (1 - ramp) * math.atan(sampling.sigma_max)).tan())


SCHEDULERS: Mapping[str, Scheduler] = {
    function.__name__: function
    for function in (
        simple, sgm_uniform, karras, exponential, ddim_uniform, beta, normal, linear_quadratic, kl_optimal,
    )
}  # fmt: skip


def _times(sampling: ModelSampling, count: int) -> Tensor:
    """`count` timesteps from that of the largest to that of the smallest sigma."""
    first, last = sampling.timestep(torch.tensor([sampling.sigma_max, sampling.sigma_min])).tolist()
    return torch.linspace(first, last, count)


def _closed(levels: list[float]) -> Tensor:
    return torch.tensor([*levels, 0.0])


def _ended(levels: Tensor) -> Tensor:
    return torch.cat([levels, levels.new_zeros(1)])
