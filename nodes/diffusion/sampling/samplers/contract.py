"""What a sampler is, and what it may use. Knows no sampler.

Sigmas and everything computed from them are Python numbers, so that no step waits for a device.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor

from nodes.diffusion.sampling.prediction import FlowSampling, ModelSampling


class Denoiser(Protocol):
    """The guided model, seen as a function from a noisy latent to a clean one."""

    @property
    def sampling(self) -> ModelSampling:
        """How the model's noise levels are to be read."""
        ...

    def __call__(self, x: Tensor, sigma: float) -> Tensor:
        """The guided clean latent for `x` at noise level `sigma`."""
        ...

    def pair(self, x: Tensor, sigma: float) -> tuple[Tensor, Tensor]:
        """The guided and the unconditional clean latent."""
        ...


class NoiseSource(Protocol):
    """Where a stochastic sampler's noise comes from: a stream that depends on the seed alone."""

    def normal(self, like: Tensor | None = None) -> Tensor:
        """The next standard normal tensor of the latent's shape, or of that of `like`."""
        ...

    def brownian(self, sigma: float, sigma_next: float) -> Tensor:
        """The increment of one Brownian path between two noise levels, scaled to unit variance."""
        ...


Report = Callable[[int, Tensor], None]
"""Called with the number of a step, from 0, and the clean latent estimated in it. May raise Interrupted."""

Sampler = Callable[[Denoiser, Tensor, Sequence[float], NoiseSource, Report], Tensor]
"""(denoiser, x noised at sigmas[0], descending sigmas, noise, report) -> the latent at sigmas[-1]."""


@dataclass(frozen=True, slots=True)
class SamplerChoice:
    """A sampler as it flows on a link."""

    function: Sampler
    noise_on_device: bool = False
    """Whether a Brownian path is drawn on the device that computes, instead of on the CPU."""
    renoises_masked: bool = False
    """What a mask protects gets fresh noise at every step (Lugmayr et al. 2022, "RePaint", without resampling)."""
    run: Callable[..., Any] | None = None
    """A `sampling.sample.Run` that samples with it instead of the ordinary one."""


def ancestral_step(sigma: float, sigma_next: float, eta: float = 1.0) -> tuple[float, float]:
    """(sigma_down, sigma_up): go down to sigma_down, then add sigma_up noise, to arrive at sigma_next."""
    up = min(sigma_next, eta * math.sqrt(max(0.0, sigma_next**2 * (sigma**2 - sigma_next**2) / sigma**2)))
    return math.sqrt(sigma_next**2 - up**2), up


def flow_ancestral_step(sigma: float, sigma_next: float, eta: float = 1.0) -> tuple[float, float, float]:
    """(sigma_down, scale, sigma_up) for a rectified flow: go down to sigma_down, scale, add sigma_up noise.

    The signal's share 1 - sigma_down must become 1 - sigma_next, and the variances must add up to sigma_next^2.
    """
    down = sigma_next * (1 + (sigma_next / sigma - 1) * eta)
    scale = (1 - sigma_next) / (1 - down)
    return down, scale, math.sqrt(max(0.0, sigma_next**2 - (scale * down) ** 2))


def scaled_ancestral_step(
    sampling: ModelSampling, sigma: float, sigma_next: float, eta: float = 1.0
) -> tuple[float, float, float]:
    """(sigma_down, scale, sigma_up) for either kind of model; the scale is 1 except for a flow."""
    if isinstance(sampling, FlowSampling):
        return flow_ancestral_step(sigma, sigma_next, eta)
    down, up = ancestral_step(sigma, sigma_next, eta)
    return down, 1.0, up


def visible_start(sampling: ModelSampling, sigmas: Sequence[float]) -> list[float]:
    """`sigmas`, where a first level that holds nothing but noise (a flow's 1) is replaced by the next trained one, so
    that its lambda is finite."""
    if len(sigmas) > 1 and math.isinf(sampling.log_snr(sigmas[0])):
        return [sampling.level_at(1e-4), *sigmas[1:]]
    return list(sigmas)
