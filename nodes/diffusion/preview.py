"""Latent -> a small picture, fast enough for every step: one linear map from latent channels to colours.

The map is fitted once to what the model's own autoencoder makes of smooth random latents, so it suits any autoencoder
and needs no published numbers.
"""

import io

import torch
from PIL import Image
from torch import Tensor

from nodes.diffusion.autoencoder import decode
from nodes.diffusion.values import VAE, ColourMap

LARGEST = 512
"""Pixels along the longer side of a preview."""

QUALITY = 88
_SIDE = 24
"""Cells along the side of the latent that the map is fitted on."""


def fit_colours(vae: VAE, scale: float) -> ColourMap:
    """Least squares of decoded colours over latent cells. `vae` must be resident; latents have unit variance times
    1 / `scale`."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.randn(1, vae.channels, _SIDE // 4, _SIDE // 4, generator=generator)
    fine = torch.randn(1, vae.channels, _SIDE, _SIDE, generator=generator)
    smooth = torch.nn.functional.interpolate(coarse, size=(_SIDE, _SIDE), mode="bicubic")
    latent = (smooth + 0.25 * fine) / scale
    cells = torch.nn.functional.avg_pool2d(decode(vae, latent).movedim(-1, 1), vae.factor)[0].flatten(1).T
    known = torch.cat([latent[0].flatten(1).T, torch.ones(len(cells), 1)], dim=1)
    solution = torch.linalg.lstsq(known, cells).solution
    return ColourMap(solution[:-1], solution[-1])


def preview_jpeg(colours: ColourMap, latent: Tensor, factor: int) -> bytes:
    """JPEG of the first of (N, channels, h, w) unscaled latents, as large as its picture but at most `LARGEST`."""
    cells = latent[0].float().cpu().movedim(0, -1) @ colours.weights + colours.offset
    small = Image.fromarray((cells.clamp(0, 1) * 255).round().byte().numpy())
    shrink = min(1.0, LARGEST / (factor * max(small.size)))
    size = tuple(max(1, round(side * factor * shrink)) for side in small.size)
    buffer = io.BytesIO()
    small.resize((size[0], size[1]), Image.Resampling.BICUBIC).save(buffer, "JPEG", quality=QUALITY)
    return buffer.getvalue()
