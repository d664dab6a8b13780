"""First-order samplers, with and without fresh noise, and those that guide by CFG++."""
# ruff: noqa: ARG001  all samplers take the same arguments, noise too if they draw none

import math
from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from nodes.diffusion.resize import resize
from nodes.diffusion.sampling.samplers.contract import (
    Denoiser,
    NoiseSource,
    Report,
    ancestral_step,
    scaled_ancestral_step,
)


def euler(model: Denoiser, x: Tensor, sigmas: Sequence[float], noise: NoiseSource, report: Report) -> Tensor:
    """Karras et al. 2022, algorithm 2 without churn and without the second-order correction."""
    for i in range(len(sigmas) - 1):
        denoised = model(x, sigmas[i])
        report(i, denoised)
        d = (x - denoised) / sigmas[i]
        x = x + d * (sigmas[i + 1] - sigmas[i])
    return x


def euler_ancestral(
    model: Denoiser,
    x: Tensor,
    sigmas: Sequence[float],
    noise: NoiseSource,
    report: Report,
    *,
    eta: float = 1.0,
    s_noise: float = 1.0,
) -> Tensor:
    """Euler steps below the target, then fresh noise up to it: Song et al. 2020, DDIM, with their eta (equation 16)."""
    for i in range(len(sigmas) - 1):
        denoised = model(x, sigmas[i])
        report(i, denoised)
        if sigmas[i + 1] == 0:
            x = denoised
            continue
        down, scale, up = scaled_ancestral_step(model.sampling, sigmas[i], sigmas[i + 1], eta)
        ratio = down / sigmas[i]
        x = scale * (ratio * x + (1 - ratio) * denoised) + up * s_noise * noise.normal()
    return x


def euler_cfg_pp(model: Denoiser, x: Tensor, sigmas: Sequence[float], noise: NoiseSource, report: Report) -> Tensor:
    """Chung et al. 2024, "CFG++": the guided estimate is renoised with the unconditional noise."""
    alpha = model.sampling.alpha
    for i in range(len(sigmas) - 1):
        denoised, unconditional = model.pair(x, sigmas[i])
        report(i, denoised)
        eps = (x - alpha(sigmas[i]) * unconditional) / sigmas[i]
        x = alpha(sigmas[i + 1]) * denoised + sigmas[i + 1] * eps
    return x


def euler_ancestral_cfg_pp(
    model: Denoiser,
    x: Tensor,
    sigmas: Sequence[float],
    noise: NoiseSource,
    report: Report,
    *,
    eta: float = 1.0,
    s_noise: float = 1.0,
) -> Tensor:
    """Chung et al. 2024, "CFG++", with fresh noise; steps are taken in sigma / alpha."""
    alpha = model.sampling.alpha
    for i in range(len(sigmas) - 1):
        denoised, unconditional = model.pair(x, sigmas[i])
        report(i, denoised)
        if sigmas[i + 1] == 0:
            x = denoised
            continue
        here, there = alpha(sigmas[i]), alpha(sigmas[i + 1])
        eps = (x - here * unconditional) / sigmas[i]
        ratio = sigmas[i] / here if here > 0 else math.inf
        level = sigmas[i + 1] / there
        if math.isfinite(ratio):
            down, up = ancestral_step(ratio, level, eta)
        else:
            up = min(eta, 1.0) * level
            down = math.sqrt(level**2 - up**2)
        x = there * denoised + there * down * eps + there * up * s_noise * noise.normal()
    return x


def ddpm(model: Denoiser, x: Tensor, sigmas: Sequence[float], noise: NoiseSource, report: Report) -> Tensor:
    """Ho et al. 2020, "Denoising Diffusion Probabilistic Models", algorithm 2, on x / sqrt(1 + sigma^2)."""
    for i in range(len(sigmas) - 1):
        denoised = model(x, sigmas[i])
        report(i, denoised)
        abar, abar_next = 1 / (1 + sigmas[i] ** 2), 1 / (1 + sigmas[i + 1] ** 2)
        alpha = abar / abar_next
        eps = (x - denoised) / sigmas[i]
        x = (x * math.sqrt(abar) - (1 - alpha) / math.sqrt(1 - abar) * eps) / math.sqrt(alpha)
        if sigmas[i + 1] > 0:
            x = x + math.sqrt((1 - alpha) * (1 - abar_next) / (1 - abar)) * noise.normal()
            x = x / math.sqrt(abar_next)
    return x


def lcm(model: Denoiser, x: Tensor, sigmas: Sequence[float], noise: NoiseSource, report: Report) -> Tensor:
    """Luo et al. 2023, "Latent Consistency Models", algorithm 3: denoise fully, then noise to the next level."""
    for i in range(len(sigmas) - 1):
        x = model(x, sigmas[i])
        report(i, x)
        if sigmas[i + 1] > 0:
            x = model.sampling.noised(sigmas[i + 1], noise.normal(), x)
    return x


@dataclass(frozen=True, slots=True)
class Growth:
    """How latents grow on the way."""

    ratio: float
    """Of the last size to the first."""
    steps: int
    """After how many steps they have grown, in even parts; below 1: when all but the last one are done."""
    method: str
    """Of `resize`."""

    def sides(self, shape: Sequence[int], step: int, total: int) -> tuple[int, int]:
        """(height, width) after a step, from 0, of `total`, of latents that began with a (..., height, width) shape."""
        steps = self.steps if self.steps > 0 else max(1, total - 1)
        share = 1 + (self.ratio - 1) * min(1.0, (step + 1) / steps)
        return max(1, round(shape[-2] * share)), max(1, round(shape[-1] * share))


def lcm_growing(
    model: Denoiser, x: Tensor, sigmas: Sequence[float], noise: NoiseSource, report: Report, *, growth: Growth
) -> Tensor:
    """`lcm` on latents that grow between denoising and noising."""
    first, total = x.shape, len(sigmas) - 1
    for i in range(total):
        x = model(x, sigmas[i])
        report(i, x)
        if sigmas[i + 1] > 0:
            height, width = growth.sides(first, i, total)
            if x.shape[-2:] != (height, width):
                x = resize(x, width, height, growth.method)
            x = model.sampling.noised(sigmas[i + 1], noise.normal(x), x)
    return x
