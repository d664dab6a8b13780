"""Pictures <-> latents with a KL autoencoder (Kingma and Welling 2013; Rombach et al. 2022). Moves no network."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from nodes.diffusion.compose import feathered
from nodes.diffusion.values import VAE

TILE, OVERLAP = 512, 64
"""Pixels along the side of a tile, and that two neighbours share, when memory forces tiles."""


@torch.no_grad()
def decode(vae: VAE, samples: Tensor) -> Tensor:
    """(N, channels, h, w) latents -> (N, h factor, w factor, 3) pictures in 0 to 1. `vae` must be resident.

    One picture at a time, because a decoder's memory grows with the batch and its speed does not.
    """
    return _pictures(torch.cat([_decoded(vae, one[None]) for one in samples]))


@torch.no_grad()
def encode(vae: VAE, pictures: Tensor) -> Tensor:
    """(N, H, W, 3 or more) pictures in 0 to 1 -> (N, channels, H / factor, W / factor) latents, the posterior's mean.

    Sides that are no multiple of the factor are cut evenly at both ends. Raises ValueError if nothing is left.
    """
    return torch.cat([_encoded(vae, one[None]) for one in _pixels(vae, pictures)])


@torch.no_grad()
def decode_tiled(vae: VAE, samples: Tensor, tile: int = TILE, overlap: int = OVERLAP) -> Tensor:
    """`decode` in tiles of `tile` pixels that share `overlap` with their neighbours, where they fade into each other.

    Not the same picture: a tile's normalisations see only the tile."""
    cells, shared = max(1, tile // vae.factor), overlap // vae.factor
    made = [_tiled(one[None], lambda part: _decoded(vae, part), cells, shared, vae.factor) for one in samples]
    return _pictures(torch.cat(made))


@torch.no_grad()
def encode_tiled(vae: VAE, pictures: Tensor, tile: int = TILE, overlap: int = OVERLAP) -> Tensor:
    """`encode` in tiles. Raises ValueError as `encode` does."""
    side, shared = max(1, tile // vae.factor), overlap // vae.factor
    made = [
        _tiled(one[None], lambda part: _encoded(vae, part), side * vae.factor, shared * vae.factor, 1 / vae.factor)
        for one in _pixels(vae, pictures)
    ]
    return torch.cat(made)


def cropped(pictures: Tensor, factor: int) -> Tensor:
    """The middle of (N, H, W, ...) pictures whose sides are multiples of `factor`. Raises ValueError if it is empty."""
    height, width = (side // factor * factor for side in pictures.shape[1:3])
    if height == 0 or width == 0:
        raise ValueError(
            f"A picture of {pictures.shape[2]} x {pictures.shape[1]} pixels is too small to encode: both sides must "
            f"have at least {factor}. Use a larger picture."
        )
    top, left = (pictures.shape[1] - height) // 2, (pictures.shape[2] - width) // 2
    return pictures[:, top : top + height, left : left + width]


def _pixels(vae: VAE, pictures: Tensor) -> Tensor:
    return cropped(pictures[..., :3], vae.factor).movedim(-1, 1) * 2 - 1


def _pictures(pixels: Tensor) -> Tensor:
    return (pixels / 2 + 0.5).clamp(0, 1).movedim(1, -1).contiguous()


def _decoded(vae: VAE, samples: Tensor) -> Tensor:
    network = vae.network
    scaled = samples if vae.scale == 1 else samples * vae.scale
    made = network.module.decode(scaled.to(network.device, network.dtype), return_dict=False)[0]
    return made.float().cpu()


def _encoded(vae: VAE, pixels: Tensor) -> Tensor:
    network = vae.network
    made = network.module.encode(pixels.to(network.device, network.dtype))
    mean: Tensor = made.latents if hasattr(made, "latents") else made.latent_dist.mean
    return mean.float().cpu() / vae.scale


def _tiled(whole: Tensor, convert: Callable[[Tensor], Tensor], side: int, overlap: int, scale: float) -> Tensor:
    """`convert`, whose result is `scale` times as large, on overlapping squares; weighted means where they meet."""
    height, width = (round(length * scale) for length in whole.shape[-2:])
    total = torch.zeros(0)
    weights = torch.zeros(1, 1, height, width)
    ramp = max(1, round(overlap * scale))
    for top, bottom in _spans(whole.shape[-2], side, overlap):
        for left, right in _spans(whole.shape[-1], side, overlap):
            part = convert(whole[..., top:bottom, left:right])
            if not total.numel():
                total = torch.zeros(*part.shape[:2], height, width)
            rows = feathered(part.shape[-2], ramp * (top > 0), ramp * (bottom < whole.shape[-2]))
            columns = feathered(part.shape[-1], ramp * (left > 0), ramp * (right < whole.shape[-1]))
            weight = rows[:, None] * columns[None, :]
            y, x = round(top * scale), round(left * scale)
            place = (..., slice(y, y + part.shape[-2]), slice(x, x + part.shape[-1]))
            total[place] += part * weight
            weights[place] += weight
    return total / weights


def _spans(length: int, side: int, overlap: int) -> Iterator[tuple[int, int]]:
    """(begin, end) of pieces of `side` that cover `length` and share `overlap`; the last one is moved back to fit."""
    step = max(1, side - min(overlap, side // 2))
    begin = 0
    while begin + side < length:
        yield begin, begin + side
        begin += step
    yield max(0, length - side), length
