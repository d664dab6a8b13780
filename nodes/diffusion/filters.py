"""Filters of pictures, (N, H, W, channels) in and out: blur, edges, morphology, brightness and colour difference.

All work in float32 on the CPU and at the border as each docstring says. Knows no network.
"""

import math

import torch
from torch import Tensor

BT601 = (0.299, 0.587, 0.114)
"""Shares of red, green and blue in the brightness (Rec. ITU-R BT.601)."""


def blurred(pictures: Tensor, radius: int, sigma: float) -> Tensor:
    """Convolved with a Gaussian of standard deviation `sigma` pixels that is cut off beyond `radius` pixels.

    What lies outside the picture is the picture mirrored at its outermost pixels.
    """
    distance = torch.arange(-radius, radius + 1, dtype=torch.float32)
    weights = torch.exp(-(distance**2) / (2 * sigma**2))
    weights = weights / weights.sum()
    planes = pictures.movedim(-1, 1)
    for dim in (-2, -1):
        planes = _convolved(planes, weights, dim)
    return planes.movedim(1, -1).contiguous()


def sharpened(pictures: Tensor, radius: int, sigma: float, amount: float) -> Tensor:
    """Unsharp masking: picture + amount (picture - blurred), in 0 to 1."""
    return (pictures + amount * (pictures - blurred(pictures, radius, sigma))).clamp(0, 1)


def dilated(planes: Tensor, size: int) -> Tensor:
    """(N, C, H, W) -> the largest value in the square of `size` cells around each; outside of the plane is nothing.

    An even square reaches one cell further right and down.
    """
    before = (size - 1) // 2
    after = size - 1 - before
    padded = torch.nn.functional.pad(planes, (before, after, before, after), value=-math.inf)
    across = torch.nn.functional.max_pool2d(padded, (1, size), stride=1)
    return torch.nn.functional.max_pool2d(across, (size, 1), stride=1)


def eroded(planes: Tensor, size: int) -> Tensor:
    """As `dilated`, the smallest value; an even square reaches one cell further left and up, so that an opening leaves
    things where they are."""
    return -dilated((-planes).flip(-2, -1), size).flip(-2, -1)


def morphed(pictures: Tensor, operation: str, size: int) -> Tensor:
    """Grey-scale morphology with a flat square (Serra 1982), each channel by itself.

    `operation`: erode, dilate, open, close, gradient (dilated - eroded), top_hat (picture - opened), bottom_hat
    (closed - picture).
    """
    planes = pictures.movedim(-1, 1)
    match operation:
        case "erode":
            result = eroded(planes, size)
        case "dilate":
            result = dilated(planes, size)
        case "open":
            result = dilated(eroded(planes, size), size)
        case "close":
            result = eroded(dilated(planes, size), size)
        case "gradient":
            result = dilated(planes, size) - eroded(planes, size)
        case "top_hat":
            result = planes - dilated(eroded(planes, size), size)
        case "bottom_hat":
            result = eroded(dilated(planes, size), size) - planes
        case _:
            raise ValueError(f"There is no morphology called {operation}.")
    return result.movedim(1, -1).contiguous()


def brightness(pictures: Tensor) -> Tensor:
    """(N, H, W) brightness of (N, H, W, 3 or more) by `BT601`."""
    return pictures[..., :3] @ pictures.new_tensor(BT601)


def to_ycbcr(pictures: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Brightness and the two colour differences, (N, H, W) each: full range, grey at 0.5 (JFIF 1.02, ITU-T T.871)."""
    red, _, blue = pictures[..., 0], pictures[..., 1], pictures[..., 2]
    y = brightness(pictures)
    return y, (blue - y) / (2 * (1 - BT601[2])) + 0.5, (red - y) / (2 * (1 - BT601[0])) + 0.5


def from_ycbcr(y: Tensor, cb: Tensor, cr: Tensor) -> Tensor:
    """The inverse of `to_ycbcr`: (N, H, W, 3), cut off at 0 and 1."""
    red = y + 2 * (1 - BT601[0]) * (cr - 0.5)
    blue = y + 2 * (1 - BT601[2]) * (cb - 0.5)
    green = (y - BT601[0] * red - BT601[2] * blue) / BT601[1]
    return torch.stack([red, green, blue], -1).clamp(0, 1)


def canny(pictures: Tensor, low: float, high: float) -> Tensor:
    """(N, H, W) of 0 and 1: the edges (Canny 1986, "A Computational Approach to Edge Detection").

    Brightness is smoothed with a Gaussian of one pixel; gradients are Sobel's. A pixel whose gradient is the largest
    across its edge is one if it is steeper than `high`, or steeper than `low` and connected to one that is.
    """
    grey = blurred(brightness(pictures)[..., None], 2, 1.0).movedim(-1, 1)
    down, across = _sobel(grey)
    steep = (down**2 + across**2).sqrt()
    ridge = steep * _is_ridge(steep, torch.rad2deg(torch.atan2(down, across)))
    from scipy import ndimage  # takes a tenth of a second, and most graphs find no edges

    square = torch.ones(3, 3).numpy()
    found = [
        ndimage.binary_propagation((one > high).numpy(), square, mask=(one > low).numpy()) for one in ridge[:, 0].cpu()
    ]
    return torch.stack([torch.from_numpy(one) for one in found]).float()


def _sobel(grey: Tensor) -> tuple[Tensor, Tensor]:
    """Change downwards and to the right, with the whole numbers of Sobel's kernels (a step of 1 gives 4); the outermost
    pixels go on outside."""
    around = torch.nn.functional.pad(grey, (1, 1, 1, 1), mode="replicate")
    kernel = torch.tensor([[[[-1.0, -2.0, -1.0], [0.0, 0.0, 0.0], [1.0, 2.0, 1.0]]]])
    convolve = torch.nn.functional.conv2d
    return convolve(around, kernel), convolve(around, kernel.mT)


def _is_ridge(steep: Tensor, angle: Tensor) -> Tensor:
    """Where no neighbour in the direction (degrees) of the gradient, to the nearest 45, is steeper."""
    height, width = steep.shape[-2:]
    padded = torch.nn.functional.pad(steep, (1, 1, 1, 1))
    sector = (angle / 45).round().long() % 4
    ridge = torch.zeros_like(steep, dtype=torch.bool)
    for index, (row, column) in enumerate([(0, 1), (1, 1), (1, 0), (1, -1)]):
        ahead = padded[..., 1 + row : 1 + row + height, 1 + column : 1 + column + width]
        behind = padded[..., 1 - row : 1 - row + height, 1 - column : 1 - column + width]
        ridge |= (sector == index) & (steep >= ahead) & (steep > behind)
    return ridge


def _convolved(planes: Tensor, weights: Tensor, dim: int) -> Tensor:
    """(N, C, H, W) along one of the last two dimensions with (2 r + 1,) weights; mirrored at the outermost cells, as
    often as it takes in a plane that is smaller than the radius."""
    radius, length = len(weights) // 2, planes.shape[dim]
    place = torch.arange(-radius, length + radius)
    if length == 1:
        place = torch.zeros_like(place)
    else:
        place = (length - 1) - ((place % (2 * (length - 1))) - (length - 1)).abs()
    padded = planes.index_select(dim, place)
    return sum(
        (weight * padded.narrow(dim, index, length) for index, weight in enumerate(weights)),
        start=torch.zeros_like(planes),
    )
