"""Pictures <-> latents with a KL autoencoder (Kingma and Welling 2013; Rombach et al. 2022). Moves no network."""

import torch
from torch import Tensor

from nodes.diffusion.values import VAE


@torch.no_grad()
def decode(vae: VAE, samples: Tensor) -> Tensor:
    """(N, channels, h, w) latents -> (N, h factor, w factor, 3) pictures in 0 to 1. `vae` must be resident.

    One picture at a time, because a decoder's memory grows with the batch and its speed does not.
    """
    network = vae.network
    pictures = [
        network.module.decode(one[None].to(network.device, network.dtype), return_dict=False)[0] for one in samples
    ]
    return (torch.cat(pictures).float() / 2 + 0.5).clamp(0, 1).movedim(1, -1).cpu().contiguous()


@torch.no_grad()
def encode(vae: VAE, pictures: Tensor) -> Tensor:
    """(N, H, W, 3 or more) pictures in 0 to 1 -> (N, channels, H / factor, W / factor) latents, the posterior's mean.

    Sides that are no multiple of the factor are cut evenly at both ends. Raises ValueError if nothing is left.
    """
    network = vae.network
    pixels = cropped(pictures[..., :3], vae.factor).movedim(-1, 1) * 2 - 1
    means = [network.module.encode(one[None].to(network.device, network.dtype)).latent_dist.mean for one in pixels]
    return torch.cat(means).float().cpu()


def cropped(pictures: Tensor, factor: int) -> Tensor:
    """The middle of (N, H, W, ...) pictures whose sides are multiples of `factor`. Raises ValueError if it is empty."""
    height, width = (side // factor * factor for side in pictures.shape[1:3])
    if height == 0 or width == 0:
        raise ValueError(f"A picture of {pictures.shape[2]} x {pictures.shape[1]} pixels is too small to encode.")
    top, left = (pictures.shape[1] - height) // 2, (pictures.shape[2] - width) // 2
    return pictures[:, top : top + height, left : left + width]
