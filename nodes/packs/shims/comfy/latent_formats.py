"""How latents of model families are scaled, and how they look. Knows no model."""

from typing import Any

import torch
from torch import Tensor


class LatentFormat:
    """What a family's latents are like: `scale_factor` gives them unit variance."""

    scale_factor: float = 1.0
    latent_channels: int = 4
    latent_dimensions: int = 2
    spacial_downscale_ratio: int = 8
    temporal_downscale_ratio: int = 1
    latent_rgb_factors: list[list[float]] | None = None
    latent_rgb_factors_bias: list[float] | None = None
    latent_rgb_factors_reshape: Any = None
    taesd_decoder_name: str | None = None

    def process_in(self, latent: Tensor) -> Tensor:
        """As the network sees it."""
        return latent * self.scale_factor

    def process_out(self, latent: Tensor) -> Tensor:
        """As the autoencoder sees it."""
        return latent / self.scale_factor


class SD15(LatentFormat):
    """Stable Diffusion 1.x and 2.x."""

    taesd_decoder_name = "taesd_decoder"

    def __init__(self, scale_factor: float = 0.18215) -> None:
        self.scale_factor = scale_factor


class SDXL(LatentFormat):
    """Stable Diffusion XL."""

    scale_factor = 0.13025
    taesd_decoder_name = "taesdxl_decoder"


class SDXL_Playground_2_5(LatentFormat):
    """Playground 2.5, whose channels are shifted and scaled one by one."""

    def __init__(self) -> None:
        self.scale_factor = 0.5
        self.latents_mean = torch.tensor([-1.6574, 1.886, -1.383, 2.5155]).view(1, 4, 1, 1)
        self.latents_std = torch.tensor([8.4927, 5.9022, 6.5498, 5.2299]).view(1, 4, 1, 1)

    def process_in(self, latent: Tensor) -> Tensor:
        """As the network sees it."""
        mean, std = self.latents_mean.to(latent), self.latents_std.to(latent)
        return (latent - mean) * self.scale_factor / std

    def process_out(self, latent: Tensor) -> Tensor:
        """As the autoencoder sees it."""
        mean, std = self.latents_mean.to(latent), self.latents_std.to(latent)
        return latent * std / self.scale_factor + mean


class SD3(LatentFormat):
    """Stable Diffusion 3."""

    latent_channels = 16
    taesd_decoder_name = "taesd3_decoder"

    def __init__(self) -> None:
        self.scale_factor = 1.5305
        self.shift_factor = 0.0609

    def process_in(self, latent: Tensor) -> Tensor:
        """As the network sees it."""
        return (latent - self.shift_factor) * self.scale_factor

    def process_out(self, latent: Tensor) -> Tensor:
        """As the autoencoder sees it."""
        return latent / self.scale_factor + self.shift_factor


class Flux(SD3):
    """Flux."""

    taesd_decoder_name = "taef1_decoder"

    def __init__(self) -> None:
        super().__init__()
        self.scale_factor = 0.3611
        self.shift_factor = 0.1159
