"""Operations on latents as values: each takes (N, channels, h, w) to the same shape. They know no model."""

from collections.abc import Callable

import torch
from torch import Tensor

LatentOperation = Callable[[Tensor], Tensor]

_TINY = 1e-10
_WHITE = 5.0
"""Standard deviations above the mean length that are shown as white."""
_STRENGTH = 10.0


def tone_mapped(multiplier: float) -> LatentOperation:
    """Reinhard et al. 2002, "Photographic Tone Reproduction", x / (1 + x), on the lengths of the cells' vectors."""

    def operation(latent: Tensor) -> Tensor:
        length = latent.norm(dim=1, keepdim=True) + _TINY
        std, mean = length.std(dim=(1, 2, 3), keepdim=True), length.mean(dim=(1, 2, 3), keepdim=True)
        white = (std * _WHITE + mean) * multiplier
        share = length / white
        return latent / length * (share / (share + 1) * white)

    return operation


def sharpened(radius: int, sigma: float, alpha: float) -> LatentOperation:
    """Unsharp masking of the directions of the cells' vectors with a Gaussian; their lengths stay."""
    side = torch.linspace(-radius, radius, 2 * radius + 1)
    bell = torch.exp(-(side**2) / (2 * sigma**2))
    kernel = torch.outer(bell, bell)
    kernel = kernel / kernel.sum() * -(alpha * _STRENGTH)
    kernel[radius, radius] += 1 - kernel.sum()

    def operation(latent: Tensor) -> Tensor:
        length = latent.norm(dim=1, keepdim=True) + _TINY
        channels = latent.shape[1]
        padded = latent / length
        # Reflection reaches at most one cell less than the side, so wide kernels need it several times.
        left = radius
        while left:
            step = min(left, min(padded.shape[-2:]) - 1)
            if step == 0:
                padded = torch.nn.functional.pad(padded, (left,) * 4, mode="replicate")
                break
            padded, left = torch.nn.functional.pad(padded, (step,) * 4, mode="reflect"), left - step
        weight = kernel.to(latent)[None, None].repeat(channels, 1, 1, 1)
        return torch.nn.functional.conv2d(padded, weight, groups=channels) * length

    return operation
