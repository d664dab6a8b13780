"""Noise for packs' samplers: a stream, or increments of a Brownian path, drawn on the latent's device or on the CPU."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from nodes.diffusion.sampling.noise import generator_on


def default_noise_sampler(x: Tensor, seed: int | None = None) -> Callable[[Any, Any], Tensor]:
    """A function (sigma, sigma_next) -> standard normal noise of the shape of `x`: a stream of its own with a seed."""
    generator = None if seed is None else generator_on(x.device, seed)
    return lambda sigma, sigma_next: torch.randn(x.shape, generator=generator, device=x.device).to(x)


class BatchedBrownianTree:
    """One Brownian path for the whole batch, or one for each row if there is a list of seeds."""

    def __init__(self, x: Tensor, t0: Any, t1: Any, seed: Any = None, **_: Any) -> None:
        import torchsde

        low, high = sorted((float(t0), float(t1)))
        self._reversed = float(t0) > float(t1)
        self._one = not isinstance(seed, list | tuple)
        seeds = [int(torch.randint(0, 2**62, ())) if seed is None else int(seed)] if self._one else list(seed)
        shape = x.shape if self._one else x.shape[1:]
        self._trees = [torchsde.BrownianTree(low, torch.zeros(shape), high, entropy=one) for one in seeds]

    def __call__(self, t0: Any, t1: Any) -> Tensor:
        """W(t1) - W(t0)."""
        low, high = sorted((float(t0), float(t1)))
        grown = [tree(low, high) for tree in self._trees]
        increment = grown[0] if self._one else torch.stack(grown)
        return -increment if (float(t0) > float(t1)) != self._reversed else increment


class BrownianTreeNoiseSampler:
    """A function (sigma, sigma_next) -> the path's increment between both, scaled to unit variance."""

    def __init__(
        self,
        x: Tensor,
        sigma_min: Any,
        sigma_max: Any,
        seed: Any = None,
        transform: Callable[[Any], Any] = lambda level: level,
        cpu: bool = False,
    ) -> None:
        self.transform = transform
        self._like = x
        ends = transform(torch.as_tensor(sigma_min)), transform(torch.as_tensor(sigma_max))
        self._low, self._high = sorted(map(float, ends))
        self.tree = BatchedBrownianTree(x, self._low, self._high, seed)

    def __call__(self, sigma: Any, sigma_next: Any) -> Tensor:
        """The scaled increment."""
        start, end = (
            min(max(float(self.transform(torch.as_tensor(one))), self._low), self._high) for one in (sigma, sigma_next)
        )
        if start == end:
            return torch.zeros_like(self._like)
        return (self.tree(start, end) / math.sqrt(abs(end - start))).to(self._like)
