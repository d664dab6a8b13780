"""Pictures with few colours: a palette for each, and what stands for the colours between."""

import math

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from nodes.diffusion.pictures import to_pixels


def quantized(pictures: Tensor, colours: int, dither: str) -> Tensor:
    """(N, H, W, 3 or more) with at most `colours` (1 to 256) colours in each picture; channels beyond three stay away.

    The palette is Pillow's median cut (Heckbert 1982). `dither`: none, floyd-steinberg (error diffusion, 1976), or
    bayer-n (n x n ordered dither; Bayer 1973).
    """
    return torch.stack([_quantized(one, colours, dither) for one in pictures[..., :3]])


def bayer(size: int) -> Tensor:
    """(size, size) thresholds in -1/2 to 1/2; `size` is a power of two."""
    matrix = torch.zeros(1, 1)
    for _ in range(size.bit_length() - 1):
        matrix = torch.cat([torch.cat([4 * matrix, 4 * matrix + 2], 1), torch.cat([4 * matrix + 3, 4 * matrix + 1], 1)])
    return (matrix + 0.5) / size**2 - 0.5


def _quantized(picture: Tensor, colours: int, dither: str) -> Tensor:
    whole = Image.fromarray(to_pixels(picture))
    palette = whole.quantize(colours, method=Image.Quantize.MEDIANCUT)
    plain = Image.Dither.FLOYDSTEINBERG if dither == "floyd-steinberg" else Image.Dither.NONE
    if dither.startswith("bayer-"):
        height, width = picture.shape[:2]
        size = int(dither.removeprefix("bayer-"))
        thresholds = bayer(size).repeat(-(-height // size), -(-width // size))[:height, :width, None]
        whole = Image.fromarray(to_pixels(picture + thresholds * _spacing(palette)))
    few = whole.quantize(colours, palette=palette, dither=plain)
    return torch.from_numpy(np.array(few.convert("RGB"))).float() / 255


def _spacing(palette: Image.Image) -> float:
    """How far a colour of the palette is from its nearest neighbour, in the mean, along the channel where they differ
    most: thresholds of that range reach the neighbour and not beyond it."""
    colours = torch.tensor(palette.getpalette(), dtype=torch.float32).reshape(-1, 3).unique(dim=0) / 255
    if len(colours) < 2:
        return 0.0
    distances = (colours[:, None] - colours[None]).abs().amax(-1)
    return float(distances.fill_diagonal_(math.inf).amin(1).mean())
