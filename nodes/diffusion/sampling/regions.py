"""Conditions laid out on the cells of a latent: where, how strongly and at which noise levels each one counts.

It computes no prediction and knows no network.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor

from nodes.diffusion.compose import feathered
from nodes.diffusion.sampling.prediction import ModelSampling
from nodes.diffusion.values import Area, Condition, Conditioning

RAMP = 8
"""Cells over which the weight of an area rises from its inner border; at most a quarter of the area's side."""

SMALLEST_BOUNDS = 8
"""Cells along the side of the smallest rectangle that a mask's bounds may be."""


class Box(NamedTuple):
    """A rectangle of latent cells."""

    top: int
    left: int
    height: int
    width: int

    def cut(self, tensor: Tensor) -> Tensor:
        """The part of a (..., h, w) tensor, as a view."""
        return tensor[..., self.top : self.top + self.height, self.left : self.left + self.width]

    def covers(self, other: "Box") -> bool:
        """Whether `other` lies inside."""
        return (
            self.top <= other.top
            and self.left <= other.left
            and self.top + self.height >= other.top + other.height
            and self.left + self.width >= other.left + other.width
        )


@dataclass(frozen=True, slots=True, eq=False)
class Region:
    """A condition in its place."""

    condition: Condition
    box: Box
    bounded: bool
    """False: the condition names no area, and the box is the whole latent."""
    weight: Tensor
    """(N or 1, 1, box height, box width)"""
    first: float
    """Highest noise level at which the condition counts."""
    last: float
    """Lowest one."""
    default: bool = False
    """See `Condition.default`."""

    def active(self, sigma: float) -> bool:
        """Whether the condition counts at a noise level."""
        return self.last <= sigma <= self.first


def lay_out(groups: Sequence[Conditioning], latent: Tensor, sampling: ModelSampling) -> list[list[Region]]:
    """The regions of several conditionings that will be compared with each other, on (N, channels, h, w) latents.

    A region with an area gets a counterpart in every other group, with that group's text for the place, so that
    guidance compares what the network says of the same cut. Raises ValueError if an area lies outside the latent.
    """
    laid = [[_place(condition, latent, sampling) for condition in group] for group in groups]
    for index, group in enumerate(laid):
        for other in (*laid[:index], *laid[index + 1 :]):
            for region in group:
                _add_counterpart(other, region)
    return laid


def regions_at(sigma: float, regions: Sequence[Region], latent: Tensor) -> list[Region]:
    """The regions of one group that count at a noise level on (N, channels, h, w) latents, defaults with the weight
    that the others leave them; those that are left none are not among them."""
    active = [region for region in regions if region.active(sigma)]
    found = [region for region in active if not region.default]
    if len(found) == len(active):
        return active
    taken = latent.new_zeros(len(latent), 1, *latent.shape[-2:])
    for region in found:
        region.box.cut(taken).add_(region.weight)
    for region in active:
        left = region.weight * (1 - region.box.cut(taken)).clamp(min=0)
        if region.default and left.any():
            found.append(replace(region, weight=left))
    return found


def check_area(condition: Condition, height: int, width: int) -> None:
    """Raise ValueError with a sentence if a condition's area lies outside a latent of height x width cells."""
    if condition.area is not None:
        _box(condition.area, height, width)


def fit_mask(mask: Tensor, latent: Tensor) -> Tensor:
    """A (N or 1, H, W) mask as (N, 1, h, w) for `latent`, interpolated and repeated as needed."""
    mask = mask.reshape(-1, 1, *mask.shape[-2:]).float()
    mask = torch.nn.functional.interpolate(mask, size=latent.shape[-2:], mode="bilinear")
    repeats = math.ceil(len(latent) / len(mask))
    return mask.repeat(repeats, 1, 1, 1)[: len(latent)].to(latent)


def level_after(share: float, sampling: ModelSampling) -> float:
    """Noise level when a share of the sampling is done; the ends hold for every level beyond the trained ones too."""
    if share <= 0:
        return math.inf
    return 0.0 if share >= 1 else sampling.level_at(share)


def _place(condition: Condition, latent: Tensor, sampling: ModelSampling) -> Region:
    height, width = latent.shape[-2:]
    whole = Box(0, 0, height, width)
    mask = None if condition.mask is None else fit_mask(condition.mask, latent)
    box = whole
    if mask is not None and condition.within_mask_bounds:
        box = _bounds(mask)
    elif condition.area is not None:
        box = _box(condition.area, height, width)
    box = box._replace(height=min(box.height, height - box.top), width=min(box.width, width - box.left))
    if mask is not None:
        weight = box.cut(mask) * (condition.mask_strength * condition.strength)
    else:
        weight = _soft_edges(box, whole).to(latent)[None, None] * condition.strength
    return Region(
        condition,
        box,
        condition.area is not None or (mask is not None and condition.within_mask_bounds),
        weight,
        level_after(condition.start, sampling),
        level_after(condition.end, sampling),
        condition.default,
    )


def _box(area: Area, height: int, width: int) -> Box:
    if area.relative:
        area = Area(
            round(area.x * width),
            round(area.y * height),
            max(1, round(area.width * width)),
            max(1, round(area.height * height)),
        )
    left, top = int(area.x), int(area.y)
    if left >= width or top >= height:
        raise ValueError(
            f"A condition's area begins at cell ({left}, {top}), outside the latent of {width} x {height} cells. "
            "Move the area into the picture."
        )
    return Box(top, left, int(area.height), int(area.width))


def _bounds(mask: Tensor) -> Box:
    """The smallest rectangle that holds every cell where a (N, 1, h, w) mask is not 0."""
    cells = mask.abs().amax(dim=(0, 1)).nonzero()
    if len(cells) == 0:
        return Box(0, 0, SMALLEST_BOUNDS, SMALLEST_BOUNDS)
    (top, left), (bottom, right) = cells.amin(dim=0).tolist(), cells.amax(dim=0).tolist()
    return Box(top, left, max(SMALLEST_BOUNDS, bottom - top + 1), max(SMALLEST_BOUNDS, right - left + 1))


def _soft_edges(box: Box, whole: Box) -> Tensor:
    """(height, width) weights that rise linearly to 1 from every border of the box that is inside the latent."""
    tall, wide = (min(RAMP, side // 4) for side in (box.height, box.width))
    below, beside = box.top + box.height < whole.height, box.left + box.width < whole.width
    rows = feathered(box.height, tall * (box.top > 0), tall * below)
    columns = feathered(box.width, wide * (box.left > 0), wide * beside)
    return rows[:, None] * columns[None, :]


def _add_counterpart(group: list[Region], region: Region) -> None:
    """Give `group` a region in the place of `region`, with the text of its smallest region that covers the place."""
    if not region.bounded:
        return
    covering = [one for one in group if not one.bounded or one.box.covers(region.box)]
    if not covering:
        return
    nearest = min(covering, key=lambda one: one.box.height * one.box.width if one.bounded else math.inf)
    if nearest.bounded and nearest.box == region.box:
        return
    group.append(replace(region, condition=nearest.condition))
