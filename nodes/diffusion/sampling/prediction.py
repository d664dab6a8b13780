"""What a network predicts, and the noise levels it was trained on: sigmas <-> timesteps, input scaling, denoised.

Karras et al. 2022, "Elucidating the Design Space of Diffusion-Based Generative Models", table 1, for the scalings.
Knows no network.
"""

import math
from dataclasses import dataclass, field
from typing import Literal, Protocol

import torch
from torch import Tensor

Prediction = Literal["eps", "v", "x0", "lcm"]


LCM_DATA = 0.5
"""sigma_data of latent consistency models."""

LCM_STRIDE = 20
"""Training steps of 1,000 for each of the 50 that latent consistency models know."""

LAST_ABAR = 4.8973451890853435e-08
"""Signal that a schedule with zero terminal SNR keeps, so that its sigma stays finite."""


class ModelSampling(Protocol):
    """How one model's noise levels and predictions are to be read.

    Samplers pass sigmas as numbers, the network side as (N,) tensors.
    """

    @property
    def sigma_min(self) -> float:
        """Smallest trained noise level."""
        ...

    @property
    def sigma_max(self) -> float:
        """Largest trained noise level."""
        ...

    @property
    def table(self) -> Tensor:
        """(steps,) float32 noise levels of all training steps, ascending."""
        ...

    def timestep(self, sigma: Tensor) -> Tensor:
        """What the network is told for noise level `sigma`."""
        ...

    def sigma(self, timestep: Tensor) -> Tensor:
        """Noise level at a possibly fractional timestep."""
        ...

    def level_at(self, progress: float) -> float:
        """Noise level when `progress` of the way (0 to 1) from pure noise to a clean latent is done."""
        ...

    def log_snr(self, sigma: float) -> float:
        """lambda = log(alpha / sigma): half the logarithm of the signal-to-noise ratio; infinite where sigma is 0."""
        ...

    def sigma_at(self, log_snr: float) -> float:
        """The inverse of `log_snr`."""
        ...

    def alpha(self, sigma: float) -> float:
        """Scale of the clean latent inside a noisy one at `sigma`."""
        ...

    def noised(self, sigma: float, noise: Tensor, latent: Tensor, *, from_scratch: bool = False) -> Tensor:
        """`latent` with `noise` at level `sigma`; `from_scratch` if sampling begins at the largest trained level."""
        ...

    def finished(self, sigma: float, latent: Tensor) -> Tensor:
        """What a sampler that stopped at `sigma` hands on."""
        ...

    def network_input(self, x: Tensor, sigma: Tensor) -> Tensor:
        """`x` scaled for the network."""
        ...

    def denoised(self, prediction: Tensor, x: Tensor, sigma: Tensor) -> Tensor:
        """The clean latent that the network's `prediction` for `x` at `sigma` implies."""
        ...


@dataclass(frozen=True, slots=True)
class DiscreteSampling:
    """Variance-exploding view of a DDPM with a fixed list of training steps, as k-diffusion wraps it."""

    prediction: Prediction
    table: Tensor
    log_table: Tensor = field(init=False)
    stride: int = 1
    """Only every n-th training step is in the table, the last one among them, as distillation has left it."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "log_table", self.table.log())

    @property
    def sigma_min(self) -> float:
        """Noise level of training step 0."""
        return float(self.table[0])

    @property
    def sigma_max(self) -> float:
        """Noise level of the last training step."""
        return float(self.table[-1])

    def timestep(self, sigma: Tensor) -> Tensor:
        """Index of the training step whose log sigma is nearest."""
        distance = sigma.log().to(self.log_table)[None] - self.log_table.reshape(-1, *(1,) * sigma.ndim)
        index = distance.abs().argmin(dim=0).to(sigma.device)
        return index if self.stride == 1 else (index + 1) * self.stride - 1

    def sigma(self, timestep: Tensor) -> Tensor:
        """Linear in log sigma between two training steps."""
        position = ((timestep.to(self.log_table) + 1) / self.stride - 1).clamp(0, len(self.table) - 1)
        low, high, weight = position.floor().long(), position.ceil().long(), position.frac()
        return ((1 - weight) * self.log_table[low] + weight * self.log_table[high]).exp().to(timestep.device)

    def level_at(self, progress: float) -> float:
        """Noise level of training step (1 - progress) (n - 1)."""
        return float(self.sigma(torch.tensor((1 - progress) * (len(self.table) * self.stride - 1))))

    def log_snr(self, sigma: float) -> float:
        """-log sigma, because alpha is 1 in this view."""
        return -math.log(sigma) if sigma > 0 else math.inf

    def sigma_at(self, log_snr: float) -> float:
        """exp(-lambda)."""
        return math.exp(-log_snr)

    def alpha(self, sigma: float) -> float:  # noqa: ARG002 the flow form needs it
        """1 at every level."""
        return 1.0

    def noised(self, sigma: float, noise: Tensor, latent: Tensor, *, from_scratch: bool = False) -> Tensor:
        """latent + sigma noise. From scratch the noise has the variance that training's last step has, 1 + sigma^2."""
        return latent + noise * (math.sqrt(1 + sigma**2) if from_scratch else sigma)

    def finished(self, sigma: float, latent: Tensor) -> Tensor:  # noqa: ARG002 the flow form needs it
        """The latent as it is."""
        return latent

    def network_input(self, x: Tensor, sigma: Tensor) -> Tensor:
        """c_in x = x / sqrt(sigma^2 + 1)."""
        return x / (_wide(sigma, x) ** 2 + 1).sqrt()

    def denoised(self, prediction: Tensor, x: Tensor, sigma: Tensor) -> Tensor:
        """eps: x - sigma eps. v (Salimans and Ho 2022): x / (sigma^2 + 1) - sigma v / sqrt(sigma^2 + 1). lcm (Luo et
        al. 2023, appendix D): c_skip x + c_out (x - sigma eps), whose scalings follow ten times the timestep."""
        level = _wide(sigma, x)
        if self.prediction == "x0":
            return prediction
        if self.prediction == "v":
            return x / (level**2 + 1) - prediction * level / (level**2 + 1).sqrt()
        denoised = x - level * prediction
        if self.prediction == "eps":
            return denoised
        t = _wide(10 * self.timestep(sigma), x)
        return x * (LCM_DATA**2 / (t**2 + LCM_DATA**2)) + denoised * (t / (t**2 + LCM_DATA**2).sqrt())


@dataclass(frozen=True, slots=True)
class ContinuousSampling:
    """Any noise level between two (Karras et al. 2022): variance exploding, data of a standard deviation."""

    prediction: Literal["eps", "v", "edm"]
    """edm: F as in the paper, which is v with the other sign."""
    sigma_min: float
    sigma_max: float
    sigma_data: float = 1.0
    angle: bool = False
    """The network is told atan(sigma) 2 / pi instead of log(sigma) / 4."""

    @property
    def table(self) -> Tensor:
        """1,000 levels, even in log sigma."""
        return torch.linspace(math.log(self.sigma_min), math.log(self.sigma_max), 1000).exp()

    def timestep(self, sigma: Tensor) -> Tensor:
        """log(sigma) / 4, or atan(sigma) 2 / pi."""
        return sigma.atan() * (2 / math.pi) if self.angle else sigma.log() / 4

    def sigma(self, timestep: Tensor) -> Tensor:
        """The inverse of `timestep`."""
        return (timestep * (math.pi / 2)).tan() if self.angle else (timestep * 4).exp()

    def level_at(self, progress: float) -> float:
        """Even in log sigma."""
        low, high = math.log(self.sigma_min), math.log(self.sigma_max)
        return math.exp((high - low) * (1 - progress) + low)

    def log_snr(self, sigma: float) -> float:
        """-log sigma."""
        return -math.log(sigma) if sigma > 0 else math.inf

    def sigma_at(self, log_snr: float) -> float:
        """exp(-lambda)."""
        return math.exp(-log_snr)

    def alpha(self, sigma: float) -> float:  # noqa: ARG002 the flow form needs it
        """1 at every level."""
        return 1.0

    def noised(self, sigma: float, noise: Tensor, latent: Tensor, *, from_scratch: bool = False) -> Tensor:
        """latent + sigma noise; from scratch as a discrete model."""
        return latent + noise * (math.sqrt(1 + sigma**2) if from_scratch else sigma)

    def finished(self, sigma: float, latent: Tensor) -> Tensor:  # noqa: ARG002 the flow form needs it
        """The latent as it is."""
        return latent

    def network_input(self, x: Tensor, sigma: Tensor) -> Tensor:
        """c_in x = x / sqrt(sigma^2 + sigma_data^2)."""
        return x / (_wide(sigma, x) ** 2 + self.sigma_data**2).sqrt()

    def denoised(self, prediction: Tensor, x: Tensor, sigma: Tensor) -> Tensor:
        """c_skip x + c_out F; eps: x - sigma eps."""
        level, data = _wide(sigma, x), self.sigma_data
        if self.prediction == "eps":
            return x - level * prediction
        whole = level**2 + data**2
        sign = 1 if self.prediction == "edm" else -1
        return x * data**2 / whole + prediction * (sign * level * data) / whole.sqrt()


@dataclass(frozen=True, slots=True)
class FlowSampling:
    """Rectified flow (Liu et al. 2022; Esser et al. 2024): x = (1 - sigma) latent + sigma noise, predicting x' = v.

    `table` holds shift t / (1 + (shift - 1) t) for t = 1/n ... 1; the network is told `multiplier` sigma.
    """

    table: Tensor
    shift: float
    multiplier: float = 1000.0

    @property
    def sigma_min(self) -> float:
        """Noise level of the first training step."""
        return float(self.table[0])

    @property
    def sigma_max(self) -> float:
        """1, nothing but noise."""
        return float(self.table[-1])

    def timestep(self, sigma: Tensor) -> Tensor:
        """sigma times the multiplier."""
        return sigma * self.multiplier

    def sigma(self, timestep: Tensor) -> Tensor:
        """Shifted t = timestep / multiplier."""
        t = timestep / self.multiplier
        return self.shift * t / (1 + (self.shift - 1) * t)

    def level_at(self, progress: float) -> float:
        """Shifted t = 1 - progress."""
        t = 1 - progress
        return self.shift * t / (1 + (self.shift - 1) * t)

    def log_snr(self, sigma: float) -> float:
        """log((1 - sigma) / sigma); -infinity at sigma 1."""
        if sigma <= 0:
            return math.inf
        return math.log((1 - sigma) / sigma) if sigma < 1 else -math.inf

    def sigma_at(self, log_snr: float) -> float:
        """1 / (1 + exp(lambda))."""
        return 1 / (1 + math.exp(log_snr))

    def alpha(self, sigma: float) -> float:
        """1 - sigma."""
        return 1 - sigma

    def noised(self, sigma: float, noise: Tensor, latent: Tensor, *, from_scratch: bool = False) -> Tensor:  # noqa: ARG002
        """(1 - sigma) latent + sigma noise."""
        return (1 - sigma) * latent + sigma * noise

    def finished(self, sigma: float, latent: Tensor) -> Tensor:
        """latent / (1 - sigma), so that a following stage may start from it."""
        return latent / (1 - sigma)

    def network_input(self, x: Tensor, sigma: Tensor) -> Tensor:  # noqa: ARG002
        """x as it is."""
        return x

    def denoised(self, prediction: Tensor, x: Tensor, sigma: Tensor) -> Tensor:
        """x - sigma v."""
        return x - _wide(sigma, x) * prediction


def make_discrete(prediction: Prediction, beta_start: float, beta_end: float, steps: int = 1000) -> DiscreteSampling:
    """Betas linear in their square roots (Rombach et al. 2022): sigma^2 = (1 - abar) / abar."""
    betas = torch.linspace(beta_start**0.5, beta_end**0.5, steps, dtype=torch.float64) ** 2
    abar = torch.cumprod(1 - betas, dim=0)
    return DiscreteSampling(prediction, ((1 - abar) / abar).sqrt().float())


def make_flow(shift: float, multiplier: float = 1000.0, steps: int = 1000) -> FlowSampling:
    """Noise levels of a rectified flow whose timesteps are shifted towards noise by `shift` (1 for none)."""
    t = torch.arange(1, steps + 1, dtype=torch.float32) / steps
    return FlowSampling(shift * t / (1 + (shift - 1) * t), shift, multiplier)


def distilled(sampling: DiscreteSampling, stride: int = LCM_STRIDE) -> DiscreteSampling:
    """The levels that a latent consistency model knows: every `stride`-th training step, counted from the last."""
    return DiscreteSampling("lcm", sampling.table[stride - 1 :: stride], stride=stride)


def zero_terminal_snr(table: Tensor) -> Tensor:
    """Levels rescaled so that the last one holds (next to) no signal (Lin et al. 2023, "Common Diffusion Noise
    Schedules and Sample Steps are Flawed", algorithm 1)."""
    root = (1 / (table.double() ** 2 + 1)).sqrt()
    first, last = root[0].clone(), root[-1].clone()
    abar = ((root - last) * first / (first - last)) ** 2
    abar[-1] = LAST_ABAR
    return ((1 - abar) / abar).sqrt().float()


def _wide(sigma: Tensor, x: Tensor) -> Tensor:
    """A (N,) sigma shaped to multiply (N, ...) latents."""
    return sigma.reshape(-1, *(1,) * (x.ndim - 1)) if sigma.ndim else sigma
