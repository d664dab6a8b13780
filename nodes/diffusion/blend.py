"""How two pictures are put over each other: blend modes, and Porter and Duff's compositing. Knows no network.

W3C, "Compositing and Blending Level 1", section 9, for the blend modes. T. Porter and T. Duff 1984, "Compositing
Digital Images", for the operators.
"""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

Blend = Callable[[Tensor, Tensor], Tensor]
"""(below, above) -> blended, all in 0 to 1."""


def _overlay(below: Tensor, above: Tensor) -> Tensor:
    return torch.where(below <= 0.5, 2 * below * above, 1 - 2 * (1 - below) * (1 - above))


def _soft_light(below: Tensor, above: Tensor) -> Tensor:
    lighter = torch.where(below <= 0.25, ((16 * below - 12) * below + 4) * below, below.clamp(min=0).sqrt())
    return torch.where(
        above <= 0.5,
        below - (1 - 2 * above) * below * (1 - below),
        below + (2 * above - 1) * (lighter - below),
    )


BLENDS: Mapping[str, Blend] = {
    "normal": lambda _, above: above,
    "multiply": lambda below, above: below * above,
    "screen": lambda below, above: below + above - below * above,
    "overlay": _overlay,
    "soft_light": _soft_light,
    "difference": lambda below, above: (below - above).abs(),
}

Operator = Callable[[Tensor, Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]
"""(source, its alpha, destination, its alpha) -> (colours, alpha); colours are multiplied by alpha on both sides."""


def _covering(source_share: Callable[[Tensor], Tensor], destination_share: Callable[[Tensor], Tensor]) -> Operator:
    """The operators of Porter and Duff: source and destination in shares that depend on the alpha of the other one."""

    def operator(source: Tensor, sa: Tensor, destination: Tensor, da: Tensor) -> tuple[Tensor, Tensor]:
        of_source, of_destination = source_share(da), destination_share(sa)
        return source * of_source + destination * of_destination, sa * of_source + da * of_destination

    return operator


def _separable(mixed: Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]) -> Operator:
    """Blending where both are, each by itself where the other is not; covers as SRC_OVER does."""

    def operator(source: Tensor, sa: Tensor, destination: Tensor, da: Tensor) -> tuple[Tensor, Tensor]:
        both = mixed(source, sa, destination, da)
        return both + source * (1 - da) + destination * (1 - sa), sa + da - sa * da

    return operator


def _nothing(alpha: Tensor) -> Tensor:
    return torch.zeros_like(alpha)


def _all(alpha: Tensor) -> Tensor:
    return torch.ones_like(alpha)


def _inside(alpha: Tensor) -> Tensor:
    return alpha


def _outside(alpha: Tensor) -> Tensor:
    return 1 - alpha


def _overlaid(source: Tensor, sa: Tensor, destination: Tensor, da: Tensor) -> Tensor:
    return torch.where(
        2 * destination <= da, 2 * source * destination, sa * da - 2 * (sa - source) * (da - destination)
    )


def _multiplied(source: Tensor, sa: Tensor, destination: Tensor, da: Tensor) -> tuple[Tensor, Tensor]:
    """As drawing libraries define MULTIPLY beside these operators: nothing where only one of the two is."""
    return source * destination, sa * da


OPERATORS: Mapping[str, Operator] = {
    "ADD": _covering(_all, _all),
    "CLEAR": _covering(_nothing, _nothing),
    "DARKEN": _separable(lambda source, sa, destination, da: torch.minimum(source * da, destination * sa)),
    "DST": _covering(_nothing, _all),
    "DST_ATOP": _covering(_outside, _inside),
    "DST_IN": _covering(_nothing, _inside),
    "DST_OUT": _covering(_nothing, _outside),
    "DST_OVER": _covering(_outside, _all),
    "LIGHTEN": _separable(lambda source, sa, destination, da: torch.maximum(source * da, destination * sa)),
    "MULTIPLY": _multiplied,
    "OVERLAY": _separable(_overlaid),
    "SCREEN": _separable(lambda source, sa, destination, da: source * da + destination * sa - source * destination),
    "SRC": _covering(_all, _nothing),
    "SRC_ATOP": _covering(_inside, _outside),
    "SRC_IN": _covering(_inside, _nothing),
    "SRC_OUT": _covering(_outside, _nothing),
    "SRC_OVER": _covering(_all, _outside),
    "XOR": _covering(_outside, _outside),
}


def blended(below: Tensor, above: Tensor, mode: str, share: float) -> Tensor:
    """`below` with so much of it (0 to 1) replaced by what the mode makes of both; in 0 to 1."""
    return (below * (1 - share) + BLENDS[mode](below, above) * share).clamp(0, 1)


def composited(source: Tensor, sa: Tensor, destination: Tensor, da: Tensor, mode: str) -> tuple[Tensor, Tensor]:
    """(N, H, W, C) colours and (N, H, W) alpha of both -> those of the result, in 0 to 1.

    Colours here are plain, not multiplied by alpha; where the result is transparent they are 0.
    """
    sa, da = sa[..., None].clamp(0, 1), da[..., None].clamp(0, 1)
    colours, alpha = OPERATORS[mode](source * sa, sa, destination * da, da)
    alpha = alpha.clamp(0, 1)
    plain = torch.where(alpha > 0, colours / alpha.clamp(min=torch.finfo(alpha.dtype).tiny), 0.0)
    return plain.clamp(0, 1), alpha[..., 0]
