"""Noise levels and predictions of models, as classes that packs combine by inheritance: a schedule and a prediction.

`as_library` reads such an object as our `ModelSampling`, `of_library` shows ours as one.
"""

import math
from typing import Any

import torch
from torch import Tensor

from nodes.diffusion.sampling import prediction


def reshape_sigma(sigma: Tensor, noise_dim: int) -> Tensor:
    """Shaped to multiply tensors of `noise_dim` dimensions; a lone level stays as it is."""
    if sigma.nelement() == 1:
        return sigma.view(())
    return sigma.view(sigma.shape[:1] + (1,) * (noise_dim - 1))


class EPS:
    """The network predicts the noise."""

    sigma_data: float = 1.0

    def calculate_input(self, sigma: Tensor, noise: Tensor) -> Tensor:
        """x / sqrt(sigma^2 + sigma_data^2)."""
        sigma = reshape_sigma(sigma, noise.ndim)
        return noise / (sigma**2 + self.sigma_data**2) ** 0.5

    def calculate_denoised(self, sigma: Tensor, model_output: Tensor, model_input: Tensor) -> Tensor:
        """x - sigma eps."""
        return model_input - model_output * reshape_sigma(sigma, model_output.ndim)

    def noise_scaling(self, sigma: Tensor, noise: Tensor, latent_image: Tensor, max_denoise: bool = False) -> Tensor:
        """The latent with noise at a level."""
        sigma = reshape_sigma(sigma, noise.ndim)
        factor = math.sqrt(1 + float(sigma.reshape(-1)[0]) ** 2) if max_denoise else sigma.to(noise)
        return latent_image + noise * factor

    def inverse_noise_scaling(self, sigma: Tensor, latent: Tensor) -> Tensor:
        """What a sampler that stopped at `sigma` hands on."""
        return latent


class V_PREDICTION(EPS):
    """The network predicts the velocity (Salimans and Ho 2022)."""

    def calculate_denoised(self, sigma: Tensor, model_output: Tensor, model_input: Tensor) -> Tensor:
        """sigma_data^2 x / (sigma^2 + sigma_data^2) - sigma sigma_data v / sqrt(sigma^2 + sigma_data^2)."""
        sigma, data = reshape_sigma(sigma, model_output.ndim), self.sigma_data
        whole = sigma**2 + data**2
        return model_input * data**2 / whole - model_output * sigma * data / whole**0.5


class EDM(V_PREDICTION):
    """Karras et al. 2022: as the velocity, with the other sign."""

    def calculate_denoised(self, sigma: Tensor, model_output: Tensor, model_input: Tensor) -> Tensor:
        """sigma_data^2 x / (sigma^2 + sigma_data^2) + sigma sigma_data F / sqrt(sigma^2 + sigma_data^2)."""
        sigma, data = reshape_sigma(sigma, model_output.ndim), self.sigma_data
        whole = sigma**2 + data**2
        return model_input * data**2 / whole + model_output * sigma * data / whole**0.5


class X0(EPS):
    """The network predicts the clean latent."""

    def calculate_denoised(self, sigma: Tensor, model_output: Tensor, model_input: Tensor) -> Tensor:
        """The prediction itself."""
        return model_output


class CONST:
    """Rectified flow."""

    def calculate_input(self, sigma: Tensor, noise: Tensor) -> Tensor:
        """x as it is."""
        return noise

    def calculate_denoised(self, sigma: Tensor, model_output: Tensor, model_input: Tensor) -> Tensor:
        """x - sigma v."""
        return model_input - model_output * reshape_sigma(sigma, model_output.ndim)

    def noise_scaling(self, sigma: Tensor, noise: Tensor, latent_image: Tensor, max_denoise: bool = False) -> Tensor:
        """(1 - sigma) latent + sigma noise."""
        sigma = reshape_sigma(sigma, noise.ndim)
        return sigma * noise + (1.0 - sigma) * latent_image

    def inverse_noise_scaling(self, sigma: Tensor, latent: Tensor) -> Tensor:
        """latent / (1 - sigma)."""
        return latent / (1.0 - reshape_sigma(sigma, latent.ndim))


class ModelSamplingDiscrete(torch.nn.Module):
    """A fixed list of training steps."""

    sigmas: Tensor
    log_sigmas: Tensor

    def __init__(self, model_config: Any = None, zsnr: bool | None = None) -> None:
        super().__init__()
        settings = getattr(model_config, "sampling_settings", None) or {}
        start, end = settings.get("linear_start", 0.00085), settings.get("linear_end", 0.012)
        steps = settings.get("timesteps", 1000)
        table = prediction.make_discrete("eps", start, end, steps).table
        self.num_timesteps = steps
        self.linear_start, self.linear_end, self.zsnr = start, end, bool(zsnr)
        self.sigma_data = 1.0
        self.set_sigmas(rescale_zero_terminal_snr_sigmas(table) if zsnr else table)

    def set_sigmas(self, sigmas: Tensor) -> None:
        """Take (steps,) ascending noise levels."""
        self.register_buffer("sigmas", sigmas.float())
        self.register_buffer("log_sigmas", sigmas.log().float())

    @property
    def sigma_min(self) -> Tensor:
        """Smallest trained level."""
        return self.sigmas[0]

    @property
    def sigma_max(self) -> Tensor:
        """Largest trained level."""
        return self.sigmas[-1]

    def timestep(self, sigma: Tensor) -> Tensor:
        """The nearest training step."""
        return prediction.DiscreteSampling("eps", self.sigmas.cpu()).timestep(sigma)

    def sigma(self, timestep: Tensor) -> Tensor:
        """The level of a possibly fractional training step."""
        return prediction.DiscreteSampling("eps", self.sigmas.cpu()).sigma(timestep)

    def percent_to_sigma(self, percent: float) -> float:
        """The level when a share of the sampling is done."""
        if percent <= 0.0:
            return 999999999.9
        return 0.0 if percent >= 1.0 else float(self.sigma(torch.tensor((1.0 - percent) * (len(self.sigmas) - 1))))


class ModelSamplingContinuousEDM(torch.nn.Module):
    """Any level between two, told to the network as log(sigma) / 4."""

    sigmas: Tensor
    log_sigmas: Tensor

    def __init__(self, model_config: Any = None) -> None:
        super().__init__()
        settings = getattr(model_config, "sampling_settings", None) or {}
        self.set_parameters(
            settings.get("sigma_min", 0.002), settings.get("sigma_max", 120.0), settings.get("sigma_data", 1.0)
        )

    def set_parameters(self, sigma_min: float, sigma_max: float, sigma_data: float) -> None:
        """Between which levels, and how wide the data is."""
        self.sigma_data = sigma_data
        sigmas = torch.linspace(math.log(sigma_min), math.log(sigma_max), 1000).exp()
        self.register_buffer("sigmas", sigmas)
        self.register_buffer("log_sigmas", sigmas.log())

    @property
    def sigma_min(self) -> Tensor:
        """Smallest level."""
        return self.sigmas[0]

    @property
    def sigma_max(self) -> Tensor:
        """Largest level."""
        return self.sigmas[-1]

    def timestep(self, sigma: Tensor) -> Tensor:
        """log(sigma) / 4."""
        return 0.25 * sigma.log()

    def sigma(self, timestep: Tensor) -> Tensor:
        """exp(4 t)."""
        return (timestep / 0.25).exp()

    def percent_to_sigma(self, percent: float) -> float:
        """Even in log sigma."""
        if percent <= 0.0:
            return 999999999.9
        if percent >= 1.0:
            return 0.0
        low = math.log(self.sigma_min)
        return math.exp((math.log(self.sigma_max) - low) * (1.0 - percent) + low)


class ModelSamplingContinuousV(ModelSamplingContinuousEDM):
    """Any level, told to the network as an angle."""

    def timestep(self, sigma: Tensor) -> Tensor:
        """atan(sigma) 2 / pi."""
        return sigma.atan() / math.pi * 2

    def sigma(self, timestep: Tensor) -> Tensor:
        """tan(t pi / 2)."""
        return (timestep * math.pi / 2).tan()


class ModelSamplingDiscreteFlow(torch.nn.Module):
    """A rectified flow whose timesteps are shifted towards noise."""

    sigmas: Tensor

    def __init__(self, model_config: Any = None) -> None:
        super().__init__()
        settings = getattr(model_config, "sampling_settings", None) or {}
        self.set_parameters(shift=settings.get("shift", 1.0), multiplier=settings.get("multiplier", 1000))

    def set_parameters(self, shift: float = 1.0, timesteps: int = 1000, multiplier: float = 1000) -> None:
        """How far to shift, and what the network is told at sigma 1."""
        self.shift, self.multiplier = shift, multiplier
        self.register_buffer("sigmas", prediction.make_flow(shift, multiplier, timesteps).table)

    @property
    def sigma_min(self) -> Tensor:
        """The level of the first training step."""
        return self.sigmas[0]

    @property
    def sigma_max(self) -> Tensor:
        """1."""
        return self.sigmas[-1]

    def timestep(self, sigma: Tensor) -> Tensor:
        """sigma times the multiplier."""
        return sigma * self.multiplier

    def sigma(self, timestep: Tensor) -> Tensor:
        """Shifted t."""
        t = timestep / self.multiplier
        return self.shift * t / (1 + (self.shift - 1) * t)

    def percent_to_sigma(self, percent: float) -> float:
        """Shifted 1 - percent."""
        if percent <= 0.0:
            return 1.0
        t = 1.0 - percent
        return 0.0 if percent >= 1.0 else self.shift * t / (1 + (self.shift - 1) * t)


class ModelSamplingFlux(ModelSamplingDiscreteFlow):
    """A flow whose shift is given as a logarithm, and whose network is told sigma itself."""

    def set_parameters(self, shift: float = 1.15, timesteps: int = 10000, multiplier: float = 1.0) -> None:
        """How far to shift."""
        super().set_parameters(math.exp(shift), timesteps, multiplier)


class OtherModelSampling(torch.nn.Module):
    """Noise levels and predictions of ours that no combination of the classes above says."""

    sigmas: Tensor

    def __init__(self, ours: prediction.ModelSampling) -> None:
        super().__init__()
        self.ours = ours
        self.sigma_data = 1.0
        self.register_buffer("sigmas", ours.table)

    @property
    def sigma_min(self) -> Tensor:
        """Smallest level."""
        return torch.tensor(self.ours.sigma_min)

    @property
    def sigma_max(self) -> Tensor:
        """Largest level."""
        return torch.tensor(self.ours.sigma_max)

    def timestep(self, sigma: Tensor) -> Tensor:
        """What the network is told."""
        return self.ours.timestep(sigma)

    def sigma(self, timestep: Tensor) -> Tensor:
        """The level of a timestep."""
        return self.ours.sigma(timestep)

    def percent_to_sigma(self, percent: float) -> float:
        """The level when a share of the sampling is done."""
        if percent <= 0.0:
            return 999999999.9
        return 0.0 if percent >= 1.0 else self.ours.level_at(percent)

    def calculate_input(self, sigma: Tensor, noise: Tensor) -> Tensor:
        """Scaled for the network."""
        return self.ours.network_input(noise, sigma)

    def calculate_denoised(self, sigma: Tensor, model_output: Tensor, model_input: Tensor) -> Tensor:
        """The clean latent."""
        return self.ours.denoised(model_output, model_input, sigma)

    def noise_scaling(self, sigma: Tensor, noise: Tensor, latent_image: Tensor, max_denoise: bool = False) -> Tensor:
        """The latent with noise at a level."""
        return self.ours.noised(float(sigma.reshape(-1)[0]), noise, latent_image, from_scratch=max_denoise)

    def inverse_noise_scaling(self, sigma: Tensor, latent: Tensor) -> Tensor:
        """What a sampler that stopped at `sigma` hands on."""
        return self.ours.finished(float(sigma.reshape(-1)[0]), latent)


def rescale_zero_terminal_snr_sigmas(sigmas: Tensor) -> Tensor:
    """Levels whose last one holds next to no signal."""
    return prediction.zero_terminal_snr(sigmas)
