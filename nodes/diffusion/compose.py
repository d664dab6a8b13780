"""Putting batches of tensors together: pasting under a mask, soft edges, growing masks. Knows no network."""

import math

import torch
from torch import Tensor


def matched(tensor: Tensor, count: int) -> Tensor:
    """A batch cut or repeated from its beginning to `count` rows."""
    repeats = math.ceil(count / len(tensor))
    return tensor.repeat(repeats, *(1,) * (tensor.ndim - 1))[:count]


def paste(destination: Tensor, source: Tensor, left: int, top: int, mask: Tensor | None = None) -> Tensor:
    """(N, C, H, W) `destination` with (M, C, h, w) `source` over it, as far as it lies inside.

    The source's share is `mask` (K, h', w'), resized to the source, or 1. `left` and `top` are 0 or more.
    """
    count, _, height, width = destination.shape
    result = destination.clone()
    under = result[..., top : top + source.shape[-2], left : left + source.shape[-1]]
    if 0 in under.shape:
        return result
    over = matched(source, count)[..., : height - top, : width - left].to(destination)
    if mask is None:
        under.copy_(over)
        return result
    share = mask.reshape(-1, 1, *mask.shape[-2:]).float()
    share = torch.nn.functional.interpolate(share, size=source.shape[-2:], mode="bilinear")
    share = matched(share, count)[..., : height - top, : width - left].to(destination)
    under.copy_(share * over + (1 - share) * under)
    return result


def feathered(length: int, before: int, after: int) -> Tensor:
    """(length,) weights that rise to 1 over `before` places at the beginning and fall over `after` at the end.

    The outermost of n places has the weight 1/n. A rise that is longer than the whole is cut; two that meet multiply.
    """
    return _rise(length, before) * _rise(length, after).flip(0)


def grown(mask: Tensor, steps: int, *, square: bool) -> Tensor:
    """(N, H, W) mask dilated by `steps` cells, or eroded by -`steps`: each step takes the largest (smallest) of a cell
    and its four neighbours, or eight if `square`."""
    sign = 1 if steps > 0 else -1
    grey = mask[:, None] * sign
    pool = torch.nn.functional.max_pool2d
    # Further steps than the mask has cells along both sides change nothing any more.
    for _ in range(min(abs(steps), sum(mask.shape[-2:]))):
        if square:
            grey = pool(grey, 3, stride=1, padding=1)
        else:
            across = pool(grey, (1, 3), stride=1, padding=(0, 1))
            grey = torch.maximum(across, pool(grey, (3, 1), stride=1, padding=(1, 0)))
    return grey[:, 0] * sign


def outpaint_mask(height: int, width: int, margins: tuple[int, int, int, int], feathering: int) -> Tensor:
    """(1, top + height + bottom, left + width + right) mask for a picture with new (left, top, right, bottom) margins.

    1 in the margins; inside the picture it falls with the square of the distance from them, to 0 at `feathering`
    pixels. A picture that is not more than twice as large gets no soft edge.
    """
    left, top, right, bottom = margins
    mask = torch.ones(top + height + bottom, left + width + right)
    inner = torch.zeros(height, width)
    if 0 < feathering * 2 < min(height, width):
        far = max(height, width)
        rows, columns = torch.arange(height), torch.arange(width)
        distances = [
            rows if top else torch.full((height,), far),
            height - rows if bottom else torch.full((height,), far),
        ]
        across = [
            columns if left else torch.full((width,), far),
            width - columns if right else torch.full((width,), far),
        ]
        distance = torch.minimum(torch.minimum(*distances)[:, None], torch.minimum(*across)[None, :])
        inner = ((feathering - distance) / feathering).clamp(min=0) ** 2
    mask[top : top + height, left : left + width] = inner
    return mask[None]


def _rise(length: int, steps: int) -> Tensor:
    weights = torch.ones(length)
    weights[:steps] = torch.arange(1, min(steps, length) + 1) / max(1, steps)
    return weights
