"""Alterations of a UNet's feature maps: FreeU, and deep blocks that work on smaller maps."""

from dataclasses import dataclass

from torch import Tensor

from nodes.diffusion.frequencies import scaled_frequencies
from nodes.diffusion.patches.contract import Alteration, Call, Place
from nodes.diffusion.resize import resize

_RADIUS = 1
"""Half the side of the square of low frequencies that FreeU scales."""


@dataclass(frozen=True, slots=True, eq=False)
class FreeU(Alteration):
    """Si et al. 2023, "FreeU: Free Lunch in Diffusion U-Net".

    In the two deepest widths of the network, half of the channels from below are multiplied by b, and the low
    frequencies of what comes across by s. The first of each pair is for maps four times as wide as the first block's,
    the second for those twice as wide.
    """

    b: tuple[float, float]
    s: tuple[float, float]
    by_structure: bool
    """Version 2, equation 4: b counts in full only where a cell's mean over the channels is the highest."""

    def before_output(self, h: Tensor, kept: Tensor, place: Place, call: Call) -> tuple[Tensor, Tensor]:
        """Equations 3 to 6."""
        level = {4 * call.width: 0, 2 * call.width: 1}.get(h.shape[1])
        if level is None:
            return h, kept
        b, s = self.b[level], self.s[level]
        if b != 1:
            h = h.clone()
            h[:, : h.shape[1] // 2] *= self._strength(h, b)
        return h, kept if s == 1 else scaled_frequencies(kept, _RADIUS, s)

    def _strength(self, h: Tensor, b: float) -> Tensor | float:
        if not self.by_structure:
            return b
        mean = h.mean(dim=1, keepdim=True)
        low, high = (one(mean.flatten(1), dim=1).reshape(-1, 1, 1, 1) for one in (_least, _most))
        return (b - 1) * (mean - low) / (high - low).clamp(min=1e-12) + 1


@dataclass(frozen=True, slots=True, eq=False)
class Downscaled(Alteration):
    """Kohya 2023, "Deep Shrink": from one input block on the network works on a smaller map, so that pictures larger
    than those of its training get one composition. It counts in one range of the sampling."""

    block: int
    factor: float
    start: float
    end: float
    after_skip: bool
    """Whether what goes across keeps its size."""
    down: str
    """A method of `resize`."""
    up: str

    def after_input(self, h: Tensor, place: Place, call: Call) -> Tensor:
        """Smaller, also for what goes across."""
        return h if self.after_skip else self._smaller(h, place, call)

    def after_kept(self, h: Tensor, place: Place, call: Call) -> Tensor:
        """Smaller, for the next block only."""
        return self._smaller(h, place, call) if self.after_skip else h

    def before_output(self, h: Tensor, kept: Tensor, place: Place, call: Call) -> tuple[Tensor, Tensor]:
        """As large again as what comes across."""
        if h.shape[-2:] == kept.shape[-2:]:
            return h, kept
        return _resized(h, kept.shape[-2], kept.shape[-1], self.up), kept

    def _smaller(self, h: Tensor, place: Place, call: Call) -> Tensor:
        if place.number != self.block or self.factor == 1 or not call.within(self.start, self.end):
            return h
        height, width = (max(1, round(side / self.factor)) for side in h.shape[-2:])
        return _resized(h, height, width, self.down)


def _resized(h: Tensor, height: int, width: int, method: str) -> Tensor:
    return resize(h, width, height, method).to(h)


def _least(values: Tensor, dim: int) -> Tensor:
    return values.amin(dim)


def _most(values: Tensor, dim: int) -> Tensor:
    return values.amax(dim)
