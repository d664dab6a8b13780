"""Sampling as packs drive it: guiders, samplers, schedules. The steps are those of our library's samplers."""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from comfy.guider import CFGGuider, process_conds
from comfy.sampler_calls import calc_cond_batch, calc_cond_uncond_batch, cfg_function, sampling_function
from comfy.sampler_objects import KSAMPLER, Sampler, function_of
from nodes.diffusion.sampling.sample import make_sigmas
from nodes.diffusion.sampling.samplers import SAMPLERS, choose_sampler
from nodes.diffusion.sampling.schedules import SCHEDULERS, Scheduler
from nodes.packs.bridge import levels

__all__ = [
    "KSAMPLER", "SAMPLER_NAMES", "SCHEDULER_HANDLERS", "SCHEDULER_NAMES", "CFGGuider", "KSampler", "Sampler",
    "calc_cond_batch", "calc_cond_uncond_batch", "calculate_sigmas", "cfg_function", "ksampler", "process_conds",
    "sample", "sampler_object", "sampling_function",
]  # fmt: skip

KSAMPLER_NAMES = [name for name in SAMPLERS if name not in ("ddim", "uni_pc", "uni_pc_bh2")]
SAMPLER_NAMES = list(SAMPLERS)
SCHEDULER_NAMES = list(SCHEDULERS)


class SchedulerHandler(NamedTuple):
    """A schedule: a function of a pack's `model_sampling` and a number of steps; or, without `use_ms`, of n, sigma_min
    and sigma_max."""

    handler: Callable[..., Tensor]
    use_ms: bool = True


def _handler(scheduler: Scheduler) -> SchedulerHandler:
    return SchedulerHandler(lambda sampling, steps: scheduler(levels.as_library(sampling), steps))


SCHEDULER_HANDLERS = {name: _handler(scheduler) for name, scheduler in SCHEDULERS.items()}
"""Schedules by name. Packs may add theirs."""


class KSampler:
    """A sampler by name with a schedule by name."""

    SAMPLERS = SAMPLER_NAMES
    SCHEDULERS = SCHEDULER_NAMES
    DISCARD_PENULTIMATE_SIGMA_SAMPLERS = {"dpm_2", "dpm_2_ancestral", "uni_pc", "uni_pc_bh2"}  # noqa: RUF012 packs add

    def __init__(
        self,
        model: Any,
        steps: int,
        device: torch.device | None,
        sampler: str | None = None,
        scheduler: str | None = None,
        denoise: float | None = None,
        model_options: dict[str, Any] | None = None,
    ) -> None:
        self.model = model
        self.device = device
        self.sampler = sampler if sampler in self.SAMPLERS else self.SAMPLERS[0]
        self.scheduler = scheduler if scheduler in self.SCHEDULERS else self.SCHEDULERS[0]
        self.denoise = denoise
        self.model_options = model_options or {}
        self.set_steps(steps, denoise)

    def calculate_sigmas(self, steps: int) -> Tensor:
        """The whole schedule."""
        return _schedule(self.model.get_model_object("model_sampling"), self.sampler, self.scheduler, steps)

    def set_steps(self, steps: int, denoise: float | None = None) -> None:
        """The last `steps` of a schedule that is longer by the inverse of `denoise`."""
        self.steps = steps
        sampling = self.model.get_model_object("model_sampling")
        share = 1.0 if denoise is None else denoise
        self.sigmas = _schedule(sampling, self.sampler, self.scheduler, steps, share)

    def sample(
        self,
        noise: Tensor,
        positive: Any,
        negative: Any,
        cfg: float,
        latent_image: Tensor | None = None,
        start_step: int | None = None,
        last_step: int | None = None,
        force_full_denoise: bool = False,
        denoise_mask: Tensor | None = None,
        sigmas: Tensor | None = None,
        callback: Any = None,
        disable_pbar: bool = False,
        seed: int | None = None,
    ) -> Tensor:
        """Latents after a part of the schedule."""
        if sigmas is None:
            sigmas = self.sigmas
        if last_step is not None and last_step < len(sigmas) - 1:
            sigmas = sigmas[: last_step + 1]
            if force_full_denoise:
                sigmas = torch.cat([sigmas[:-1], sigmas.new_zeros(1)])
        if start_step is not None:
            if start_step >= len(sigmas) - 1:
                return torch.zeros_like(noise) if latent_image is None else latent_image
            sigmas = sigmas[start_step:]
        return sample(
            self.model,
            noise,
            positive,
            negative,
            cfg,
            self.device,
            sampler_object(self.sampler),
            sigmas,
            self.model_options,
            latent_image=latent_image,
            denoise_mask=denoise_mask,
            callback=callback,
            disable_pbar=disable_pbar,
            seed=seed,
        )


def sample(
    model: Any,
    noise: Tensor,
    positive: Any,
    negative: Any,
    cfg: float,
    device: torch.device | None,
    sampler: Any,
    sigmas: Tensor,
    model_options: dict[str, Any] | None = None,
    latent_image: Tensor | None = None,
    denoise_mask: Tensor | None = None,
    callback: Any = None,
    disable_pbar: bool = False,
    seed: int | None = None,
) -> Tensor:
    """Latents at the last level, with plain guidance."""
    guider = CFGGuider(model)
    guider.set_conds(positive, negative)
    guider.set_cfg(cfg)
    if model_options:
        guider.model_options = model_options
    start = torch.zeros_like(noise) if latent_image is None else latent_image
    return guider.sample(noise, start, sampler, sigmas, denoise_mask, callback, disable_pbar, seed)


def calculate_sigmas(model_sampling: Any, scheduler_name: str, steps: int) -> Tensor:
    """(steps + 1,) levels of a schedule by name. Raises ValueError for a name that there is not."""
    if scheduler_name not in SCHEDULER_HANDLERS:
        raise ValueError(f"There is no scheduler called '{scheduler_name}'.")
    handler = SCHEDULER_HANDLERS[scheduler_name]
    if handler.use_ms:
        return handler.handler(model_sampling, steps)
    ends = {"sigma_min": float(model_sampling.sigma_min), "sigma_max": float(model_sampling.sigma_max)}
    return handler.handler(n=steps, **ends)


def sampler_object(name: str) -> KSAMPLER:
    """A sampler by name, in the combo or of a function that a pack added to `comfy.k_diffusion.sampling`."""
    return KSAMPLER.of(choose_sampler(name)) if name in SAMPLERS else ksampler(name)


def ksampler(
    sampler_name: str, extra_options: dict[str, Any] | None = None, inpaint_options: dict[str, Any] | None = None
) -> KSAMPLER:
    """A sampler by name with options for its function."""
    import comfy.k_diffusion.sampling

    if not extra_options and sampler_name in SAMPLERS:
        made = KSAMPLER(function_of(choose_sampler(sampler_name)), inpaint_options=inpaint_options)
        made.origin = choose_sampler(sampler_name)
        return made
    return KSAMPLER(comfy.k_diffusion.sampling.function_named(sampler_name), extra_options, inpaint_options)


def _schedule(sampling: Any, sampler: str, scheduler: str, steps: int, denoise: float = 1.0) -> Tensor:
    if scheduler in SCHEDULERS:
        return make_sigmas(levels.as_library(sampling), sampler, scheduler, steps, denoise)
    if denoise <= 0:
        return torch.zeros(0)
    drops = sampler in KSampler.DISCARD_PENULTIMATE_SIGMA_SAMPLERS
    sigmas = calculate_sigmas(sampling, scheduler, int(steps / denoise) + drops)
    return (torch.cat([sigmas[:-2], sigmas[-1:]]) if drops else sigmas)[-(steps + 1) :]
