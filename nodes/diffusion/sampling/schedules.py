"""Schedulers: which noise levels a sampler visits. Each gives descending sigmas that end in 0; none knows a sampler."""

import math
from collections.abc import Callable, Mapping
from itertools import pairwise

import torch
from torch import Tensor

from nodes.diffusion.sampling.prediction import ModelSampling, make_discrete

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
    return karras_between(steps, sampling.sigma_max, sampling.sigma_min, rho)


def exponential(sampling: ModelSampling, steps: int) -> Tensor:
    """Evenly spaced in log sigma."""
    return exponential_between(steps, sampling.sigma_max, sampling.sigma_min)


def ddim_uniform(sampling: ModelSampling, steps: int) -> Tensor:
    """Every (n // steps)-th training step (Song et al. 2020, DDIM); may visit one level more than asked for."""
    table = sampling.table
    levels = [float(table[index]) for index in range(1, len(table), max(len(table) // steps, 1))]
    start = [] if math.isclose(float(table[1]), 0, abs_tol=1e-5) else [0.0]
    return torch.tensor([*start, *levels][::-1])


def beta(sampling: ModelSampling, steps: int, a: float = 0.6, b: float = 0.6) -> Tensor:
    """Timesteps at quantiles of a beta distribution (Lee et al. 2024, "Beta Sampling is All You Need")."""
    # Imported here: scipy takes a quarter of a second, and only this schedule needs it.
    from scipy.stats import beta as distribution

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


def karras_between(steps: int, sigma_max: float, sigma_min: float, rho: float) -> Tensor:
    """Karras et al. 2022, equation 5, between two levels."""
    ramp = torch.linspace(0, 1, steps)
    low, high = sigma_min ** (1 / rho), sigma_max ** (1 / rho)
    return _ended((high + ramp * (low - high)) ** rho)


def exponential_between(steps: int, sigma_max: float, sigma_min: float) -> Tensor:
    """Evenly spaced in log sigma between two levels, which must be above 0."""
    return _ended(torch.linspace(math.log(sigma_max), math.log(sigma_min), steps).exp())


def polyexponential(steps: int, sigma_max: float, sigma_min: float, rho: float) -> Tensor:
    """log sigma falls with the power `rho` of the share that is left (k-diffusion); 1 is `exponential_between`."""
    ramp = torch.linspace(1, 0, steps) ** rho
    return _ended((ramp * (math.log(sigma_max) - math.log(sigma_min)) + math.log(sigma_min)).exp())


def variance_preserving(steps: int, beta_d: float, beta_min: float, eps_s: float) -> Tensor:
    """Song et al. 2021, "Score-Based Generative Modeling through SDEs": sigma^2 = e^(beta_d t^2 / 2 + beta_min t) - 1,
    from t = 1 to `eps_s`."""
    t = torch.linspace(1, eps_s, steps)
    return _ended((beta_d * t**2 / 2 + beta_min * t).expm1().sqrt())


def laplace(steps: int, sigma_max: float, sigma_min: float, mu: float, beta: float) -> Tensor:
    """Hang et al. 2024, "Improved Noise Schedule for Diffusion Training": log sigma at even quantiles of a Laplace
    distribution. `steps` levels that end at `sigma_min`, not at 0."""
    share = torch.linspace(0, 1, steps)
    level = mu - beta * (0.5 - share).sign() * (1 - 2 * (0.5 - share).abs() + 1e-5).log()
    return level.exp().clamp(sigma_min, sigma_max)


ALIGNED: Mapping[str, Callable[[], Tensor]] = {
    "SD1": lambda: _sd_levels(999, 850, 736, 645, 545, 455, 343, 233, 124, 24, 0),
    "SDXL": lambda: _sd_levels(999, 845, 730, 587, 443, 310, 193, 116, 53, 13, 0),
    "SVD": lambda: torch.tensor([700.0, 54.5, 15.886, 7.977, 4.248, 1.789, 0.981, 0.403, 0.173, 0.034, 0.002]),
}
"""The eleven levels that Sabour et al. 2024, "Align Your Steps", publish for each family; two as training steps."""


def align_your_steps(family: str, steps: int, denoise: float = 1.0) -> Tensor:
    """Sabour et al. 2024: the published levels, linear in log sigma between them for other numbers of steps; the last
    `steps * denoise` of them, ending in 0."""
    kept = round(steps * denoise)
    if kept <= 0:
        return torch.zeros(0)
    levels = ALIGNED[family]().double()
    position = torch.linspace(0, len(levels) - 1, steps + 1, dtype=torch.float64)
    low = position.floor().long().clamp(max=len(levels) - 2)
    logs = levels.log()
    sigmas = (logs[low] + (position - low) * (logs[low + 1] - logs[low])).exp().float()
    sigmas[-1] = 0
    return sigmas[-(kept + 1) :]


def turbo(sampling: ModelSampling, steps: int, denoise: float = 1.0) -> Tensor:
    """Sauer et al. 2023, "Adversarial Diffusion Distillation": the ten training steps 999, 899, ..., 99, from the share
    `denoise` of them on."""
    times = torch.arange(1, 11).flip(0) * 100 - 1
    skipped = 10 - int(10 * denoise)
    return _ended(sampling.sigma(times[skipped : skipped + steps].float()))


def scheduled(sampling: ModelSampling, scheduler: str, steps: int, denoise: float = 1.0) -> Tensor:
    """The last `steps` of a schedule that is longer by the inverse of `denoise`; empty if that is 0."""
    if denoise <= 0:
        return torch.zeros(0)
    return SCHEDULERS[scheduler](sampling, int(steps / denoise))[-(steps + 1) :]


def refined(sigmas: Tensor, parts: int, start: float, end: float, spacing: str) -> Tensor:
    """`sigmas` with every step that begins between levels `end` and `start` cut into `parts`, evenly ("linear"), or
    with the longer parts first ("cosine") or last ("sine")."""
    share = torch.linspace(0, 1, parts + 1)[:-1]
    curves = {"linear": share, "cosine": (share * math.pi / 2).sin(), "sine": 1 - (share * math.pi / 2).cos()}
    levels: list[Tensor] = []
    for sigma, after in pairwise(sigmas):
        inside = end <= float(sigma) <= start
        levels.append(sigma + curves[spacing] * (after - sigma) if inside else sigma[None])
    return torch.cat([*levels, sigmas[-1:]])


def _times(sampling: ModelSampling, count: int) -> Tensor:
    """`count` timesteps from that of the largest to that of the smallest sigma."""
    first, last = sampling.timestep(torch.tensor([sampling.sigma_max, sampling.sigma_min])).tolist()
    return torch.linspace(first, last, count)


def _sd_levels(*timesteps: int) -> Tensor:
    """Levels of the betas that SD 1 and SDXL were trained with."""
    return make_discrete("eps", 0.00085, 0.012).sigma(torch.tensor(timesteps))


def _closed(levels: list[float]) -> Tensor:
    return torch.tensor([*levels, 0.0])


def _ended(levels: Tensor) -> Tensor:
    return torch.cat([levels, levels.new_zeros(1)])
