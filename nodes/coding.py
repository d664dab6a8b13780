"""Pictures to latents and back inside a node: the autoencoder on the device, in tiles if memory runs out."""

import contextlib
from collections.abc import Iterator

import torch
from torch import Tensor

from executor.schema import InputError
from nodes.diffusion import autoencoder
from nodes.diffusion.memory.activations import of_autoencoder
from nodes.diffusion.memory.device import DeviceMemory
from nodes.diffusion.values import VAE


def decoded(vae: VAE, samples: Tensor, memory: DeviceMemory) -> Tensor:
    """(N, h, w, 3) pictures of latents. Raises InputError for latents of another kind of autoencoder."""
    fitting(samples, vae)
    height, width = (side * vae.factor for side in samples.shape[-2:])
    return memory.attempt(
        vae.network,
        lambda: autoencoder.decode(vae, samples),
        f"Decoding a picture of {width} x {height}",
        activations=of_autoencoder(vae.network, memory.dtype("vae"), height, width),
        otherwise=lambda: autoencoder.decode_tiled(vae, samples),
    )


def encoded(vae: VAE, pixels: Tensor, memory: DeviceMemory) -> Tensor:
    """(N, channels, h, w) latents of pictures. Raises InputError for a picture that is too small."""
    if len(pixels) == 0:
        raise InputError("pixels", "There is no picture to encode. Connect at least one.")
    height, width = pixels.shape[1:3]
    with naming("pixels"):
        return memory.attempt(
            vae.network,
            lambda: autoencoder.encode(vae, pixels),
            f"Encoding a picture of {width} x {height}",
            activations=of_autoencoder(vae.network, memory.dtype("vae"), height, width),
            otherwise=lambda: autoencoder.encode_tiled(vae, pixels),
        )


def fitting(samples: Tensor, vae: VAE) -> Tensor:
    """`samples`, if the autoencoder can decode them. Raises InputError."""
    channels = samples.shape[1] if samples.ndim == 4 else None
    if channels != vae.channels:
        raise InputError(
            "samples",
            f"The latent has {channels or 'no'} channels and the VAE decodes {vae.channels}. Use the VAE of the model "
            "that made the latent.",
        )
    if not bool(torch.isfinite(samples).all()):
        raise InputError(
            "samples",
            "The latent holds values that are no numbers (NaN or infinite), so the picture would be black. Sample "
            "again with a larger weight type such as --force-fp32, or with fewer patches of the model.",
        )
    return samples


def require_pixels(mask: Tensor) -> None:
    """Raise InputError for a mask without any."""
    if 0 in mask.shape:
        raise InputError("mask", f"The mask is empty (its shape is {list(mask.shape)}). Connect one with some pixels.")


@contextlib.contextmanager
def naming(input_name: str) -> Iterator[None]:
    """Let a ValueError of the library name the input that it is about."""
    try:
        yield
    except InputError:
        raise
    except ValueError as error:
        raise InputError(input_name, str(error)) from error
