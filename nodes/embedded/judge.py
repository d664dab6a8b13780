"""Says what a picture shows by looking at its pixels alone. It knows the renderer's colours, and no network."""

from dataclasses import dataclass

import torch
from torch import Tensor

from nodes.embedded.render import SIZE, sky_colour
from nodes.embedded.scenes import COLOURS, SKIES, Scene

_SMALLEST = 60
"""Pixels that make an object; the smallest item of the renderer covers about 300."""


@dataclass(frozen=True, slots=True)
class Region:
    """All object pixels of one colour."""

    colour: str
    pixels: int
    centre: float
    """Mean column, 0 to 128."""


@dataclass(frozen=True, slots=True)
class Sight:
    """What the pixels show: the sky, and coloured regions from large to small."""

    sky: str
    regions: tuple[Region, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """A picture against what was asked for."""

    sky: bool
    colours: tuple[bool, ...]
    """For each item asked for: its colour is among the picture's largest regions, as many as there are items."""
    order: bool | None
    """The left item's region stands left of the right one's; None for one item, False where a region is missing."""


def look(picture: Tensor) -> Sight:
    """Read a picture, float (3, 128, 128) in 0 to 1."""
    top = picture[:, 4:40].mean((1, 2))
    sky = min(SKIES, key=lambda name: float((top - sky_colour(name, 4, 40)).square().sum()))
    mask = _object_mask(picture)
    names = list(COLOURS)
    palette = torch.tensor([COLOURS[name] for name in names], dtype=torch.float32) / 255
    pixels = picture[:, mask].T
    # Shading scales a colour; the nearest palette entry is the one whose best scaling comes closest.
    scale = (pixels @ palette.T / palette.square().sum(1)).clamp(0.4, 1.12)
    nearest = (pixels[:, None] - scale[..., None] * palette).square().sum(-1).argmin(1)
    columns = torch.arange(SIZE).expand(SIZE, SIZE)[mask].float()
    regions = []
    for index, name in enumerate(names):
        chosen = nearest == index
        if int(chosen.sum()) >= _SMALLEST:
            regions.append(Region(name, int(chosen.sum()), float(columns[chosen].mean())))
    return Sight(sky, tuple(sorted(regions, key=lambda region: -region.pixels)))


def judge(picture: Tensor, scene: Scene) -> Verdict:
    """Compare a picture, float (3, 128, 128) in 0 to 1, with the scene it should show."""
    sight = look(picture)
    found = {region.colour: region.centre for region in sight.regions[: len(scene.items)]}
    colours = tuple(item.colour in found for item in scene.items)
    order = None
    if len(scene.items) == 2:
        left, right = (found.get(item.colour) for item in scene.items)
        order = left is not None and right is not None and left < right
    return Verdict(sight.sky == scene.sky, colours, order)


def _object_mask(picture: Tensor) -> Tensor:
    """Pixels that are neither backdrop nor shadow, (128, 128) bool.

    A row's backdrop is the middle one of three narrow strips, at both rims and in the centre: items stand on at most
    one of them.
    """
    strips = torch.stack([picture[:, :, at : at + 3].mean(2) for at in (0, SIZE // 2 - 1, SIZE - 3)])
    backdrop = strips.median(dim=0).values[:, :, None].expand_as(picture)
    share = (picture * backdrop).sum(0) / backdrop.square().sum(0).clamp(min=1e-4)
    differs = (picture - backdrop).square().sum(0).sqrt() > 0.13
    shadow = (share < 1) & ((picture - share * backdrop).square().sum(0).sqrt() < 0.07)
    mask = differs & ~shadow
    mask[:34] = False  # stars; no item reaches so high
    return mask
