"""The entrances to sampling that packs call: `sample`, `sample_custom`, and what goes before them."""

from typing import Any

import torch
from torch import Tensor

import comfy.model_management
import comfy.samplers
from nodes.diffusion.sampling.noise import initial_noise


def prepare_noise(latent_image: Tensor, seed: int, noise_inds: Any = None) -> Tensor:
    """Noise for (N, ...) latents; with `noise_inds`, row i is that of picture `noise_inds[i]` of a batch."""
    return initial_noise(latent_image, seed, None if noise_inds is None else [int(one) for one in noise_inds])


def fix_empty_latent_channels(model: Any, latent_image: Tensor, *_: Any, **__: Any) -> Tensor:
    """Blank latents with as many channels as the model wants; any others stay as they are."""
    channels = model.get_model_object("latent_format").latent_channels
    if latent_image.shape[1] != channels and bool(torch.count_nonzero(latent_image) == 0):
        latent_image = latent_image.new_zeros(latent_image.shape[0], channels, *latent_image.shape[2:])
    return latent_image


def sample(
    model: Any,
    noise: Tensor,
    steps: int,
    cfg: float,
    sampler_name: str,
    scheduler: str,
    positive: Any,
    negative: Any,
    latent_image: Tensor,
    denoise: float = 1.0,
    disable_noise: bool = False,
    start_step: int | None = None,
    last_step: int | None = None,
    force_full_denoise: bool = False,
    noise_mask: Tensor | None = None,
    sigmas: Tensor | None = None,
    callback: Any = None,
    disable_pbar: bool = False,
    seed: int | None = None,
) -> Tensor:
    """Latents after a sampler and a schedule by name."""
    sampler = comfy.samplers.KSampler(
        model,
        steps=steps,
        device=model.load_device,
        sampler=sampler_name,
        scheduler=scheduler,
        denoise=denoise,
        model_options=model.model_options,
    )
    samples: Tensor = sampler.sample(
        noise,
        positive,
        negative,
        cfg=cfg,
        latent_image=latent_image,
        start_step=start_step,
        last_step=last_step,
        force_full_denoise=force_full_denoise,
        denoise_mask=noise_mask,
        sigmas=sigmas,
        callback=callback,
        disable_pbar=disable_pbar,
        seed=seed,
    )
    return samples.to(comfy.model_management.intermediate_device())


def sample_custom(
    model: Any,
    noise: Tensor,
    cfg: float,
    sampler: Any,
    sigmas: Tensor,
    positive: Any,
    negative: Any,
    latent_image: Tensor,
    noise_mask: Tensor | None = None,
    callback: Any = None,
    disable_pbar: bool = False,
    seed: int | None = None,
) -> Tensor:
    """Latents after a sampler object along given levels."""
    samples: Tensor = comfy.samplers.sample(
        model,
        noise,
        positive,
        negative,
        cfg,
        model.load_device,
        sampler,
        sigmas,
        model_options=model.model_options,
        latent_image=latent_image,
        denoise_mask=noise_mask,
        callback=callback,
        disable_pbar=disable_pbar,
        seed=seed,
    )
    return samples.to(comfy.model_management.intermediate_device())


def prepare_sampling(model: Any, noise_shape: Any, positive: Any, negative: Any, noise_mask: Any) -> tuple[Any, ...]:
    """What older packs call first; everything is prepared by `sample` itself."""
    return model, positive, negative, noise_mask, []


def cleanup_additional_models(models: Any) -> None:
    """Let further models go."""
    import comfy.sampler_helpers

    comfy.sampler_helpers.cleanup_additional_models(models)
