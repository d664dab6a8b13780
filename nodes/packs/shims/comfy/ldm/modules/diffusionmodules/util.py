"""Small formulas of UNets."""

import math
from typing import Any

import torch
from torch import Tensor


def timestep_embedding(timesteps: Tensor, dim: int, max_period: int = 10000, repeat_only: bool = False) -> Tensor:
    """(N, dim) cosines and sines of (N,) timesteps (Vaswani et al. 2017); or `dim` times the timestep itself."""
    if repeat_only:
        return timesteps[:, None].repeat(1, dim)
    half = dim // 2
    scale = torch.arange(half, dtype=torch.float32, device=timesteps.device) / half
    angles = timesteps[:, None].float() * (-math.log(max_period) * scale).exp()[None]
    waves = torch.cat([angles.cos(), angles.sin()], dim=-1)
    return torch.nn.functional.pad(waves, (0, dim % 2))


def checkpoint(func: Any, inputs: Any, params: Any, flag: bool) -> Any:
    """The function of its inputs: nothing is trained here."""
    return func(*inputs)


def make_beta_schedule(
    schedule: str, n_timestep: int, linear_start: float = 1e-4, linear_end: float = 2e-2, cosine_s: float = 8e-3
) -> Tensor:
    """(steps,) betas: "linear" in their square roots, "sqrt_linear" in themselves, or "cosine" (Nichol 2021)."""
    if schedule == "linear":
        return torch.linspace(linear_start**0.5, linear_end**0.5, n_timestep, dtype=torch.float64) ** 2
    if schedule == "sqrt_linear":
        return torch.linspace(linear_start, linear_end, n_timestep, dtype=torch.float64)
    if schedule == "cosine":
        share = torch.arange(n_timestep + 1, dtype=torch.float64) / n_timestep + cosine_s
        abar = (share / (1 + cosine_s) * math.pi / 2).cos() ** 2
        return (1 - abar[1:] / abar[:-1]).clamp(0, 0.999)
    raise ValueError(f"There is no schedule of betas called '{schedule}'.")
