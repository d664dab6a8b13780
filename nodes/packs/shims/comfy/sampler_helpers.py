"""Steps around a sampling run that packs call themselves: conditions, masks, further models, residency."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

import comfy.model_management
import comfy.patcher_extension as extension
from comfy.conds_of_packs import convert_cond
from nodes.diffusion.sampling.regions import fit_mask

__all__ = [
    "cleanup_additional_models", "cleanup_models", "convert_cond", "get_additional_models",
    "get_models_from_cond", "prepare_mask", "prepare_model_patcher", "prepare_sampling",
]  # fmt: skip


def prepare_mask(noise_mask: Tensor, shape: Sequence[int], device: torch.device) -> Tensor:
    """A mask of any size as (N, channels, h, w) for latents of `shape`."""
    like = torch.empty(tuple(shape), device=device)
    return fit_mask(noise_mask, like).expand(*shape)


def get_models_from_cond(cond: Iterable[Mapping[str, Any]], model_type: str) -> list[Any]:
    """What conditions hold under a key."""
    return [one[model_type] for one in cond if one.get(model_type) is not None]


def get_additional_models(conds: Mapping[str, Any], dtype: torch.dtype) -> tuple[list[Any], float]:
    """Models that conditions need beside the sampled one, and the bytes that they take."""
    controls = [one for cond in conds.values() for one in get_models_from_cond(cond, "control")]
    models = [model for control in dict.fromkeys(controls) for model in control.get_models()]
    memory = sum(control.inference_memory_requirements(dtype) for control in dict.fromkeys(controls))
    return models, memory


def cleanup_additional_models(models: Iterable[Any]) -> None:
    """Let further models go."""
    for model in models:
        if hasattr(model, "cleanup"):
            model.cleanup()


def prepare_sampling(
    model: Any, noise_shape: Sequence[int], conds: dict[str, Any], model_options: dict[str, Any] | None = None
) -> tuple[Any, dict[str, Any], list[Any]]:
    """Make everything resident: (the model to sample with, conditions, further models)."""
    wrappers = extension.get_all_wrappers(
        extension.WrappersMP.PREPARE_SAMPLING, model_options or {}, is_model_options=True
    )
    executor = extension.WrapperExecutor.new_executor(_prepare_sampling, wrappers)
    return executor.execute(model, noise_shape, conds, model_options)


def cleanup_models(conds: Mapping[str, Any], models: Iterable[Any]) -> None:
    """Let everything go."""
    cleanup_additional_models(models)
    for cond in conds.values():
        cleanup_additional_models(get_models_from_cond(cond, "control"))


def prepare_model_patcher(model: Any, conds: Mapping[str, Any], model_options: dict[str, Any]) -> None:
    """Put the patcher's wrappers and callbacks into the options of a run."""
    options = model_options.setdefault("transformer_options", {})
    for name in ("wrappers", "callbacks"):
        options[name] = extension.merged(options.get(name, {}), getattr(model, name))


def _prepare_sampling(
    model: Any,
    noise_shape: Sequence[int],
    conds: dict[str, Any],
    model_options: dict[str, Any] | None = None,
) -> tuple[Any, dict[str, Any], list[Any]]:
    model.check_sampling()
    further, _ = get_additional_models(conds, model.model_dtype())
    further += model.get_additional_models()
    comfy.model_management.load_models_gpu([model, *further])
    for callback in model.get_all_callbacks(extension.CallbacksMP.ON_LOAD):
        callback(model, model.load_device, 0, False, True)
    return model.sampled_model(), conds, further
