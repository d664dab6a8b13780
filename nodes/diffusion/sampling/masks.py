"""How much of a latent sampling may change at each noise level. Knows no latent and no network."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from nodes.diffusion.sampling.prediction import ModelSampling

MaskRule = Callable[[Tensor, float, Sequence[float], ModelSampling], Tensor]
"""(mask in 0 to 1, noise level, all levels of the run, how they are read) -> the mask at that level."""


def differential(strength: float) -> MaskRule:
    """Levin and Fried 2023, "Differential Diffusion", algorithm 1: a place may change from the step on at which its
    mask reaches the threshold, which falls evenly in time from 1 to 0. `strength` below 1 mixes in the mask itself."""

    def rule(mask: Tensor, sigma: float, sigmas: Sequence[float], sampling: ModelSampling) -> Tensor:
        levels = torch.tensor([sigma, sigmas[0], max(sigmas[-1], sampling.sigma_min)])
        now, first, last = sampling.timestep(levels).tolist()
        threshold = (now - last) / (first - last) if first != last else 0.0
        binary = (mask >= threshold).to(mask)
        return binary if strength >= 1 else strength * binary + (1 - strength) * mask

    return rule
