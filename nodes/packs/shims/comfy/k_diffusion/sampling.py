"""Our samplers as `sample_<name>` functions, and the small formulas that packs' samplers are written with.

Packs put functions of their own into this module; `function_named` finds those too.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from comfy.k_diffusion.noise import BatchedBrownianTree, BrownianTreeNoiseSampler, default_noise_sampler
from comfy.sampler_objects import function_of
from nodes.diffusion.sampling import schedules
from nodes.diffusion.sampling.samplers import SAMPLERS, choose_sampler
from nodes.diffusion.sampling.samplers.contract import ancestral_step

__all__ = [
    "BatchedBrownianTree", "BrownianTreeNoiseSampler", "append_dims", "append_zero", "default_noise_sampler",
    "function_named", "get_ancestral_step", "get_sigmas_exponential", "get_sigmas_karras", "get_sigmas_polyexponential",
    "get_sigmas_vp", "to_d",
]  # fmt: skip


def append_zero(x: Tensor) -> Tensor:
    """One more level: 0."""
    return torch.cat([x, x.new_zeros(1)])


def append_dims(x: Tensor, target_dims: int) -> Tensor:
    """`x` with as many dimensions as asked for, new ones last."""
    return x[(...,) + (None,) * (target_dims - x.ndim)]


def to_d(x: Tensor, sigma: Tensor, denoised: Tensor) -> Tensor:
    """Karras et al. 2022, equation 3: (x - denoised) / sigma."""
    return (x - denoised) / append_dims(torch.as_tensor(sigma), x.ndim)


def get_ancestral_step(sigma_from: Any, sigma_to: Any, eta: float = 1.0) -> tuple[Any, Any]:
    """(sigma_down, sigma_up): go down to sigma_down, then add sigma_up noise, to arrive at sigma_to."""
    if not eta:
        return sigma_to, 0.0
    if not isinstance(sigma_from, Tensor):
        return ancestral_step(float(sigma_from), float(sigma_to), eta)
    up = eta * (sigma_to**2 * (sigma_from**2 - sigma_to**2) / sigma_from**2) ** 0.5
    up = torch.minimum(torch.as_tensor(sigma_to), torch.as_tensor(up))
    return (sigma_to**2 - up**2) ** 0.5, up


def get_sigmas_karras(n: int, sigma_min: float, sigma_max: float, rho: float = 7.0, device: Any = "cpu") -> Tensor:
    """Karras et al. 2022, equation 5."""
    return schedules.karras_between(n, float(sigma_max), float(sigma_min), rho).to(device)


def get_sigmas_exponential(n: int, sigma_min: float, sigma_max: float, device: Any = "cpu") -> Tensor:
    """Even in log sigma."""
    return schedules.exponential_between(n, float(sigma_max), float(sigma_min)).to(device)


def get_sigmas_polyexponential(
    n: int, sigma_min: float, sigma_max: float, rho: float = 1.0, device: Any = "cpu"
) -> Tensor:
    """log sigma falls with a power."""
    return schedules.polyexponential(n, float(sigma_max), float(sigma_min), rho).to(device)


def get_sigmas_vp(
    n: int, beta_d: float = 19.9, beta_min: float = 0.1, eps_s: float = 1e-3, device: Any = "cpu"
) -> Tensor:
    """Song et al. 2021."""
    return schedules.variance_preserving(n, beta_d, beta_min, eps_s).to(device)


def function_named(name: str) -> Callable[..., Tensor]:
    """The function `sample_<name>`, ours or a pack's. Raises ValueError if there is none."""
    found = globals().get(f"sample_{name}")
    if not callable(found):
        raise ValueError(f"There is no sampler called '{name}'.")
    return found


def _function(name: str) -> Callable[..., Tensor]:
    plain = function_of(choose_sampler(name))
    with_heun = function_of(choose_sampler(f"{name}_heun")) if f"{name}_heun" in SAMPLERS else None

    def sampler_function(model: Any, x: Tensor, sigmas: Tensor, *args: Any, **options: Any) -> Tensor:
        if with_heun is not None and options.get("solver_type") == "heun":
            return with_heun(model, x, sigmas, *args, **{**options, "solver_type": "midpoint"})
        return plain(model, x, sigmas, *args, **options)

    sampler_function.__name__ = f"sample_{name}"
    return sampler_function


globals().update({f"sample_{name}": _function(name) for name in SAMPLERS})
