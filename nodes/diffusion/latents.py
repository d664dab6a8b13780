"""Whether a latent can be used at all: sentences for the person who connected the wrong thing. Computes nothing."""

import torch

from nodes.diffusion.values import VAE, Latent, Model

TITLES = {"sd": "Stable Diffusion 1 and 2", "sdxl": "Stable Diffusion XL"}


def check_samplable(model: Model, latent: Latent) -> None:
    """Raise ValueError with a sentence if a model cannot sample a latent."""
    check_numbers(latent)
    channels = getattr(getattr(model.network.module, "config", None), "out_channels", None)
    if channels is not None and latent.samples.shape[1] != channels:
        raise ValueError(
            f"The latent has {latent.samples.shape[1]} channels and the model samples {channels}. Use an empty latent "
            "of the model's family, or encode the picture with the VAE of its checkpoint."
        )
    if model.space and latent.space and model.space != latent.space and bool(latent.samples.any()):
        raise ValueError(
            f"The latent is one of {TITLES[latent.space]} and the model samples those of {TITLES[model.space]}. Decode "
            "it, and encode the picture with the VAE of the model's checkpoint."
        )


def check_decodable(vae: VAE, latent: Latent) -> None:
    """Raise ValueError with a sentence if an autoencoder cannot decode a latent."""
    if latent.samples.ndim != 4:
        raise ValueError(
            f"The latent is none of pictures: its shape is {list(latent.samples.shape)}, where (pictures, channels, "
            "rows, columns) is wanted. Use the VAE of the model that made it."
        )
    channels = latent.samples.shape[1]
    check_numbers(latent)
    if channels != vae.channels:
        raise ValueError(
            f"The latent has {channels} channels and the VAE decodes {vae.channels}. Use the VAE of the model "
            "that made the latent."
        )
    if vae.space and latent.space and vae.space != latent.space:
        raise ValueError(
            f"The latent is one of {TITLES[latent.space]} and the VAE is for {TITLES[vae.space]}. Use the VAE of the "
            "checkpoint that made the latent."
        )


def check_numbers(latent: Latent) -> None:
    """Raise ValueError with a sentence if values of a latent are not finite."""
    bad = int((~torch.isfinite(latent.samples)).flatten(1).any(dim=1).sum())
    if bad:
        raise ValueError(
            f"In {bad} of {len(latent.samples)} pictures the latent holds values that are no numbers (NaN or "
            "infinite). Whatever made it overflowed; make it again in float32."
        )
