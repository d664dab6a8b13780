"""Work on a large tensor in overlapping tiles whose soft edges are blended. Knows no network."""

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor


def get_tiled_scale_steps(width: int, height: int, tile_x: int, tile_y: int, overlap: int) -> int:
    """How many tiles cover a picture."""
    rows = 1 if height <= tile_y else math.ceil((height - overlap) / (tile_y - overlap))
    columns = 1 if width <= tile_x else math.ceil((width - overlap) / (tile_x - overlap))
    return rows * columns


def tiled_scale(
    samples: Tensor,
    function: Callable[[Tensor], Tensor],
    tile_x: int = 64,
    tile_y: int = 64,
    overlap: int = 8,
    upscale_amount: float = 4,
    out_channels: int = 3,
    output_device: Any = "cpu",
    pbar: Any = None,
) -> Tensor:
    """`function` of (N, channels, h, w), tile by tile; it makes both sides `upscale_amount` times as long."""
    return tiled_scale_multidim(
        samples,
        function,
        (tile_y, tile_x),
        overlap=overlap,
        upscale_amount=upscale_amount,
        out_channels=out_channels,
        output_device=output_device,
        pbar=pbar,
    )


@torch.inference_mode()
def tiled_scale_multidim(
    samples: Tensor,
    function: Callable[[Tensor], Tensor],
    tile: Sequence[int] = (64, 64),
    overlap: Any = 8,
    upscale_amount: Any = 4,
    out_channels: int = 3,
    output_device: Any = "cpu",
    downscale: bool = False,
    index_formulas: Any = None,
    pbar: Any = None,
) -> Tensor:
    """The same for any number of dimensions after the channels; with `downscale`, sides become shorter instead."""
    dims = len(tile)
    scales = [_of_dimension(upscale_amount, index, dims) for index in range(dims)]
    places = [_of_dimension(index_formulas or upscale_amount, index, dims) for index in range(dims)]
    overlaps = list(overlap) if isinstance(overlap, list | tuple) else [overlap] * dims

    def scaled(length: float, scale: Any) -> int:
        if callable(scale):
            return round(scale(length))
        return round(length / scale) if downscale else round(length * scale)

    sides = samples.shape[2:]
    lengths = [scaled(side, scale) for side, scale in zip(sides, scales, strict=True)]
    output = torch.empty((samples.shape[0], out_channels, *lengths), device=output_device)
    starts = [_starts(side, size, one) for side, size, one in zip(sides, tile, overlaps, strict=True)]
    for row in range(samples.shape[0]):
        total = torch.zeros((1, out_channels, *lengths), device=output_device)
        weight = torch.zeros((1, 1, *lengths), device=output_device)
        for corner in itertools.product(*starts):
            cut = samples[row : row + 1]
            for axis, (start, size) in enumerate(zip(corner, tile, strict=True)):
                cut = cut.narrow(axis + 2, start, min(size, sides[axis] - start))
            made = function(cut).to(output_device)
            soft = torch.ones((1, 1, *made.shape[2:]), device=output_device)
            where: list[Any] = [slice(None), slice(None)]
            for axis, start in enumerate(corner):
                ramp = scaled(overlaps[axis], scales[axis])
                begin = scaled(start, places[axis])
                _soften(soft, axis + 2, ramp)
                where.append(slice(begin, begin + made.shape[axis + 2]))
            total[tuple(where)] += made * soft
            weight[tuple(where)] += soft
            if pbar is not None:
                pbar.update(1)
        output[row : row + 1] = total / weight
    return output


def _of_dimension(amount: Any, index: int, dims: int) -> Any:
    return amount[index] if isinstance(amount, list | tuple) and len(amount) == dims else amount


def _starts(side: int, size: int, overlap: int) -> list[int]:
    """Where tiles begin: evenly, but for the last, which ends with the side."""
    if side <= size:
        return [0]
    return [min(start, side - size) for start in range(0, side - overlap, size - overlap)]


def _soften(weights: Tensor, axis: int, ramp: int) -> None:
    """Let weights fall linearly over `ramp` places towards both ends of an axis."""
    length = weights.shape[axis]
    if not 0 < ramp < length:
        return
    rise = (torch.arange(length, device=weights.device) + 1).clamp(max=ramp) / ramp
    shape = [1] * weights.ndim
    shape[axis] = length
    weights.mul_((rise * rise.flip(0)).reshape(shape))
