"""Pictures and feature maps by their frequencies. It knows no model."""

import torch
from torch import Tensor


def scaled_frequencies(planes: Tensor, radius: int, low: float, high: float = 1.0) -> Tensor:
    """(..., h, w) with the frequencies of a square around 0, 2 `radius` wide, times `low`, and the others `high`.

    Computed in float32, because a Fourier transform in half types needs powers of two and loses most digits.
    """
    height, width = planes.shape[-2:]
    factor = torch.full((height, width), high, device=planes.device)
    row, column = height // 2, width // 2
    factor[max(0, row - radius) : row + radius, max(0, column - radius) : column + radius] = low
    spectrum = torch.fft.fftshift(torch.fft.fftn(planes.float(), dim=(-2, -1)), dim=(-2, -1)) * factor
    made: Tensor = torch.fft.ifftn(torch.fft.ifftshift(spectrum, dim=(-2, -1)), dim=(-2, -1)).real
    return made.to(planes.dtype)
