"""Nodes that denoise: the plain and the advanced sampler."""

from typing import Annotated, Literal

import torch
from torch import Tensor

from executor.progress import Preview, Progress
from executor.schema import Injected, Widget
from nodes.declare import node
from nodes.diffusion.memory.device import DeviceMemory
from nodes.diffusion.preview import Previews
from nodes.diffusion.sampling.guidance import CfgGuider
from nodes.diffusion.sampling.sample import Settings, make_sigmas, sample
from nodes.diffusion.values import Latent as LatentValue
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
    settings = Settings(sampler_name, sigmas, seed)
    return _sample(CfgGuider(model, positive, negative, cfg), latent_image, settings, memory, progress)


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
    settings = Settings(sampler_name, sigmas[start_at_step:], noise_seed, add_noise=add_noise == "enable")
    return _sample(CfgGuider(model, positive, negative, cfg), latent_image, settings, memory, progress)


def _sample(
    guider: CfgGuider, latent: LatentValue, settings: Settings, memory: DeviceMemory, progress: Progress
) -> LatentValue:
    total = max(1, len(settings.sigmas) - 1)
    previews = Previews(guider.model, memory)

    def report(step: int, denoised: Tensor) -> None:
        look = previews.of(denoised)
        progress.step(step + 1, total, (lambda: Preview(look(), "image/jpeg")) if look else None)

    progress.check()
    with memory.resident(guider.model.network):
        return sample(guider, latent, settings, report)
