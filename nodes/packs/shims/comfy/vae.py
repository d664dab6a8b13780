"""An autoencoder as packs know it: whole and tiled, with the sizes that packs ask about."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import comfy.model_management
from comfy.tensor_tiles import tiled_scale
from comfy.worker_memory import memory
from nodes.diffusion import autoencoder, values
from nodes.diffusion.checkpoints.separate import vae_of
from nodes.diffusion.checkpoints.source import held
from nodes.diffusion.memory.network import Network
from nodes.packs.bridge.missing import refuse


class VaePatcher:
    """The part of a model patcher that an autoencoder has: residency."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.model = network.module
        self.load_device = comfy.model_management.vae_device()
        self.offload_device = comfy.model_management.vae_offload_device()
        self.model_options: dict[str, Any] = {}

    def networks(self) -> list[Network]:
        """What must be resident to encode and decode."""
        return [self.network]

    def clone(self) -> "VaePatcher":
        """One of its own for the same network."""
        return VaePatcher(self.network)

    def model_size(self) -> int:
        """Bytes of the weights."""
        return self.network.bytes_as(memory().dtype("vae"))

    def model_dtype(self) -> torch.dtype:
        """What it computes in."""
        return memory().dtype("vae")


class VAE:
    """An autoencoder. Pictures are (N, H, W, 3) in 0 to 1, latents (N, channels, h, w)."""

    heddle_type = "VAE"

    def __init__(self, sd: Any = None, device: Any = None, config: Any = None, **_: Any) -> None:
        if sd is None:
            raise refuse("Autoencoders that node packs put together themselves are")
        self.__dict__.update(VAE.of(vae_of(held(Path("The VAE of a node pack"), sd))).__dict__)

    @classmethod
    def of(cls, value: values.VAE) -> "VAE":
        """For an autoencoder of ours."""
        made: VAE = object.__new__(cls)
        made._origin = value
        made.patcher = VaePatcher(value.network)
        made.first_stage_model = value.network.module
        made.latent_channels = value.channels
        made.latent_dim = 2
        made.downscale_ratio = value.factor
        made.upscale_ratio = value.factor
        made.output_channels = 3
        made.device = comfy.model_management.vae_device()
        made.output_device = comfy.model_management.intermediate_device()
        made.vae_dtype = comfy.model_management.vae_dtype()
        made.memory_used_encode = lambda shape, dtype: 1767 * shape[2] * shape[3] * dtype.itemsize
        made.memory_used_decode = lambda shape, dtype: 2178 * shape[2] * shape[3] * 64 * dtype.itemsize
        made.process_input = lambda picture: picture * 2 - 1
        made.process_output = lambda picture: (picture / 2 + 0.5).clamp(0, 1)
        return made

    _origin: values.VAE
    patcher: VaePatcher
    first_stage_model: Any
    latent_channels: int
    latent_dim: int
    downscale_ratio: Any
    upscale_ratio: Any
    output_channels: int
    device: torch.device
    output_device: torch.device
    vae_dtype: torch.dtype
    memory_used_encode: Callable[..., float]
    memory_used_decode: Callable[..., float]
    process_input: Callable[[Tensor], Tensor]
    process_output: Callable[[Tensor], Tensor]

    def to_value(self) -> values.VAE:
        """The autoencoder of ours that this stands for."""
        return self._origin

    def decode(self, samples_in: Tensor, vae_options: Any = None) -> Tensor:
        """Latents to pictures."""
        with memory().resident(self._origin.network):
            return autoencoder.decode(self._origin, samples_in)

    def encode(self, pixel_samples: Tensor) -> Tensor:
        """Pictures to latents. Sides that are no multiple of the factor are cut evenly at both ends."""
        with memory().resident(self._origin.network):
            return autoencoder.encode(self._origin, pixel_samples)

    def decode_tiled(
        self,
        samples: Tensor,
        tile_x: int | None = None,
        tile_y: int | None = None,
        overlap: int | None = None,
        **_: Any,
    ) -> Tensor:
        """Latents to pictures, tile by tile; sides of tiles in latent cells."""
        factor = self._origin.factor
        with memory().resident(self._origin.network):
            pictures = tiled_scale(
                samples,
                lambda cut: autoencoder.decode(self._origin, cut).movedim(-1, 1),
                tile_x or 64,
                tile_y or 64,
                16 if overlap is None else overlap,
                upscale_amount=factor,
                out_channels=self.output_channels,
                output_device=self.output_device,
            )
        return pictures.movedim(1, -1).contiguous()

    def encode_tiled(
        self,
        pixel_samples: Tensor,
        tile_x: int | None = None,
        tile_y: int | None = None,
        overlap: int | None = None,
        **_: Any,
    ) -> Tensor:
        """Pictures to latents, tile by tile; sides of tiles in pixels."""
        factor = self._origin.factor
        pixels = autoencoder.cropped(pixel_samples[..., :3], factor).movedim(-1, 1)
        with memory().resident(self._origin.network):
            return tiled_scale(
                pixels,
                lambda cut: autoencoder.encode(self._origin, cut.movedim(1, -1)),
                tile_x or 512,
                tile_y or 512,
                64 if overlap is None else overlap,
                upscale_amount=1 / factor,
                out_channels=self._origin.channels,
                output_device=self.output_device,
            )

    def vae_encode_crop_pixels(self, pixels: Tensor) -> Tensor:
        """Pictures whose sides are multiples of the factor."""
        return autoencoder.cropped(pixels, self._origin.factor)

    def spacial_compression_decode(self) -> int:
        """Pixels along the side of one latent cell."""
        return self._origin.factor

    def spacial_compression_encode(self) -> int:
        """The same."""
        return self._origin.factor

    def temporal_compression_decode(self) -> int | None:
        """Frames in one latent: there is no time here."""
        return None

    def throw_exception_if_invalid(self) -> None:
        """It always is valid."""

    def get_sd(self) -> Mapping[str, Tensor]:
        """The weights by name."""
        return dict(self._origin.network.weights)
