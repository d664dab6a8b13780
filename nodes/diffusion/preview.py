"""A look at unfinished latents, within a share of the sampling time.

A small autoencoder decodes them itself: the model's own, or one made for its latents (TAESD). For a large one a linear
map from latent channels to colours has to do; it is fitted once to what that autoencoder makes of smooth random
latents, so it needs no published numbers.
"""

import io
import time
from collections.abc import Callable

import torch
from PIL import Image
from torch import Tensor

from nodes.diffusion.autoencoder import decode
from nodes.diffusion.memory.device import DeviceMemory
from nodes.diffusion.values import VAE, ColourMap, Model

LARGEST = 512
"""Pixels along the longer side of a preview."""

SHARE = 0.25
"""Part of the sampling time that previews may add."""

SMALL = 5_000_000
"""Parameters of an autoencoder that is quick enough to decode previews."""

QUALITY = 88
_SIDE = 24
"""Cells along the side of the latent that the map is fitted on."""

_CELLS = 32
"""Cells along the longer side of a latent that is decoded for a preview; a larger one is shrunk first."""


class Previews:
    """The previews of one sampling run. Its time starts when it is made."""

    def __init__(
        self, model: Model, memory: DeviceMemory, method: str = "auto", clock: Callable[[], float] = time.perf_counter
    ) -> None:
        """`method`: "taesd" decodes if there is a small autoencoder, "latent2rgb" never does, "auto" does where it is
        quick enough, and with "none" there are no previews."""
        self._model, self._memory, self._clock = model, memory, clock
        self._started, self._spent, self._made = clock(), 0.0, 0
        self._decodes = method != "latent2rgb"
        small = model.small_vae() if model.small_vae is not None and method != "none" else None
        quick = method == "taesd" or (method == "auto" and memory.device.type != "cpu")
        self._vae = None if method == "none" else small if quick and small else model.vae or small

    def of(self, denoised: Tensor) -> Callable[[], bytes] | None:
        """A function that makes a JPEG of the first of (N, channels, h, w) latents as the network scales them; None
        while earlier previews have used up their share of the time, and where there is no autoencoder at all."""
        if self._vae is None or (self._made and self._spent > SHARE * (self._clock() - self._started)):
            return None
        vae = self._vae
        return lambda: self._look(vae, denoised)

    def _look(self, vae: VAE, denoised: Tensor) -> bytes:
        begun = self._clock()
        latent = denoised[:1].float() / self._model.latent_scale
        with self._memory.resident(vae.network):
            if self._decodes and sum(weight.numel() for weight in vae.network.weights.values()) <= SMALL:
                picture = decode(vae, _shrunk(latent))[0]
            else:
                if vae.colours is None:
                    vae.colours = fit_colours(vae, self._model.latent_scale)
                picture = latent[0].cpu().movedim(0, -1) @ vae.colours.weights + vae.colours.offset
        height, width = (side * vae.factor for side in denoised.shape[-2:])
        jpeg = encode_jpeg(picture, width, height)
        self._spent += self._clock() - begun
        self._made += 1
        return jpeg


def fit_colours(vae: VAE, scale: float) -> ColourMap:
    """Least squares of decoded colours over latent cells. `vae` must be resident; `scale` gives its latents unit
    variance."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.randn(1, vae.channels, _SIDE // 4, _SIDE // 4, generator=generator)
    fine = torch.randn(1, vae.channels, _SIDE, _SIDE, generator=generator)
    smooth = torch.nn.functional.interpolate(coarse, size=(_SIDE, _SIDE), mode="bicubic")
    latent = (smooth + 0.25 * fine) / scale
    cells = torch.nn.functional.avg_pool2d(decode(vae, latent).movedim(-1, 1), vae.factor)[0].flatten(1).T
    known = torch.cat([latent[0].flatten(1).T, torch.ones(len(cells), 1)], dim=1)
    solution = torch.linalg.lstsq(known, cells).solution
    return ColourMap(solution[:-1], solution[-1])


def encode_jpeg(picture: Tensor, width: int, height: int) -> bytes:
    """JPEG of a (h, w, 3) picture in 0 to 1, resized to width x height, or in proportion to at most `LARGEST`."""
    small = Image.fromarray((picture.clamp(0, 1) * 255).round().byte().numpy())
    shrink = min(1.0, LARGEST / max(width, height))
    buffer = io.BytesIO()
    size = max(1, round(width * shrink)), max(1, round(height * shrink))
    small.resize(size, Image.Resampling.BICUBIC).save(buffer, "JPEG", quality=QUALITY)
    return buffer.getvalue()


def _shrunk(latent: Tensor) -> Tensor:
    share = _CELLS / max(latent.shape[-2:])
    if share >= 1:
        return latent
    size = [max(1, round(side * share)) for side in latent.shape[-2:]]
    return torch.nn.functional.interpolate(latent, size=size, mode="area")
