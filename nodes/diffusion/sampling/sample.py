"""One sampling run: noise in, sampler through, latent out. Chooses no schedule and moves no network."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from nodes.diffusion.sampling.guidance import Guider, MaskedModel
from nodes.diffusion.sampling.noise import SEEDS, SeededNoise, initial_noise
from nodes.diffusion.sampling.prediction import ModelSampling
from nodes.diffusion.sampling.regions import fit_mask
from nodes.diffusion.sampling.samplers import DROPS_NEXT_TO_LAST, SAMPLERS
from nodes.diffusion.sampling.samplers.contract import Denoiser, Report
from nodes.diffusion.sampling.schedules import SCHEDULERS
from nodes.diffusion.values import Latent


@dataclass(frozen=True, slots=True)
class Settings:
    """How to sample; what to sample is separate."""

    sampler_name: str
    sigmas: Tensor
    """(steps + 1,) descending."""
    seed: int
    add_noise: bool = True
    """False: the latent already carries noise."""


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
def sample(guider: Guider, latent: Latent, settings: Settings, report: Report) -> Latent:
    """Denoise `latent` with a guider whose model is resident. `report` gets each step's denoised latent as the network
    scales it. Raises ValueError if a condition's area lies outside the latent."""
    model = guider.model
    sigmas = settings.sigmas.tolist()
    if len(sigmas) < 2:
        return latent
    device = model.network.device
    start = latent.samples.to(device, torch.float32) * model.latent_scale
    noise = initial_noise(latent.samples, settings.seed).to(device) if settings.add_noise else torch.zeros_like(start)
    sampling = model.sampling
    from_scratch = sigmas[0] > sampling.sigma_max or math.isclose(sigmas[0], sampling.sigma_max, rel_tol=1e-5)
    x = sampling.noised(sigmas[0], noise, start, from_scratch=from_scratch)
    denoiser: Denoiser = guider.denoiser(start)
    if latent.noise_mask is not None:
        denoiser = _masked(denoiser, start, noise, latent.noise_mask, settings)
    source = SeededNoise(x, sigmas, settings.seed)
    x = SAMPLERS[settings.sampler_name](denoiser, x, sigmas, source, report)
    x = sampling.finished(sigmas[-1], x)
    return Latent((x / model.latent_scale).cpu(), latent.noise_mask)


def _masked(denoiser: Denoiser, start: Tensor, noise: Tensor, mask: Tensor, settings: Settings) -> MaskedModel:
    if settings.sampler_name != "ddim":
        return MaskedModel(denoiser, start, fit_mask(mask, start), lambda: noise)
    # DDIM renoises what the mask protects at every step (Lugmayr et al. 2022, "RePaint", without resampling).
    generator = torch.Generator().manual_seed((settings.seed + 1) % SEEDS)
    return MaskedModel(
        denoiser, start, fit_mask(mask, start), lambda: torch.randn(start.shape, generator=generator).to(start)
    )
