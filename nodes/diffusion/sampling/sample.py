"""One sampling run: noise in, sampler through, latent out. Chooses no schedule and moves no network."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor

from nodes.diffusion.sampling.guidance import Guider, MaskedModel, with_mask
from nodes.diffusion.sampling.noise import CPU, ON_CPU, Noise, NoisePlaces, SeededNoise, generator_on
from nodes.diffusion.sampling.prediction import ModelSampling
from nodes.diffusion.sampling.regions import fit_mask
from nodes.diffusion.sampling.samplers import DROPS_NEXT_TO_LAST
from nodes.diffusion.sampling.samplers.contract import Denoiser, Report, SamplerChoice
from nodes.diffusion.sampling.schedules import SCHEDULERS
from nodes.diffusion.values import Latent, Model


@dataclass(frozen=True, slots=True)
class Settings:
    """How to sample; what to sample is separate."""

    sampler: SamplerChoice
    sigmas: Tensor
    """(steps + 1,), descending unless noise is to be added back."""
    noise: Noise
    cpu_noise: bool = False
    """Whether samplers draw all their noise on the CPU, so that a seed means the same picture on every machine."""

    def places(self, device: torch.device) -> NoisePlaces:
        """Where a run on `device` draws noise on the way."""
        if self.cpu_noise:
            return ON_CPU
        return NoisePlaces(device, device if self.sampler.noise_on_device else CPU)


class Outcome(NamedTuple):
    """What a sampling run leaves."""

    latent: Latent
    """At the last noise level."""
    denoised: Latent
    """The clean latent as the last step estimates it; the same thing if the schedule ends in 0."""


Run = Callable[[Guider, Latent, Settings, Report], Outcome]
"""A whole sampling run. A model or a sampler may carry one of its own, which then takes the place of `sample`."""


def make_sigmas(sampling: ModelSampling, sampler_name: str, scheduler: str, steps: int, denoise: float = 1.0) -> Tensor:
    """(steps + 1,) sigmas for a sampler, empty if `denoise` is 0.

    `denoise` below 1 keeps only the last `steps` of a schedule that is longer by its inverse.
    """
    if denoise <= 0:
        return torch.zeros(0)
    whole = int(steps / denoise) if denoise <= 0.9999 else steps
    drops = sampler_name in DROPS_NEXT_TO_LAST
    sigmas = SCHEDULERS[scheduler](sampling, whole + drops)
    if drops:
        sigmas = torch.cat([sigmas[:-2], sigmas[-1:]])
    return sigmas if denoise > 0.9999 else sigmas[-(steps + 1) :]


@torch.no_grad()
def sample(guider: Guider, latent: Latent, settings: Settings, report: Report) -> Outcome:
    """Denoise `latent` with a guider whose model is resident. `report` gets each step's denoised latent as the network
    scales it. Raises ValueError if a condition's area lies outside the latent."""
    sigmas = settings.sigmas.tolist()
    if len(sigmas) < 2:
        return Outcome(latent, latent)
    model, sampling = guider.model, guider.model.sampling
    run: Run | None = model.run or settings.sampler.run
    if run is not None:
        return run(guider, latent, settings, report)
    device = model.network.device
    start = latent.samples.to(device, torch.float32) * model.latent_scale
    noise = settings.noise.of(latent).to(device)
    from_scratch = sigmas[0] > sampling.sigma_max or math.isclose(sigmas[0], sampling.sigma_max, rel_tol=1e-5)
    x = sampling.noised(sigmas[0], noise, start, from_scratch=from_scratch)
    if latent.noise_mask is not None:
        guider = with_mask(guider, fit_mask(latent.noise_mask, start))
    denoiser = guider.denoiser(start)
    if latent.noise_mask is not None:
        denoiser = _masked(denoiser, start, noise, latent.noise_mask, model, settings)
    estimate = start

    def watch(step: int, denoised: Tensor) -> None:
        nonlocal estimate
        estimate = denoised
        report(step, denoised)

    source = SeededNoise(x, sigmas, settings.noise.seed, settings.places(device))
    x = sampling.finished(sigmas[-1], settings.sampler.function(denoiser, x, sigmas, source, watch))
    space = model.space or latent.space
    made = (replace(latent, samples=(one / model.latent_scale).cpu(), space=space) for one in (x, estimate))
    return Outcome(*made)


def add_noise_at(model: Model, latent: Latent, noise: Noise, sigma: float) -> Latent:
    """`latent` with noise at level `sigma`."""
    start = latent.samples.float() * model.latent_scale
    noised = model.sampling.noised(sigma, noise.of(latent), start)
    return replace(latent, samples=noised / model.latent_scale)


def _masked(
    denoiser: Denoiser, start: Tensor, noise: Tensor, mask: Tensor, model: Model, settings: Settings
) -> MaskedModel:
    fitted, rule, levels = fit_mask(mask, start), model.mask_rule, settings.sigmas.tolist()

    def mask_at(sigma: float) -> Tensor:
        return fitted if rule is None else rule(fitted, sigma, levels, model.sampling)

    if not settings.sampler.renoises_masked:
        return MaskedModel(denoiser, start, mask_at, lambda: noise)
    place = settings.places(start.device).normal
    generator = generator_on(place, settings.noise.seed)

    def fresh() -> Tensor:
        return torch.randn(start.shape, generator=generator, device=place).to(start)

    return MaskedModel(denoiser, start, mask_at, fresh)
