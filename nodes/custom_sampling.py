"""Nodes that put a sampling run together from its parts: noise, guider, sampler, sigmas."""

import math
from typing import Annotated, Literal, NamedTuple

from executor.progress import Progress
from executor.schema import Injected, InputError, Widget
from nodes.declare import node
from nodes.denoising import run_sampling
from nodes.diffusion.memory.device import DeviceMemory
from nodes.diffusion.sampling.guidance import CfgGuider, DualCfgGuider
from nodes.diffusion.sampling.guidance import PerpNegGuider as PerpNegGuiderValue
from nodes.diffusion.sampling.noise import Noise as NoiseValue
from nodes.diffusion.sampling.sample import Settings, add_noise_at
from nodes.diffusion.sampling.samplers import choose_sampler
from nodes.types import Cfg, Conditioning, Guider, Latent, Model, Noise, Sampler, SamplerName, Seed, Sigmas


class Sampled(NamedTuple):
    """Outputs of the custom samplers."""

    output: Latent
    denoised_output: Latent


@node("SamplerCustom", category="sampling/custom_sampling", lane="device")
def sampler_custom(
    *,
    model: Model,
    add_noise: bool = True,
    noise_seed: Seed = 0,
    cfg: Cfg = 8.0,
    positive: Conditioning,
    negative: Conditioning,
    sampler: Sampler,
    sigmas: Sigmas,
    latent_image: Latent,
    memory: Injected[DeviceMemory],
    progress: Injected[Progress],
) -> Sampled:
    """Denoise a latent along given sigmas. The second output is what the last step takes for the clean latent."""
    _check_levels(sigmas)
    guider = CfgGuider(model, positive, negative, cfg)
    settings = Settings(sampler, sigmas, NoiseValue(noise_seed, blank=not add_noise))
    return Sampled(*run_sampling(guider, latent_image, settings, memory, progress))


@node("SamplerCustomAdvanced", category="sampling/custom_sampling", lane="device")
def sampler_custom_advanced(
    *,
    noise: Noise,
    guider: Guider,
    sampler: Sampler,
    sigmas: Sigmas,
    latent_image: Latent,
    memory: Injected[DeviceMemory],
    progress: Injected[Progress],
) -> Sampled:
    """Denoise a latent with a guider. The second output is what the last step takes for the clean latent."""
    _check_levels(sigmas)
    try:
        return Sampled(*run_sampling(guider, latent_image, Settings(sampler, sigmas, noise), memory, progress))
    except InputError as error:
        if error.input_name == "latent_image":
            raise
        raise InputError("guider", f"{str(error).removesuffix('.')} ({error.input_name} of the guider).") from error


@node("KSamplerSelect", category="sampling/custom_sampling/samplers")
def k_sampler_select(*, sampler_name: SamplerName) -> Sampler:
    """A sampler by name."""
    return choose_sampler(sampler_name)


@node("RandomNoise", category="sampling/custom_sampling/noise")
def random_noise(*, noise_seed: Seed = 0) -> Noise:
    """Noise that depends on the seed alone."""
    return NoiseValue(noise_seed)


@node("DisableNoise", category="sampling/custom_sampling/noise")
def disable_noise() -> Noise:
    """No noise, for a latent that already carries some."""
    return NoiseValue(0, blank=True)


@node("AddNoise", category="_for_testing/custom_sampling/noise", experimental=True)
def add_noise(*, model: Model, noise: Noise, sigmas: Sigmas, latent_image: Latent) -> Latent:
    """Noise a latent as far as the sigmas go: from the first one down to the last."""
    if len(sigmas) == 0:
        return latent_image
    level = float((sigmas[0] - sigmas[-1]).abs()) if len(sigmas) > 1 else float(sigmas[0])
    return add_noise_at(model, latent_image, noise, level)


@node("BasicGuider", category="sampling/custom_sampling/guiders")
def basic_guider(*, model: Model, conditioning: Conditioning) -> Guider:
    """Follow one conditioning, without anything to steer away from."""
    return CfgGuider(model, conditioning, (), 1.0)


@node("CFGGuider", category="sampling/custom_sampling/guiders")
def cfg_guider(*, model: Model, positive: Conditioning, negative: Conditioning, cfg: Cfg = 8.0) -> Guider:
    """Steer towards `positive` and away from `negative`."""
    return CfgGuider(model, positive, negative, cfg)


@node("DualCFGGuider", category="sampling/custom_sampling/guiders")
def dual_cfg_guider(
    *,
    model: Model,
    cond1: Conditioning,
    cond2: Conditioning,
    negative: Conditioning,
    cfg_conds: Cfg = 8.0,
    cfg_cond2_negative: Cfg = 8.0,
    style: Literal["regular", "nested"],
) -> Guider:
    """Steer from `negative` towards `cond2`, and from there towards `cond1`, each with a scale of its own."""
    return DualCfgGuider(model, cond1, cond2, negative, cfg_conds, cfg_cond2_negative, nested=style == "nested")


@node("PerpNegGuider", category="_for_testing", experimental=True)
def perp_neg_guider(
    *,
    model: Model,
    positive: Conditioning,
    negative: Conditioning,
    empty_conditioning: Conditioning,
    cfg: Cfg = 8.0,
    neg_scale: Annotated[float, Widget("number", min=0.0, max=100.0, step=0.01)] = 1.0,
) -> Guider:
    """Steer away only from what of `negative` is no part of `positive`, both compared with an empty text."""
    return PerpNegGuiderValue(model, positive, negative, empty_conditioning, cfg, neg_scale)


def _check_levels(sigmas: Sigmas) -> None:
    """Raise InputError for levels that no sampler can step from."""
    bad = [index for index, level in enumerate(sigmas[:-1].tolist()) if not 0 < level < math.inf]
    if bad:
        raise InputError(
            "sigmas",
            f"Level {bad[0] + 1} of the {len(sigmas)} noise levels is {sigmas[bad[0]]:g}; all but the last one must be "
            "above 0. To add noise step by step, turn a schedule round with FlipSigmas.",
        )
