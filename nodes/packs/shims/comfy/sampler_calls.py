"""Predictions and guidance as packs call and change them: `sampling_function`, `calc_cond_batch`, `cfg_function`.

The layout of conditions and the weighting of predictions are those of our library.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

import comfy.model_management
import comfy.patcher_extension as extension
from comfy.conds_of_packs import conditioning_of
from nodes.diffusion.sampling.guidance import Pass, Predictions
from nodes.diffusion.sampling.steering import Guided, cannot_ask, steer

Conds = list[dict[str, Any]]


def sampling_function(
    model: Any,
    x: Tensor,
    timestep: Tensor,
    uncond: Conds | None,
    cond: Conds,
    cond_scale: float,
    model_options: dict[str, Any] | None = None,
    seed: int | None = None,
) -> Tensor:
    """The guided clean latents for `x` at levels (N,) `timestep`."""
    options = model_options or {}
    has_say = (
        cond_scale != 1.0
        or options.get("disable_cfg1_optimization", False)
        or (model.value.steering.reads_negative and bool(uncond))
    )
    conds = [cond, uncond if has_say else None]
    if "sampler_calc_cond_batch_function" in options:
        args = {"conds": conds, "input": x, "sigma": timestep, "model": model, "model_options": options}
        out = options["sampler_calc_cond_batch_function"](args)
    elif has_say or _wrappers(options):
        out = calc_cond_batch(model, conds, x, timestep, options)
    else:
        # What has no say still lends its areas, so that conditions lie in the same places at every scale.
        (positive,) = _predict(model, [cond, uncond], x, timestep, options, wanted=(0,))
        out = [positive, positive if model.value.steering.active else torch.zeros_like(x)]
    for function in options.get("sampler_pre_cfg_function", ()):
        out = function(
            {
                "conds": conds, "conds_out": out, "cond_scale": cond_scale, "timestep": timestep, "input": x,
                "sigma": timestep, "model": model, "model_options": options,
            }
        )  # fmt: skip
    return cfg_function(
        model, out[0], out[1], cond_scale, x, timestep, model_options=options, cond=cond, uncond=conds[1]
    )


def cfg_function(
    model: Any,
    cond_pred: Tensor,
    uncond_pred: Tensor,
    cond_scale: float,
    x: Tensor,
    timestep: Tensor,
    model_options: dict[str, Any] | None = None,
    cond: Any = None,
    uncond: Any = None,
) -> Tensor:
    """negative + cfg (positive - negative), or what the options put in its place, and what they do afterwards."""
    options, steering = model_options or {}, model.value.steering
    told = {"cond_scale": cond_scale, "model": model, "model_options": options, "input": x, "sigma": timestep}
    if "sampler_cfg_function" in options:

        def theirs(step: Guided) -> Tensor:
            args = {
                "cond": x - step.positive, "uncond": x - step.negative, "timestep": timestep,
                "cond_denoised": step.positive, "uncond_denoised": step.negative, "input_cond": cond,
                "input_uncond": uncond,
            }  # fmt: skip
            return x - options["sampler_cfg_function"]({**told, **args})

        steering = replace(steering, formula=theirs)
    level, sampling = float(timestep.reshape(-1)[0]), model.sampled_value().sampling
    ask = cannot_ask
    if cond is not None:
        ask = _predictions(model, [cond, uncond], x, timestep, options).asking(level)
    step = Guided(x, level, cond_pred, uncond_pred, cond_scale, sampling, cond_pred, model.steered, ask)
    return _after(steer(steering, step), cond_pred, uncond_pred, {**told, "cond": cond, "uncond": uncond})


def after_guidance(
    model: Any, guided: Tensor, cond_pred: Tensor, uncond_pred: Tensor, x: Tensor, told: dict[str, Any]
) -> Tensor:
    """What becomes of latents that a guider computed by itself. `told` is what functions of packs are told beside."""
    level, sampling = float(told["sigma"].reshape(-1)[0]), model.sampled_value().sampling
    step = Guided(x, level, cond_pred, uncond_pred, told["cond_scale"], sampling, guided, model.steered)
    for formula in model.value.steering.after:
        step = replace(step, denoised=formula(step))
    return _after(step.denoised, cond_pred, uncond_pred, {**told, "model": model, "input": x})


def _after(result: Tensor, cond_pred: Tensor, uncond_pred: Tensor, told: dict[str, Any]) -> Tensor:
    """The guided latents after the functions in the options."""
    for function in told["model_options"].get("sampler_post_cfg_function", ()):
        result = function({**told, "denoised": result, "uncond_denoised": uncond_pred, "cond_denoised": cond_pred})
    return result


def calc_cond_batch(
    model: Any, conds: Sequence[Conds | None], x_in: Tensor, timestep: Tensor, model_options: dict[str, Any]
) -> list[Tensor]:
    """The clean latents under each of several conditionings; zeros for one that is None."""
    executor = extension.WrapperExecutor.new_executor(_predict, _wrappers(model_options))
    return executor.execute(model, conds, x_in, timestep, model_options)


def calc_cond_uncond_batch(
    model: Any, cond: Conds, uncond: Conds | None, x_in: Tensor, timestep: Tensor, model_options: dict[str, Any]
) -> tuple[Tensor, ...]:
    """The same for two."""
    return tuple(calc_cond_batch(model, [cond, uncond], x_in, timestep, model_options))


def _wrappers(options: dict[str, Any]) -> list[Any]:
    kind = extension.WrappersMP.CALC_COND_BATCH
    return extension.get_all_wrappers(kind, options, is_model_options=True)


def _predict(
    model: Any,
    conds: Sequence[Conds | None],
    x: Tensor,
    timestep: Tensor,
    options: dict[str, Any],
    wanted: Sequence[int] | None = None,
) -> list[Tensor]:
    comfy.model_management.throw_exception_if_processing_interrupted()
    predictions = _predictions(model, conds, x, timestep, options)
    return predictions(x, float(timestep.reshape(-1)[0]), range(len(conds)) if wanted is None else wanted)


def _predictions(
    model: Any, conds: Sequence[Conds | None], x: Tensor, timestep: Tensor, options: dict[str, Any]
) -> Predictions:
    groups = [conditioning_of(cond) for cond in conds]
    start = x if model.start is None or model.start.shape != x.shape else model.start
    around = _around(model, timestep, options)
    return Predictions(model.sampled_value(), groups, start, around, model.steered)


def _around(model: Any, timestep: Tensor, options: dict[str, Any]) -> Callable[[Any, Pass], Tensor]:
    """Sends each batch through `apply_model`, and through the wrapper in the options."""

    def around(_: Any, one: Pass) -> Tensor:
        transformer = dict(options.get("transformer_options", {}))
        transformer |= {"cond_or_uncond": list(one.groups), "sigmas": timestep}
        told = {"c_crossattn": one.tokens, "transformer_options": transformer}
        if one.told.channels is not None:
            told["c_concat"] = one.told.channels
        if one.alterations:
            told["alterations"] = one.alterations
        if one.told.grounds:
            told["told_grounds"] = one.told.grounds
        if one.told.controls:
            told["told_controls"] = one.told.controls
        if one.told.vectors:
            told["told_vectors"] = one.told.vectors
        if "model_function_wrapper" not in options:
            return model.apply_model(one.x, one.sigma, **told)
        args = {"input": one.x, "timestep": one.sigma, "c": told, "cond_or_uncond": list(one.groups)}
        answer: Tensor = options["model_function_wrapper"](model.apply_model, args)
        return answer

    return around
