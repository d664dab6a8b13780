"""Resizing of latents and pictures: torch's interpolations, bislerp, which keeps the length of latent vectors, and
Lanczos, which is for pictures."""

import numpy as np
import torch
from PIL import Image
from torch import Tensor

MEGAPIXEL = 1024 * 1024
"""Pixels, as people who make pictures count them."""


def resize(samples: Tensor, width: int, height: int, method: str) -> Tensor:
    """(N, channels, h, w) -> (N, channels, height, width)."""
    if method == "bislerp":
        return _bislerp(_bislerp(samples.float(), width).transpose(-1, -2), height).transpose(-1, -2)
    if method == "lanczos":
        return _lanczos(samples, width, height)
    return torch.nn.functional.interpolate(samples, size=(height, width), mode=method)


def resize_pictures(pictures: Tensor, width: int, height: int, method: str, *, crop: bool = False) -> Tensor:
    """(N, h, w, channels) -> (N, height, width, channels); `crop` cuts evenly instead of changing the proportions."""
    planes = pictures.movedim(-1, 1)
    if crop:
        planes = centred(planes, width, height)
    return resize(planes, width, height, method).movedim(1, -1).contiguous()


def centred(samples: Tensor, width: int, height: int) -> Tensor:
    """The largest middle part of (N, channels, h, w) that has the proportions width : height."""
    rows, columns = samples.shape[-2:]
    left = (
        round((columns - columns * (width / height) / (columns / rows)) / 2) if columns * height > rows * width else 0
    )
    top = round((rows - rows * (columns / rows) / (width / height)) / 2) if columns * height < rows * width else 0
    return samples[..., top : rows - top, left : columns - left]


def _lanczos(pictures: Tensor, width: int, height: int) -> Tensor:
    """Pillow's filter (Lanczos 1956, three lobes), which works in steps of 1/255."""
    pixels = (pictures.clamp(0, 1) * 255).byte().movedim(1, -1).cpu().numpy()
    resized = [np.array(Image.fromarray(one).resize((width, height), Image.Resampling.LANCZOS)) for one in pixels]
    return torch.from_numpy(np.stack(resized)).movedim(-1, 1).float() / 255


def _bislerp(samples: Tensor, width: int) -> Tensor:
    """Along the last dimension, slerp (Shoemake 1985) between the channel vectors of the two nearest cells; lengths
    are interpolated linearly. Vectors that point (nearly) the same or opposite ways are taken from the nearer end."""
    old = samples.shape[-1]
    position = ((torch.arange(width, dtype=torch.float32, device=samples.device) + 0.5) * old / width - 0.5).clamp(
        0, old - 1
    )
    low = position.floor().long()
    high = (low + 1).clamp(max=old - 1)
    share = position - low
    first, second = samples[..., low], samples[..., high]
    long, short = first.norm(dim=1, keepdim=True), second.norm(dim=1, keepdim=True)
    unit, other = first / long.clamp(min=1e-12), second / short.clamp(min=1e-12)
    dot = (unit * other).sum(1, keepdim=True)
    angle = torch.acos(dot.clamp(-1, 1))
    sine = torch.sin(angle)
    turned = (torch.sin((1 - share) * angle) * unit + torch.sin(share * angle) * other) / sine
    mixed = turned * (long * (1 - share) + short * share)
    mixed = torch.where(dot > 1 - 1e-5, first, mixed)
    return torch.where(dot < 1e-5 - 1, first * (1 - share) + second * share, mixed)
