"""Guidance away from what a network says when it is kept from seeing well: PAG, SAG; and Perp-Neg as a patch.

Each asks the network once more in every step. See `sampling/steering.py` for what a formula is told.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from nodes.diffusion.patches.contract import Alteration, Attending, Call
from nodes.diffusion.sampling.steering import Formula, Guided, WithoutNegative, perpendicular

KERNEL = 9
"""Cells along the side of the blur."""
SEEN = "seen by self-attention"
"""Where `AttentionSeen` leaves its map."""


@dataclass(frozen=True, slots=True, eq=False)
class IdentityAttention(Alteration):
    """Self-attention in the middle block sees only its own cell: its map is the identity (Ahn et al. 2024, equation 6),
    so that the values are the answers."""

    def attend(self, what: Attending, call: Call, inner: Callable[[Attending], Tensor]) -> Tensor:
        """Where the paper found the structure of a picture to be decided."""
        if what.crossed or what.place.block != "middle":
            return inner(what)
        return inner(replace(what, core=lambda q, k, v, heads: v))  # noqa: ARG005 a Core


def perturbed(scale: float) -> Formula:
    """Ahn et al. 2024, "Self-Rectifying Diffusion Sampling with Perturbed-Attention Guidance" (PAG), equation 8 beside
    plain guidance: away from the positive prediction of a network with identity attention."""
    alteration = IdentityAttention()

    def formula(step: Guided) -> Tensor:
        return step.denoised + scale * (step.positive - step.ask(0, step.x, alteration))

    return WithoutNegative(formula)


@dataclass(frozen=True, slots=True, eq=False)
class AttentionSeen(Alteration):
    """Leaves, for the negative, how much each cell is seen by all others in the middle block: (N, h, w), the mean over
    the heads of the first transformer's map."""

    def attend(self, what: Attending, call: Call, inner: Callable[[Attending], Tensor]) -> Tensor:
        """Attention as always, and its map beside it."""
        if what.crossed or what.place.block != "middle" or what.place.depth or call.groups.count(1) != 1:
            return inner(what)

        def core(q: Tensor, k: Tensor, v: Tensor, heads: int) -> Tensor:
            rows = call.rows(q, 1)
            asked, seen = (one[rows].unflatten(-1, (heads, -1)).transpose(1, 2).float() for one in (q, k))
            scores = asked @ seen.transpose(-1, -2) * asked.shape[-1] ** -0.5
            cells = scores.softmax(dim=-1).mean(dim=1).sum(dim=1)
            call.run[SEEN] = cells.unflatten(1, what.size), call.size
            return what.core(q, k, v, heads)

        return inner(replace(what, core=core))


def self_attentive(scale: float, blur: float) -> Formula:
    """Hong et al. 2023, "Improving Sample Quality of Diffusion Models Using Self-Attention Guidance" (SAG), algorithm
    2 and equation 12: away from the negative prediction, blurred where self-attention looks, and predicted again.

    `blur`: standard deviation in cells. The model needs an `AttentionSeen`. Without a prediction of the negative, and
    in latents too small to blur, nothing changes.
    """

    def formula(step: Guided) -> Tensor:
        seen, size = step.run.pop(SEEN, (None, None))
        if seen is None or size != tuple(step.x.shape[-2:]) or min(step.x.shape[-2:]) <= KERNEL // 2:
            return step.denoised
        degraded = blurred_where_seen(step.negative, seen, blur)
        return step.denoised + scale * (degraded - step.ask(1, degraded + step.x - step.negative))

    return formula


def blurred_where_seen(latent: Tensor, seen: Tensor, blur: float) -> Tensor:
    """(N, channels, h, w), blurred where (N, rows, columns) `seen` is above 1, its mean (SAG, equation 11)."""
    mask = (seen > 1).to(latent)[:, None]
    mask = torch.nn.functional.interpolate(mask, size=latent.shape[-2:], mode="nearest")
    return gaussian_blur(latent, blur) * mask + latent * (1 - mask)


def gaussian_blur(latent: Tensor, deviation: float) -> Tensor:
    """(N, channels, h, w) under a Gaussian of KERNEL cells' width; borders are reflected."""
    if deviation <= 0:
        return latent
    side = torch.arange(KERNEL, device=latent.device, dtype=latent.dtype) - KERNEL // 2
    bell = torch.exp(-(side**2) / (2 * deviation**2))
    bell = bell / bell.sum()
    channels = latent.shape[1]
    padded = torch.nn.functional.pad(latent, (KERNEL // 2,) * 4, mode="reflect")
    across = torch.nn.functional.conv2d(padded, bell.expand(channels, 1, 1, KERNEL), groups=channels)
    return torch.nn.functional.conv2d(across, bell[:, None].expand(channels, 1, KERNEL, 1), groups=channels)


def away_from_the_perpendicular(empty: Any, scale: float) -> Formula:
    """Perp-Neg (see `perpendicular`) with a conditioning of nothing."""

    def formula(step: Guided) -> Tensor:
        return perpendicular(step.positive, step.negative, step.ask(empty, step.x), step.cfg, scale)

    return formula
