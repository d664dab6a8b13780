"""How much memory a network takes on the way, from its layout: measured as the peak of live tensors, in units of the
first level's tensor. Fused attention is assumed, which keeps no matrix of cells by cells.
"""

import torch

from nodes.diffusion.memory.network import Network

UNET_TENSORS = 26
"""Live at the peak of SD 1.5's UNet (SDXL: 16)."""

VAE_TENSORS = 6
"""Live at the peak of the KL autoencoder's decoder, at full resolution (its encoder: 5)."""

WORKSPACE = 1.5
"""Room for what kernels need for themselves."""


def of_step(network: Network, dtype: torch.dtype, rows: int, height: int, width: int) -> int:
    """Bytes of one pass of a denoising network over (rows, channels, height, width) latents."""
    return _peak(network, dtype, rows * height * width, UNET_TENSORS)


def of_autoencoder(network: Network, dtype: torch.dtype, height: int, width: int) -> int:
    """Bytes of decoding or encoding one picture of height x width pixels."""
    return _peak(network, dtype, height * width, VAE_TENSORS)


def _peak(network: Network, dtype: torch.dtype, cells: int, tensors: int) -> int:
    # A module of a node pack may have no such layout; nothing is known of it.
    levels = getattr(getattr(network.module, "config", None), "block_out_channels", (0,))
    channels = int(levels[0])
    return int(cells * channels * dtype.itemsize * tensors * WORKSPACE)
