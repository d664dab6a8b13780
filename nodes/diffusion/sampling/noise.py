"""Noise that depends on a seed alone: always drawn on the CPU, so that one seed gives one picture on every device."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

SEEDS = 2**64
_DIGITS = 6
"""Decimals to which a Brownian tree resolves noise levels."""


def initial_noise(latent: Tensor, seed: int) -> Tensor:
    """Standard normal noise of the latent's shape, on the CPU, in float32."""
    return torch.randn(latent.shape, generator=torch.Generator().manual_seed(seed))


class SeededNoise:
    """The noise of stochastic samplers (see `samplers.contract.NoiseSource`).

    `normal` draws from a generator seeded with seed + 1, so that its first tensor is not the initial noise again.
    `brownian` reads one path over all noise levels, whatever the order and number of steps.
    """

    def __init__(self, latent: Tensor, sigmas: Sequence[float], seed: int) -> None:
        self._like = latent
        self._seed = seed
        levels = [sigma for sigma in sigmas if sigma > 0]
        self._low, self._high = min(levels), max(levels)
        self._generator = torch.Generator().manual_seed((seed + 1) % SEEDS)
        self._tree: Any = None

    def normal(self) -> Tensor:
        """The next standard normal tensor."""
        return torch.randn(self._like.shape, generator=self._generator).to(self._like)

    def brownian(self, sigma: float, sigma_next: float) -> Tensor:
        """(W(sigma_next) - W(sigma)) / sqrt(|sigma_next - sigma|)."""
        if self._tree is None:
            # Imported here: torchsde takes a while, and few samplers need it.
            import torchsde

            start = torch.zeros(self._like.shape)
            self._tree = torchsde.BrownianTree(self._low, start, self._high, entropy=self._seed, tol=10**-_DIGITS)
        low, high = sorted((sigma, sigma_next))
        # The tree rounds its ends, and warns about levels that are a rounding error outside.
        inside = max(low, round(self._low, _DIGITS)), min(high, round(self._high, _DIGITS))
        increment: Tensor = self._tree(*inside)
        return (increment * math.copysign(1 / math.sqrt(high - low), sigma_next - sigma)).to(self._like)
