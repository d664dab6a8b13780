"""Nodes that make and cut schedules of noise levels."""

import math
import re
from typing import Annotated, Literal, NamedTuple

import torch

from executor.schema import InputError, Widget
from nodes.declare import node
from nodes.diffusion.sampling import schedules
from nodes.types import Model, SchedulerName, Sigmas, Steps

SchedulerLevel = Annotated[float, Widget("number", min=0.0, max=5000.0, step=0.01)]
Rho = Annotated[float, Widget("number", min=0.0, max=100.0, step=0.01)]
Denoise = Annotated[float, Widget("number", min=0.0, max=1.0, step=0.01)]
Shape = Annotated[float, Widget("number", min=0.0, max=50.0, step=0.01)]

FLIPPED_START = 1e-4
"""Replaces a first level of 0, by which samplers would divide."""

BEYOND_ALL = 999999999.9
"""A level above that of any model: the wire has no infinity."""


class SplitSchedule(NamedTuple):
    """Outputs of the nodes that split; the level at the cut is in both."""

    high_sigmas: Sigmas
    low_sigmas: Sigmas


@node("BasicScheduler", category="sampling/custom_sampling/schedulers")
def basic_scheduler(*, model: Model, scheduler: SchedulerName, steps: Steps = 20, denoise: Denoise = 1.0) -> Sigmas:
    """A schedule by name; with `denoise` below 1 only its last part, in as many steps."""
    return schedules.scheduled(model.sampling, scheduler, steps, denoise)


@node("KarrasScheduler", category="sampling/custom_sampling/schedulers")
def karras_scheduler(
    *,
    steps: Steps = 20,
    sigma_max: SchedulerLevel = 14.614642,
    sigma_min: SchedulerLevel = 0.0291675,
    rho: Rho = 7.0,
) -> Sigmas:
    """Levels that crowd towards the low end, the more so the larger `rho` is."""
    if rho == 0:
        raise InputError("rho", "rho is 0, which gives no schedule. Choose a larger one; 7 is usual.")
    return schedules.karras_between(steps, sigma_max, sigma_min, rho)


@node("ExponentialScheduler", category="sampling/custom_sampling/schedulers")
def exponential_scheduler(
    *, steps: Steps = 20, sigma_max: SchedulerLevel = 14.614642, sigma_min: SchedulerLevel = 0.0291675
) -> Sigmas:
    """Levels that shrink by the same factor in every step."""
    _require_positive(sigma_max=sigma_max, sigma_min=sigma_min)
    return schedules.exponential_between(steps, sigma_max, sigma_min)


@node("PolyexponentialScheduler", category="sampling/custom_sampling/schedulers")
def polyexponential_scheduler(
    *,
    steps: Steps = 20,
    sigma_max: SchedulerLevel = 14.614642,
    sigma_min: SchedulerLevel = 0.0291675,
    rho: Rho = 1.0,
) -> Sigmas:
    """Exponential levels, bent by the power `rho`."""
    _require_positive(sigma_max=sigma_max, sigma_min=sigma_min)
    return schedules.polyexponential(steps, sigma_max, sigma_min, rho)


@node("LaplaceScheduler", category="sampling/custom_sampling/schedulers")
def laplace_scheduler(
    *,
    steps: Steps = 20,
    sigma_max: SchedulerLevel = 14.614642,
    sigma_min: SchedulerLevel = 0.0291675,
    mu: Annotated[float, Widget("number", min=-10.0, max=10.0, step=0.1)] = 0.0,
    beta: Annotated[float, Widget("number", min=0.0, max=10.0, step=0.1)] = 0.5,
) -> Sigmas:
    """Levels that crowd around e^mu, the more so the smaller `beta` is."""
    return schedules.laplace(steps, sigma_max, sigma_min, mu, beta)


@node("VPScheduler", category="sampling/custom_sampling/schedulers")
def vp_scheduler(
    *,
    steps: Steps = 20,
    beta_d: SchedulerLevel = 19.9,
    beta_min: SchedulerLevel = 0.1,
    eps_s: Annotated[float, Widget("number", min=0.0, max=1.0, step=0.0001)] = 0.001,
) -> Sigmas:
    """The levels of a variance-preserving diffusion at even times from 1 to `eps_s`."""
    return schedules.variance_preserving(steps, beta_d, beta_min, eps_s)


@node("BetaSamplingScheduler", category="sampling/custom_sampling/schedulers")
def beta_sampling_scheduler(*, model: Model, steps: Steps = 20, alpha: Shape = 0.6, beta: Shape = 0.6) -> Sigmas:
    """Timesteps at quantiles of a beta distribution: small values crowd them towards both ends."""
    if alpha == 0 or beta == 0:
        name = "alpha" if alpha == 0 else "beta"
        raise InputError(name, f"{name} is 0, which is no beta distribution. Choose a larger one; 0.6 is usual.")
    return schedules.beta(model.sampling, steps, alpha, beta)


@node("SDTurboScheduler", category="sampling/custom_sampling/schedulers")
def sd_turbo_scheduler(
    *,
    model: Model,
    steps: Annotated[int, Widget("number", min=1, max=10)] = 1,
    denoise: Annotated[float, Widget("number", min=0.0, max=1.0, step=0.01)] = 1.0,
) -> Sigmas:
    """The few levels that turbo models were distilled on."""
    return schedules.turbo(model.sampling, steps, denoise)


@node("AlignYourStepsScheduler", category="sampling/custom_sampling/schedulers")
def align_your_steps_scheduler(
    *,
    model_type: Literal["SD1", "SDXL", "SVD"],
    steps: Annotated[int, Widget("number", min=1, max=10_000)] = 10,
    denoise: Denoise = 1.0,
) -> Sigmas:
    """The ten levels that were optimised for a family of models, or as many as asked for between them."""
    return schedules.align_your_steps(model_type, steps, denoise)


@node("ManualSigmas", category="_for_testing/custom_sampling", experimental=True)
def manual_sigmas(*, sigmas: str = "1, 0.5") -> Sigmas:
    """The numbers in a text, in their order."""
    numbers = [float(number) for number in re.findall(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?", sigmas)]
    return torch.tensor(numbers, dtype=torch.float32)


@node("SplitSigmas", category="sampling/custom_sampling/sigmas")
def split_sigmas(*, sigmas: Sigmas, step: Annotated[int, Widget("number", min=0, max=10_000)] = 0) -> SplitSchedule:
    """Cut a schedule after a number of steps."""
    return SplitSchedule(sigmas[: step + 1], sigmas[step:])


@node("SplitSigmasDenoise", category="sampling/custom_sampling/sigmas")
def split_sigmas_denoise(*, sigmas: Sigmas, denoise: Denoise = 1.0) -> SplitSchedule:
    """Cut a schedule so that the second part holds the share `denoise` of the steps."""
    steps = max(0, len(sigmas) - 1)
    cut = steps - round(steps * denoise)
    return SplitSchedule(sigmas[: cut + 1], sigmas[cut:])


@node("FlipSigmas", category="sampling/custom_sampling/sigmas")
def flip_sigmas(*, sigmas: Sigmas) -> Sigmas:
    """Turn a schedule round, so that sampling adds noise instead of removing it."""
    flipped = sigmas.flip(0)
    if len(flipped) and flipped[0] == 0:
        flipped[0] = FLIPPED_START
    return flipped


@node("SetFirstSigma", category="sampling/custom_sampling/sigmas")
def set_first_sigma(
    *, sigmas: Sigmas, sigma: Annotated[float, Widget("number", min=0.0, max=20000.0, step=0.001)] = 136.0
) -> Sigmas:
    """Replace the first level."""
    return torch.cat([sigmas.new_tensor([sigma]), sigmas[1:]])


@node("ExtendIntermediateSigmas", category="sampling/custom_sampling/sigmas")
def extend_intermediate_sigmas(
    *,
    sigmas: Sigmas,
    steps: Annotated[int, Widget("number", min=1, max=100)] = 2,
    start_at_sigma: Annotated[float, Widget("number", min=-1.0, max=20000.0, step=0.01)] = -1.0,
    end_at_sigma: Annotated[float, Widget("number", min=0.0, max=20000.0, step=0.01)] = 12.0,
    spacing: Literal["linear", "cosine", "sine"],
) -> Sigmas:
    """Cut every step that begins between two levels into several; a start below 0 stands for no limit."""
    start = math.inf if start_at_sigma < 0 else start_at_sigma
    return schedules.refined(sigmas, steps, start, end_at_sigma, spacing)


class SigmaOutput(NamedTuple):
    """Output of the node that reads a level."""

    sigma_value: float


@node("SamplingPercentToSigma", category="sampling/custom_sampling/sigmas")
def sampling_percent_to_sigma(
    *,
    model: Model,
    sampling_percent: Annotated[float, Widget("number", min=0.0, max=1.0, step=0.0001)] = 0.0,
    return_actual_sigma: bool = False,
) -> SigmaOutput:
    """The model's noise level when a share of the sampling is done.

    At the two ends, unless the actual level is asked for, it is a level beyond all that a model can have.
    """
    sampling = model.sampling
    if 0 < sampling_percent < 1:
        return SigmaOutput(sampling.level_at(sampling_percent))
    ends = (sampling.sigma_max, sampling.sigma_min) if return_actual_sigma else (BEYOND_ALL, 0.0)
    return SigmaOutput(ends[0] if sampling_percent <= 0 else ends[1])


def _require_positive(**levels: float) -> None:
    for name, level in levels.items():
        if level <= 0:
            raise InputError(name, f"{name} is {level}, but levels that shrink by a factor must be above 0.")
