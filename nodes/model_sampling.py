"""Nodes that change how a model's noise levels and predictions are read, or what becomes of its predictions.

The model that comes in stays as it is; its network is shared.
"""

from dataclasses import replace
from typing import Annotated, Literal, NamedTuple

import torch

from executor.schema import InputError, Widget
from nodes.declare import node
from nodes.diffusion.sampling import steering
from nodes.diffusion.sampling.masks import differential
from nodes.diffusion.sampling.prediction import (
    ContinuousSampling,
    DiscreteSampling,
    Prediction,
    distilled,
    make_flow,
    zero_terminal_snr,
)
from nodes.diffusion.values import Model as ModelValue
from nodes.types import Model

Level = Annotated[float, Widget("number", min=0.0, max=1000.0, step=0.001)]
Shift = Annotated[float, Widget("number", min=0.0, max=100.0, step=0.01)]
ComboSampling = Literal["eps", "v_prediction", "lcm", "x0", "img_to_img"]
COMPUTED = {"default": None, "fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
PREDICTIONS: dict[str, Prediction] = {"eps": "eps", "v_prediction": "v", "x0": "x0"}


class Patched(NamedTuple):
    """Output of the nodes that call it so."""

    patched_model: Model


@node("ModelSamplingDiscrete", category="advanced/model")
def model_sampling_discrete(*, model: Model, sampling: ComboSampling, zsnr: bool = False) -> Model:
    """Read the model's predictions in another way; `zsnr` stretches its noise levels until the last holds no signal."""
    known = model.sampling
    if sampling == "img_to_img":
        raise InputError("sampling", "img_to_img is for models that Heddle cannot load yet. Choose another one.")
    if not isinstance(known, DiscreteSampling) or known.stride != 1:
        raise InputError(
            "model",
            "ModelSamplingDiscrete needs a model with the list of its training steps. Connect it before other "
            "ModelSampling nodes.",
        )
    table = zero_terminal_snr(known.table) if zsnr else known.table
    if sampling == "lcm":
        return replace(model, sampling=distilled(DiscreteSampling("eps", table)))
    return replace(model, sampling=DiscreteSampling(PREDICTIONS[sampling], table))


@node("ModelSamplingContinuousEDM", category="advanced/model")
def model_sampling_continuous_edm(
    *,
    model: Model,
    sampling: Literal["v_prediction", "edm", "edm_playground_v2.5", "eps", "cosmos_rflow"],
    sigma_max: Level = 120.0,
    sigma_min: Level = 0.002,
) -> Model:
    """Take the model for one that knows every noise level between two, and is told log(sigma) / 4."""
    _check_levels(sigma_max, sigma_min)
    match sampling:
        case "v_prediction":
            return replace(model, sampling=ContinuousSampling("v", sigma_min, sigma_max))
        case "eps":
            return replace(model, sampling=ContinuousSampling("eps", sigma_min, sigma_max))
        case "edm":
            return replace(model, sampling=ContinuousSampling("edm", sigma_min, sigma_max, sigma_data=0.5))
    raise InputError("sampling", f"{sampling} is for models that Heddle cannot load yet. Choose another one.")


@node("ModelSamplingContinuousV", category="advanced/model")
def model_sampling_continuous_v(
    *,
    model: Model,
    sampling: Literal["v_prediction"],  # noqa: ARG001 the only choice
    sigma_max: Level = 500.0,
    sigma_min: Level = 0.03,
) -> Model:
    """Take the model for one that knows every noise level between two, and is told atan(sigma) 2 / pi."""
    _check_levels(sigma_max, sigma_min)
    return replace(model, sampling=ContinuousSampling("v", sigma_min, sigma_max, angle=True))


@node("ModelSamplingSD3", category="advanced/model")
def model_sampling_sd3(*, model: Model, shift: Shift = 3.0) -> Model:
    """Take the model for a rectified flow that is told 1000 sigma; `shift` above 1 spends more steps on noise."""
    return replace(model, sampling=make_flow(_positive_shift(shift)))


@node("ModelSamplingAuraFlow", category="advanced/model")
def model_sampling_aura_flow(*, model: Model, shift: Shift = 1.73) -> Model:
    """Take the model for a rectified flow that is told sigma itself; `shift` above 1 spends more steps on noise."""
    return replace(model, sampling=make_flow(_positive_shift(shift), multiplier=1.0))


@node("RescaleCFG", category="advanced/model")
def rescale_cfg(
    *, model: Model, multiplier: Annotated[float, Widget("number", min=0.0, max=1.0, step=0.01)] = 0.7
) -> Model:
    """Even out the contrast that a high cfg adds; the multiplier is how much of it."""
    return _steered(model, replace(model.steering, formula=steering.rescaled(multiplier)))


@node("CFGZeroStar", category="advanced/guidance")
def cfg_zero_star(*, model: Model) -> Patched:
    """Scale what to steer away from until it fits best what to steer towards."""
    return Patched(_steered(model, replace(model.steering, after=(*model.steering.after, steering.zero_star))))


@node("TCFG", category="advanced/guidance", display_name="Tangential Damping CFG")
def tcfg(*, model: Model) -> Patched:
    """Leave out of the negative prediction what it does not share with the positive one."""
    return Patched(_steered(model, replace(model.steering, before=(*model.steering.before, steering.damped))))


@node("APG", category="sampling/custom_sampling", display_name="Adaptive Projected Guidance")
def apg(
    *,
    model: Model,
    eta: Annotated[float, Widget("number", min=-10.0, max=10.0, step=0.01)] = 1.0,
    norm_threshold: Annotated[float, Widget("number", min=0.0, max=50.0, step=0.1)] = 5.0,
    momentum: Annotated[float, Widget("number", min=-5.0, max=1.0, step=0.01)] = 0.0,
) -> Model:
    """Keep a high cfg from oversaturating: bound what guidance adds; its part along the picture counts `eta` times."""
    prepare = steering.projected(eta, norm_threshold, momentum)
    return _steered(model, replace(model.steering, before=(*model.steering.before, prepare)))


@node("DifferentialDiffusion", category="_for_testing", display_name="Differential Diffusion", experimental=True)
def differential_diffusion(
    *, model: Model, strength: Annotated[float, Widget("number", min=0.0, max=1.0, step=0.01)] | None = 1.0
) -> Model:
    """Let a soft noise mask say from when on each place may change, instead of how much."""
    return replace(model, mask_rule=differential(1.0 if strength is None else strength))


@node("ModelComputeDtype", category="advanced/debug/model")
def model_compute_dtype(*, model: Model, dtype: Literal["default", "fp32", "fp16", "bf16"]) -> Model:
    """Say in which type the model computes; by default the device decides."""
    return replace(model, compute=COMPUTED[dtype])


def _steered(model: ModelValue, changed: steering.Steering) -> ModelValue:
    return replace(model, steering=changed)


def _check_levels(sigma_max: float, sigma_min: float) -> None:
    if not 0 < sigma_min < sigma_max:
        raise InputError(
            "sigma_min", f"sigma_min must be above 0 and below sigma_max; they are {sigma_min:g} and {sigma_max:g}."
        )


def _positive_shift(shift: float) -> float:
    if shift == 0:
        raise InputError("shift", "shift is 0, which leaves no noise at any step. Choose a larger one; 1 is no shift.")
    return shift
