"""Nodes that make, encode, decode, resize and save latents."""

import json
from dataclasses import replace
from typing import Annotated, Literal

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from executor.folders import Folders, PathError
from executor.schema import FolderChoices, Injected, InputError, RunInfo, Widget
from nodes.coding import decoded, encoded, fitting, naming, require_pixels
from nodes.declare import Shown, node
from nodes.diffusion import autoencoder, resize
from nodes.diffusion.memory.activations import of_autoencoder
from nodes.diffusion.memory.device import DeviceMemory
from nodes.diffusion.values import Latent as LatentValue
from nodes.input_files import input_digest
from nodes.output_files import OutputSeries, naming_prefix
from nodes.types import Image, Latent, Mask, Vae

Side = Annotated[int, Widget("number", min=16, max=16384, step=8)]
NewSide = Annotated[int, Widget("number", min=0, max=16384, step=8)]
UpscaleMethod = Literal["nearest-exact", "bilinear", "area", "bicubic", "bislerp"]

EMPTY_CHANNELS = 4
FORMAT_MARK = "latent_format_version_0"
"""An empty tensor of this name in a file tells that the latent is not multiplied by a model's scale."""
OLD_SCALE = 0.18215
"""The scale in files without the mark."""

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
    for name, side in (("width", width), ("height", height)):
        if side % CELL:
            low = side // CELL * CELL
            raise InputError(name, f"{name} is {side}, which is no multiple of {CELL}: use {low} or {low + CELL}.")
    return LatentValue(torch.zeros(batch_size, EMPTY_CHANNELS, height // CELL, width // CELL))


@node("VAEDecode", category="latent", display_name="VAE Decode", lane="device")
def vae_decode(*, samples: Latent, vae: Vae, memory: Injected[DeviceMemory]) -> Image:
    """Decode a latent to a picture."""
    return decoded(vae, samples, memory)


@node("VAEEncode", category="latent", display_name="VAE Encode", lane="device")
def vae_encode(*, pixels: Image, vae: Vae, memory: Injected[DeviceMemory]) -> Latent:
    """Encode a picture to a latent. Sides that are no multiple of 8 are cut evenly at both ends."""
    return LatentValue(encoded(vae, pixels, memory), space=vae.space)


@node("VAEDecodeTiled", category="_for_testing", display_name="VAE Decode (Tiled)", lane="device")
def vae_decode_tiled(
    *,
    samples: Latent,
    vae: Vae,
    tile_size: Annotated[int, Widget("number", min=64, max=4096, step=32)] = 512,
    overlap: Annotated[int, Widget("number", min=0, max=4096, step=32)] = 64,
    temporal_size: Annotated[int, Widget("number", min=8, max=4096, step=4)] = 64,  # noqa: ARG001 for video only
    temporal_overlap: Annotated[int, Widget("number", min=4, max=4096, step=4)] = 8,  # noqa: ARG001 for video only
    memory: Injected[DeviceMemory],
) -> Image:
    """Decode a latent to a picture piece by piece, which takes less memory."""
    activations = of_autoencoder(vae.network, memory.dtype("vae"), tile_size, tile_size)
    with memory.resident(vae.network, activations=activations):
        return autoencoder.decode_tiled(vae, fitting(samples, vae), tile_size, overlap)


@node("VAEEncodeTiled", category="_for_testing", display_name="VAE Encode (Tiled)", lane="device")
def vae_encode_tiled(
    *,
    pixels: Image,
    vae: Vae,
    tile_size: Annotated[int, Widget("number", min=64, max=4096, step=64)] = 512,
    overlap: Annotated[int, Widget("number", min=0, max=4096, step=32)] = 64,
    temporal_size: Annotated[int, Widget("number", min=8, max=4096, step=4)] = 64,  # noqa: ARG001 for video only
    temporal_overlap: Annotated[int, Widget("number", min=4, max=4096, step=4)] = 8,  # noqa: ARG001 for video only
    memory: Injected[DeviceMemory],
) -> Latent:
    """Encode a picture to a latent piece by piece, which takes less memory."""
    activations = of_autoencoder(vae.network, memory.dtype("vae"), tile_size, tile_size)
    with memory.resident(vae.network, activations=activations), naming("pixels"):
        return LatentValue(autoencoder.encode_tiled(vae, pixels, tile_size, overlap), space=vae.space)


@node("VAEEncodeForInpaint", category="latent/inpaint", display_name="VAE Encode (for Inpainting)", lane="device")
def vae_encode_for_inpaint(
    *,
    pixels: Image,
    vae: Vae,
    mask: Mask,
    grow_mask_by: Annotated[int, Widget("number", min=0, max=64, step=1)] = 6,
    memory: Injected[DeviceMemory],
) -> Latent:
    """Encode a picture with grey where the mask is 1, and let sampling fill that part, widened by some pixels."""
    require_pixels(mask)
    masks = resize.resize(mask.reshape(-1, 1, *mask.shape[-2:]), pixels.shape[2], pixels.shape[1], "bilinear").round()
    hidden = masks[:, 0, :, :, None]
    samples = encoded(vae, (pixels[..., :3] - 0.5) * (1 - hidden) + 0.5, memory)
    masks = autoencoder.cropped(masks.movedim(1, -1), vae.factor).movedim(-1, 1)
    return LatentValue(samples, _widened(masks, grow_mask_by)[:, 0], space=vae.space)


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
    return replace(samples, samples=resize.resize(source, columns, rows, upscale_method))


@node("LatentUpscaleBy", category="latent", display_name="Upscale Latent By")
def latent_upscale_by(
    *,
    samples: Latent,
    upscale_method: UpscaleMethod,
    scale_by: Annotated[float, Widget("number", min=0.01, max=8.0, step=0.01)] = 1.5,
) -> Latent:
    """Resize a latent by a factor."""
    rows, columns = (max(1, round(side * scale_by)) for side in samples.samples.shape[-2:])
    return replace(samples, samples=resize.resize(samples.samples, columns, rows, upscale_method))


@node("SetLatentNoiseMask", category="latent/inpaint", display_name="Set Latent Noise Mask")
def set_latent_noise_mask(*, samples: Latent, mask: Mask) -> Latent:
    """Let sampling change a latent only where the mask is 1."""
    require_pixels(mask)
    return replace(samples, noise_mask=mask)


def latent_digest(*, latent: str, folders: Folders) -> str:
    """SHA-256 of the file, so that an overwritten latent is loaded again."""
    return input_digest(latent, folders)


@node("LoadLatent", category="_for_testing", fingerprint=latent_digest)
def load_latent(
    *, latent: Annotated[str, Widget("combo", choices=FolderChoices("input"))], folders: Injected[Folders]
) -> Latent:
    """Load a saved latent from the input folder."""
    try:
        tensors = load(folders.annotated(latent).read_bytes())
        samples = tensors["latent_tensor"].float()
    except (PathError, OSError) as error:
        raise InputError("latent", f"'{latent}' is not in the input folder.") from error
    except (SafetensorError, KeyError) as error:
        raise InputError("latent", f"'{latent}' is no saved latent. Choose a file that SaveLatent wrote.") from error
    if samples.ndim != 4:
        raise InputError(
            "latent",
            f"'{latent}' is no latent of pictures: its shape is {list(samples.shape)}, where (pictures, channels, "
            "rows, columns) is wanted. Choose another file.",
        )
    return LatentValue(samples if FORMAT_MARK in tensors else samples / OLD_SCALE)


@node("SaveLatent", category="_for_testing", is_output=True)
def save_latent(
    *, samples: Latent, filename_prefix: str = "latents/ComfyUI", folders: Injected[Folders], run: Injected[RunInfo]
) -> Shown:
    """Save a latent to the output folder, with the workflow inside."""
    metadata = {name: json.dumps(value) for name, value in run.metadata.items()}
    tensors = {"latent_tensor": samples.samples.contiguous(), FORMAT_MARK: torch.tensor([])}
    content = save(tensors, metadata)
    with naming_prefix():
        shown = OutputSeries(folders, "output", filename_prefix).save(".latent", content)
    return Shown({"latents": [shown]})


def _widened(masks: Tensor, pixels: int) -> Tensor:
    """(N, 1, H, W) masks of 0 and 1, widened by a square of `pixels`; an even one reaches further down and right."""
    if pixels == 0:
        return masks
    before, after = pixels - 1 - (pixels - 1) // 2, (pixels - 1) // 2
    padded = torch.nn.functional.pad(masks, (before, after, before, after))
    return torch.nn.functional.max_pool2d(padded, pixels, stride=1)
