"""Pictures to latents and back inside a node: the autoencoder on the device, in tiles if memory runs out."""

import contextlib
from collections.abc import Iterator

from torch import Tensor

from executor.schema import InputError
from nodes.diffusion import autoencoder
from nodes.diffusion.latents import check_decodable
from nodes.diffusion.memory.activations import of_autoencoder
from nodes.diffusion.memory.device import DeviceMemory
from nodes.diffusion.values import VAE, Latent


def decoded(vae: VAE, latent: Latent, memory: DeviceMemory) -> Tensor:
    """(N, h, w, 3) pictures of a latent. Raises InputError for one of another kind of autoencoder."""
    samples = fitting(latent, vae)
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


def fitting(latent: Latent, vae: VAE) -> Tensor:
    """The latent's samples, if the autoencoder can decode them. Raises InputError."""
    with naming("samples"):
        check_decodable(vae, latent)
    return latent.samples


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
