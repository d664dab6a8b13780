"""Nodes that make, encode, decode, resize and save latents."""

import json
from typing import Annotated, Literal

import torch
from safetensors.torch import save

from executor.folders import Folders, PathError
from executor.schema import Injected, InputError, RunInfo, Widget
from nodes.declare import Shown, node
from nodes.diffusion import autoencoder, resize
from nodes.diffusion.memory.device import DeviceMemory
from nodes.diffusion.values import Latent as LatentValue
from nodes.output_files import OutputSeries, write_whole
from nodes.types import Image, Latent, Mask, Vae

Side = Annotated[int, Widget("number", min=16, max=16384, step=8)]
NewSide = Annotated[int, Widget("number", min=0, max=16384, step=8)]
UpscaleMethod = Literal["nearest-exact", "bilinear", "area", "bicubic", "bislerp"]

EMPTY_CHANNELS = 4
CELL = 8
"""Pixels along the side of a latent cell, for latents that no autoencoder has seen yet."""


@node("EmptyLatentImage", category="latent", display_name="Empty Latent Image")
def empty_latent_image(
    *,
    width: Side = 512,
    height: Side = 512,
    batch_size: Annotated[int, Widget("number", min=1, max=4096)] = 1,
) -> Latent:
    """A blank latent of a picture's size, to be filled by sampling."""
    return LatentValue(torch.zeros(batch_size, EMPTY_CHANNELS, height // CELL, width // CELL))


@node("VAEDecode", category="latent", display_name="VAE Decode", lane="device")
def vae_decode(*, samples: Latent, vae: Vae, memory: Injected[DeviceMemory]) -> Image:
    """Decode a latent to a picture."""
    with memory.resident(vae.network):
        return autoencoder.decode(vae, samples.samples)


@node("VAEEncode", category="latent", display_name="VAE Encode", lane="device")
def vae_encode(*, pixels: Image, vae: Vae, memory: Injected[DeviceMemory]) -> Latent:
    """Encode a picture to a latent. Sides that are no multiple of 8 are cut evenly at both ends."""
    try:
        with memory.resident(vae.network):
            return LatentValue(autoencoder.encode(vae, pixels))
    except ValueError as error:
        raise InputError("pixels", str(error)) from error


@node("LatentUpscale", category="latent", display_name="Upscale Latent")
def latent_upscale(
    *,
    samples: Latent,
    upscale_method: UpscaleMethod,
    width: NewSide = 512,
    height: NewSide = 512,
    crop: Literal["disabled", "center"],
) -> Latent:
    """Resize a latent. A side of 0 follows from the other one; if both are 0 nothing happens."""
    if width == 0 and height == 0:
        return samples
    old_height, old_width = samples.samples.shape[-2:]
    columns = max(64, width) // CELL if width else max(8, round(old_width * max(64, height) / CELL / old_height))
    rows = max(64, height) // CELL if height else max(8, round(old_height * max(64, width) / CELL / old_width))
    source = resize.centred(samples.samples, columns, rows) if crop == "center" else samples.samples
    return LatentValue(resize.resize(source, columns, rows, upscale_method), samples.noise_mask)


@node("LatentUpscaleBy", category="latent", display_name="Upscale Latent By")
def latent_upscale_by(
    *,
    samples: Latent,
    upscale_method: UpscaleMethod,
    scale_by: Annotated[float, Widget("number", min=0.01, max=8.0, step=0.01)] = 1.5,
) -> Latent:
    """Resize a latent by a factor."""
    rows, columns = (max(1, round(side * scale_by)) for side in samples.samples.shape[-2:])
    return LatentValue(resize.resize(samples.samples, columns, rows, upscale_method), samples.noise_mask)


@node("SetLatentNoiseMask", category="latent/inpaint", display_name="Set Latent Noise Mask")
def set_latent_noise_mask(*, samples: Latent, mask: Mask) -> Latent:
    """Let sampling change a latent only where the mask is 1."""
    return LatentValue(samples.samples, mask)


@node("SaveLatent", category="_for_testing", is_output=True)
def save_latent(
    *, samples: Latent, filename_prefix: str = "latents/ComfyUI", folders: Injected[Folders], run: Injected[RunInfo]
) -> Shown:
    """Save a latent to the output folder, with the workflow inside."""
    try:
        series = OutputSeries(folders, "output", filename_prefix)
        path, shown = series.next(".latent")
    except PathError as error:
        raise InputError("filename_prefix", str(error)) from error
    metadata = {"prompt": json.dumps(run.prompt)}
    metadata |= {name: json.dumps(value) for name, value in run.extra_pnginfo.items()}
    # An empty tensor of this name tells the format's readers that the latent is not multiplied by a model's scale.
    tensors = {"latent_tensor": samples.samples.contiguous(), "latent_format_version_0": torch.tensor([])}
    write_whole(path, save(tensors, metadata))
    return Shown({"latents": [shown]})
