"""Nodes that denoise: the plain and the advanced sampler."""

from typing import Annotated, Literal

import torch

from executor.progress import Progress
from executor.schema import Injected, Widget
from nodes.declare import node
from nodes.denoising import run_sampling
from nodes.diffusion.memory.device import DeviceMemory
from nodes.diffusion.sampling.guidance import CfgGuider
from nodes.diffusion.sampling.noise import Noise
from nodes.diffusion.sampling.sample import Settings, make_sigmas
from nodes.diffusion.sampling.samplers import choose_sampler
from nodes.types import Cfg, Conditioning, Latent, Model, SamplerName, SchedulerName, Seed, Steps

StepIndex = Annotated[int, Widget("number", min=0, max=10_000)]


@node("KSampler", category="sampling", lane="device")
def k_sampler(
    *,
    model: Model,
    seed: Seed = 0,
    steps: Steps = 20,
    cfg: Cfg = 8.0,
    sampler_name: SamplerName,
    scheduler: SchedulerName,
    positive: Conditioning,
    negative: Conditioning,
    latent_image: Latent,
    denoise: Annotated[float, Widget("number", min=0.0, max=1.0, step=0.01)] = 1.0,
    memory: Injected[DeviceMemory],
    progress: Injected[Progress],
) -> Latent:
    """Denoise a latent, steered towards `positive` and away from `negative`."""
    sigmas = make_sigmas(model.sampling, sampler_name, scheduler, steps, denoise)
    settings = Settings(choose_sampler(sampler_name), sigmas, Noise(seed))
    return run_sampling(CfgGuider(model, positive, negative, cfg), latent_image, settings, memory, progress).latent


@node("KSamplerAdvanced", category="sampling", display_name="KSampler (Advanced)", lane="device")
def k_sampler_advanced(
    *,
    model: Model,
    add_noise: Literal["enable", "disable"],
    noise_seed: Seed = 0,
    steps: Steps = 20,
    cfg: Cfg = 8.0,
    sampler_name: SamplerName,
    scheduler: SchedulerName,
    positive: Conditioning,
    negative: Conditioning,
    latent_image: Latent,
    start_at_step: StepIndex = 0,
    end_at_step: StepIndex = 10000,
    return_with_leftover_noise: Literal["disable", "enable"],
    memory: Injected[DeviceMemory],
    progress: Injected[Progress],
) -> Latent:
    """Denoise a latent through a part of the schedule, so that several samplers may share one."""
    sigmas = make_sigmas(model.sampling, sampler_name, scheduler, steps)
    if end_at_step < len(sigmas) - 1:
        sigmas = sigmas[: end_at_step + 1]
        if return_with_leftover_noise == "disable":
            sigmas = torch.cat([sigmas[:-1], sigmas.new_zeros(1)])
    noise = Noise(noise_seed, blank=add_noise == "disable")
    settings = Settings(choose_sampler(sampler_name), sigmas[start_at_step:], noise)
    return run_sampling(CfgGuider(model, positive, negative, cfg), latent_image, settings, memory, progress).latent
