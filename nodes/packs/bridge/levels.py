"""Noise levels of packs' models as our `ModelSampling`, and ours as the objects that packs know.

Objects put together from unchanged shim classes become ours outright; any other is asked through an adapter.
"""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from nodes.diffusion.sampling.prediction import DiscreteSampling, FlowSampling, ModelSampling
from nodes.packs.bridge.missing import Unsupported


@dataclass(frozen=True, slots=True, eq=False)
class PackSampling:
    """What an object of a pack says of noise levels and predictions."""

    source: Any
    flow: bool
    """Whether a latent at level sigma is (1 - sigma) of the clean one."""

    @property
    def sigma_min(self) -> float:
        """Smallest level."""
        return float(self.source.sigma_min)

    @property
    def sigma_max(self) -> float:
        """Largest level."""
        return float(self.source.sigma_max)

    @property
    def table(self) -> Tensor:
        """All levels, ascending."""
        table: Tensor = self.source.sigmas
        return table.float().cpu()

    def timestep(self, sigma: Tensor) -> Tensor:
        """What the network is told."""
        return self.source.timestep(sigma)

    def sigma(self, timestep: Tensor) -> Tensor:
        """The level of a timestep."""
        return self.source.sigma(timestep)

    def level_at(self, progress: float) -> float:
        """The level when a share is done."""
        return float(self.source.percent_to_sigma(progress))

    def log_snr(self, sigma: float) -> float:
        """log(alpha / sigma)."""
        if sigma <= 0:
            return math.inf
        signal = self.alpha(sigma)
        return math.log(signal / sigma) if signal > 0 else -math.inf

    def sigma_at(self, log_snr: float) -> float:
        """The inverse of `log_snr`."""
        return 1 / (1 + math.exp(log_snr)) if self.flow else math.exp(-log_snr)

    def alpha(self, sigma: float) -> float:
        """The share of the clean latent."""
        return 1 - sigma if self.flow else 1.0

    def noised(self, sigma: float, noise: Tensor, latent: Tensor, *, from_scratch: bool = False) -> Tensor:
        """The latent with noise at a level."""
        return self.source.noise_scaling(torch.tensor(sigma), noise, latent, from_scratch)

    def finished(self, sigma: float, latent: Tensor) -> Tensor:
        """What a sampler that stopped hands on."""
        return self.source.inverse_noise_scaling(torch.tensor(sigma), latent)

    def network_input(self, x: Tensor, sigma: Tensor) -> Tensor:
        """Scaled for the network."""
        return self.source.calculate_input(sigma, x)

    def denoised(self, prediction: Tensor, x: Tensor, sigma: Tensor) -> Tensor:
        """The clean latent."""
        return self.source.calculate_denoised(sigma, prediction, x)


def as_library(source: Any) -> ModelSampling:
    """A pack's object as ours. Raises Unsupported for one that lacks a part."""
    import comfy.model_sampling as shim

    origin = getattr(source, "origin", None)
    if origin is not None and bool(torch.equal(origin.table, source.sigmas.cpu())):
        return origin
    kind = type(source)
    discrete = _unchanged(kind, shim.ModelSamplingDiscrete, "timestep", "sigma", "percent_to_sigma")
    if discrete and source.sigma_data == 1.0:
        if _unchanged(kind, shim.V_PREDICTION, *_SHAPES):
            return DiscreteSampling("v", source.sigmas.float().cpu())
        if _unchanged(kind, shim.EPS, *_SHAPES):
            return DiscreteSampling("eps", source.sigmas.float().cpu())
    shifted = _unchanged(kind, shim.ModelSamplingDiscreteFlow, "timestep", "sigma", "percent_to_sigma")
    if shifted and _unchanged(kind, shim.CONST, *_SHAPES):
        return FlowSampling(source.sigmas.float().cpu(), source.shift, source.multiplier)
    missing = [name for name in (*_SHAPES, "timestep", "sigma", "sigmas") if not hasattr(source, name)]
    if missing:
        raise Unsupported(f"{kind.__name__} of a node pack says nothing of {', '.join(missing)}, so it cannot sample.")
    return PackSampling(source, isinstance(source, shim.CONST))


def of_library(sampling: ModelSampling) -> Any:
    """Ours as an object that packs know."""
    import comfy.model_sampling as shim

    made: Any
    match sampling:
        case PackSampling():
            return sampling.source
        case FlowSampling():
            made = type("ModelSampling", (shim.ModelSamplingDiscreteFlow, shim.CONST), {})()
            made.set_parameters(sampling.shift, len(sampling.table), sampling.multiplier)
        case DiscreteSampling(prediction="eps" | "v" | "x0", stride=1):
            shape = {"eps": shim.EPS, "v": shim.V_PREDICTION, "x0": shim.X0}[sampling.prediction]
            made = type("ModelSampling", (shim.ModelSamplingDiscrete, shape), {})()
            made.set_sigmas(sampling.table)
        case _:
            made = shim.OtherModelSampling(sampling)
    made.origin = sampling
    return made


_SHAPES = ("calculate_input", "calculate_denoised", "noise_scaling", "inverse_noise_scaling")


def _unchanged(kind: type[Any], parent: type[Any], *names: str) -> bool:
    return issubclass(kind, parent) and all(getattr(kind, name) is getattr(parent, name) for name in names)
