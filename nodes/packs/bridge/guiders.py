"""Guiders and samplers of packs in our sampling runs, and ours in theirs.

A run that any part of a pack takes part in goes the way that packs know: a guider's `sample`, its sampler's `sample`,
the functions of the model's options. The numbers below are ours all the same.
"""

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from nodes.diffusion.sampling.guidance import CfgGuider, DualCfgGuider, Guider, PerpNegGuider
from nodes.diffusion.sampling.sample import Outcome, Settings
from nodes.diffusion.sampling.samplers.contract import Denoiser, Report, SamplerChoice
from nodes.diffusion.values import Latent, Model
from nodes.packs.bridge import conditions
from nodes.packs.bridge.missing import Unsupported


@dataclass(frozen=True, slots=True, eq=False)
class PackGuider:
    """A guider of a pack. Its model brings a run of its own, in which the guider does everything."""

    source: Any
    model: Model

    def denoiser(self, latent: Tensor) -> Denoiser:  # noqa: ARG002 the protocol's
        """A pack's guider cannot be taken out of its run. Raises Unsupported."""
        raise Unsupported(f"{type(self.source).__name__} of a node pack guides whole sampling runs only.")


@dataclass(frozen=True, slots=True)
class PackSampler:
    """A sampler of a pack, in the place of a sampler function of ours. It brings a run of its own."""

    source: Any

    def __call__(self, *_: Any) -> Tensor:
        """A pack's sampler cannot be taken out of its run. Raises Unsupported."""
        raise Unsupported(f"{type(self.source).__name__} of a node pack makes whole sampling runs only.")


def to_guider(guider: Guider) -> Any:
    """The guider as an object with `sample`, `predict_noise`, `set_conds`."""
    import comfy.samplers
    from comfy_extras import nodes_custom_sampler, nodes_perpneg

    match guider:
        case PackGuider():
            return guider.source
        case DualCfgGuider():
            groups = (guider.first, guider.second, guider.negative)
            made = nodes_custom_sampler.Guider_DualCFG(_patcher(guider.model))
            made.set_conds(*map(conditions.to_list, groups))
            made.set_cfg(guider.cfg_first, guider.cfg_second, nested=guider.nested)
        case PerpNegGuider():
            made = nodes_perpneg.Guider_PerpNeg(_patcher(guider.model))
            made.set_conds(*map(conditions.to_list, (guider.positive, guider.negative, guider.empty)))
            made.set_cfg(guider.cfg, guider.scale)
        case CfgGuider():
            made = comfy.samplers.CFGGuider(_patcher(guider.model))
            made.set_conds(conditions.to_list(guider.positive), conditions.to_list(guider.negative))
            made.set_cfg(guider.cfg)
        case _:
            raise Unsupported(f"{type(guider).__name__} cannot be handed to a node pack.")
    made.remember(guider)
    return made


def of_guider(value: Any) -> Guider:
    """The guider behind an object that a pack gave. Raises Unsupported for one without a model."""
    remembered = getattr(value, "remembered", None)
    origin = remembered() if callable(remembered) else None
    if origin is not None:
        return origin
    patcher = getattr(value, "model_patcher", None)
    if patcher is None:
        raise Unsupported(f"{type(value).__name__} of a node pack is a guider without `model_patcher`.")
    return PackGuider(value, replace(patcher.to_value(), run=run))


def to_sampler(choice: SamplerChoice, *, cpu_noise: bool = False) -> Any:
    """The sampler as an object with `sample`; `cpu_noise` as in `Settings`."""
    import comfy.samplers

    if isinstance(choice.function, PackSampler):
        return choice.function.source
    return comfy.samplers.KSAMPLER.of(choice, cpu_noise)


def of_sampler(value: Any) -> SamplerChoice:
    """The sampler behind an object that a pack gave."""
    origin = getattr(value, "origin", None)
    if isinstance(origin, SamplerChoice) and value.unchanged():
        return origin
    return SamplerChoice(PackSampler(value), run=run)


def run(guider: Guider, latent: Latent, settings: Settings, report: Report) -> Outcome:
    """A `sampling.sample.Run` in which packs take part."""
    theirs = to_guider(guider)
    mask = latent.noise_mask
    last: list[Tensor] = []

    def callback(step: int, denoised: Tensor, x: Tensor, total_steps: int) -> None:  # noqa: ARG001 packs' order
        last[:] = [denoised]
        report(step, denoised)

    samples: Tensor = theirs.sample(
        settings.noise.of(latent),
        latent.samples.to(torch.float32),
        to_sampler(settings.sampler, cpu_noise=settings.cpu_noise),
        settings.sigmas,
        denoise_mask=None if mask is None else mask.reshape(-1, 1, *mask.shape[-2:]),
        callback=callback,
        disable_pbar=True,
        seed=settings.noise.seed,
    )
    made = replace(latent, samples=samples.to("cpu", torch.float32))
    if not last:
        return Outcome(made, made)
    return Outcome(made, replace(latent, samples=(last[0].float() / guider.model.latent_scale).cpu()))


def _patcher(model: Model) -> Any:
    import comfy.model_patcher

    return comfy.model_patcher.ModelPatcher.of(model)
