"""Noise that depends on a seed: what a run starts from is always drawn on the CPU, what samplers add to it where
`NoisePlaces` says."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from nodes.diffusion.values import Latent

SEEDS = 2**64
_DIGITS = 6
"""Decimals to which a Brownian tree resolves noise levels."""


@dataclass(frozen=True, slots=True)
class Noise:
    """The noise that a sampling run starts from, as it flows on a link."""

    seed: int
    """Samplers that draw noise of their own derive it from this too."""
    blank: bool = False
    """True: the latent already carries its noise, and gets none."""

    def of(self, latent: Latent) -> Tensor:
        """(N, channels, h, w) noise for a latent, on the CPU, in float32."""
        if self.blank:
            return torch.zeros(latent.samples.shape)
        return initial_noise(latent.samples, self.seed, latent.batch_index)


def initial_noise(samples: Tensor, seed: int, batch_index: Sequence[int] | None = None) -> Tensor:
    """Standard normal noise of the shape of (N, ...) samples, on the CPU, in float32.

    With `batch_index`, row i is that of picture `batch_index[i]` in a batch that begins with this seed.
    """
    generator = torch.Generator().manual_seed(seed)
    if batch_index is None:
        return torch.randn(samples.shape, generator=generator)
    drawn = [torch.randn(samples.shape[1:], generator=generator) for _ in range(max(batch_index) + 1)]
    return torch.stack([drawn[index] for index in batch_index])


CPU = torch.device("cpu")


class NoisePlaces(NamedTuple):
    """Where stochastic samplers draw. On the CPU, one seed gives one picture on every machine."""

    normal: torch.device = CPU
    brownian: torch.device = CPU


ON_CPU = NoisePlaces()


def generator_on(device: torch.device, seed: int) -> torch.Generator:
    """On the CPU seeded with seed + 1, so that its first tensor is not the initial noise again. Another device's
    stream differs from it anyway, and keeps the seed, because the pictures that people have were made so."""
    return torch.Generator(device).manual_seed((seed + 1) % SEEDS if device.type == "cpu" else seed)


class SeededNoise:
    """The noise of stochastic samplers (see `samplers.contract.NoiseSource`).

    `brownian` reads one path over all noise levels, whatever the order and number of steps.
    """

    def __init__(self, latent: Tensor, sigmas: Sequence[float], seed: int, places: NoisePlaces = ON_CPU) -> None:
        self._like = latent
        self._seed = seed
        self._places = places
        levels = [sigma for sigma in sigmas if sigma > 0]
        self._low, self._high = min(levels), max(levels)
        self._generator = generator_on(places.normal, seed)
        self._tree: Any = None

    def normal(self, like: Tensor | None = None) -> Tensor:
        """The next standard normal tensor."""
        like = self._like if like is None else like
        return torch.randn(like.shape, generator=self._generator, device=self._places.normal).to(like)

    def brownian(self, sigma: float, sigma_next: float) -> Tensor:
        """(W(sigma_next) - W(sigma)) / sqrt(|sigma_next - sigma|)."""
        if self._tree is None:
            # Imported here: torchsde takes a while, and few samplers need it.
            import torchsde

            start = torch.zeros(self._like.shape, device=self._places.brownian)
            self._tree = torchsde.BrownianTree(self._low, start, self._high, entropy=self._seed, tol=10**-_DIGITS)
        low, high = sorted((sigma, sigma_next))
        # The tree rounds its ends, and warns about levels that are a rounding error outside.
        inside = max(low, round(self._low, _DIGITS)), min(high, round(self._high, _DIGITS))
        increment: Tensor = self._tree(*inside)
        return (increment * math.copysign(1 / math.sqrt(high - low), sigma_next - sigma)).to(self._like)
