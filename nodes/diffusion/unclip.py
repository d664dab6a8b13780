"""Noise on embeddings of pictures, of which a UNet is told how much there is. Knows no network.

Ramesh et al. 2022, "Hierarchical Text-Conditional Image Generation with CLIP Latents" (unCLIP); the cosine schedule of
Nichol and Dhariwal 2021, "Improved Denoising Diffusion Probabilistic Models", equation 17.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from nodes.diffusion.values import Seen

LEVELS = 1000
_LARGEST_BETA = 0.999
_OFFSET = 0.008
_LOWEST_FREQUENCY = 10_000


@dataclass(frozen=True, slots=True, eq=False)
class Augmentation:
    """How a UNet's embeddings were noised in training: whitened by these statistics."""

    mean: Tensor
    """(1, width)"""
    spread: Tensor
    """(1, width)"""

    def told(self, seen: tuple[Seen, ...]) -> Tensor:
        """(1, 2 width): embeddings and their noise level, weighted and added up. Always with the same noise."""
        generator = torch.Generator().manual_seed(0)
        total = torch.zeros(1, 2 * self.mean.shape[-1])
        for one in seen:
            level = round((LEVELS - 1) * one.noise)
            for embedding in one.embeddings:
                noise = torch.randn(embedding[None].shape, generator=generator)
                total += one.strength * self.noised(embedding[None], level, noise)
        return total

    def noised(self, embeddings: Tensor, level: int, noise: Tensor) -> Tensor:
        """(N, width) embeddings at a level of 0 to 999, and that level: (N, 2 width)."""
        kept = _kept(level)
        white = (embeddings - self.mean) / self.spread
        white = math.sqrt(kept) * white + math.sqrt(1 - kept) * noise
        number = _sinusoid(level, embeddings.shape[-1]).expand(len(embeddings), -1)
        return torch.cat([white * self.spread + self.mean, number], dim=1)


def _kept(level: int) -> float:
    """Share of the signal's variance that is left at a level."""

    def cosine(share: float) -> float:
        return math.cos((share + _OFFSET) / (1 + _OFFSET) * math.pi / 2) ** 2

    steps = range(level + 1)
    return math.prod(1 - min(1 - cosine((one + 1) / LEVELS) / cosine(one / LEVELS), _LARGEST_BETA) for one in steps)


def _sinusoid(level: int, width: int) -> Tensor:
    """Vaswani et al. 2017, section 3.5: cosines, then sines, of falling frequencies."""
    half = width // 2
    frequencies = torch.exp(-math.log(_LOWEST_FREQUENCY) * torch.arange(half, dtype=torch.float32) / half)
    angles = level * frequencies[None]
    return torch.cat([angles.cos(), angles.sin()], dim=1)
