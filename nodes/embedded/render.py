"""Draws scenes, many at once, as tensors. Signed distances give antialiased edges; nothing is loaded from disk."""

import random
from collections.abc import Sequence

import torch
from torch import Tensor

from nodes.embedded.scenes import COLOURS, Item, Scene

SIZE = 128
"""Side of a picture in pixels."""

_SKY_TOP = {"day": (92, 160, 232), "sunset": (86, 52, 118), "night": (8, 10, 34)}
_SKY_LOW = {"day": (206, 230, 248), "sunset": (252, 158, 84), "night": (30, 38, 84)}
_GROUND_FAR = {"day": (146, 150, 116), "sunset": (122, 82, 76), "night": (30, 34, 46)}
_GROUND_NEAR = {"day": (112, 112, 82), "sunset": (78, 50, 52), "night": (46, 50, 62)}
_LIGHT = {"day": 1.0, "sunset": 0.94, "night": 0.86}
_RADIUS = {"small": (12.5, 15.0), "large": (21.0, 24.5)}


def render(scenes: Sequence[Scene], rng: random.Random) -> Tensor:
    """Pictures of `scenes` with positions, light and stars drawn from `rng`: float32 (N, 3, 128, 128) in 0 to 1."""
    grid = torch.arange(SIZE, dtype=torch.float32) + 0.5
    y, x = grid[None, :, None], grid[None, None, :]
    horizon = _column([rng.uniform(62, 74) for _ in scenes])
    picture = _backdrop(scenes, rng, y, horizon)
    places = [_places(scene, rng) for scene in scenes]
    for slot in range(2):
        chosen = [index for index, scene in enumerate(scenes) if slot < len(scene.items)]
        if chosen:
            rows = torch.tensor(chosen)
            items = [scenes[index].items[slot] for index in chosen]
            place = torch.tensor([places[index][slot] for index in chosen])
            light = _column([_LIGHT[scenes[index].sky] for index in chosen])
            picture[rows] = _draw(picture[rows], items, place, light, x, y)
    return picture.clamp(0, 1)


def sky_colour(sky: str, first: int, last: int) -> Tensor:
    """Mean colour of rows `first` to `last` of a sky without stars, for a horizon at its usual height: (3,), 0 to 1."""
    rise = ((torch.arange(first, last) + 0.5) / 68) ** 1.3
    top, low = (torch.tensor(table[sky], dtype=torch.float32) / 255 for table in (_SKY_TOP, _SKY_LOW))
    return top + (low - top) * rise.mean()


def _places(scene: Scene, rng: random.Random) -> list[tuple[float, float, float]]:
    """Centre x, foot y and radius of each item, in pixels, so that two items never overlap."""
    spans = [(29.0, 39.0), (89.0, 99.0)] if len(scene.items) == 2 else [(40.0, 88.0)] * len(scene.items)
    return [
        (rng.uniform(*span), rng.uniform(92, 108), rng.uniform(*_RADIUS[item.size]))
        for item, span in zip(scene.items, spans, strict=True)
    ]


def _backdrop(scenes: Sequence[Scene], rng: random.Random, y: Tensor, horizon: Tensor) -> Tensor:
    """Sky and ground gradients with a slight random tint, and stars at night: (N, 3, H, W)."""

    def colours(table: dict[str, tuple[int, int, int]]) -> Tensor:
        return torch.tensor([table[scene.sky] for scene in scenes], dtype=torch.float32)[:, :, None, None] / 255

    tint = torch.tensor([[rng.uniform(-0.025, 0.025) for _ in range(3)] for _ in scenes])[:, :, None, None]
    rows, line = y[:, None], horizon[:, None]
    rise = (rows / line).clamp(0, 1) ** 1.3
    sky = colours(_SKY_TOP) * (1 - rise) + colours(_SKY_LOW) * rise
    fall = ((rows - line) / (SIZE - line)).clamp(0, 1)
    ground = colours(_GROUND_FAR) * (1 - fall) + colours(_GROUND_NEAR) * fall
    blend = (rows - line + 0.5).clamp(0, 1)
    picture = ((sky * (1 - blend) + ground * blend) + tint).expand(-1, -1, -1, SIZE).clone()
    for index, scene in enumerate(scenes):
        if scene.sky == "night":
            for _ in range(rng.randint(8, 16)):
                row, column = rng.randint(2, 52), rng.randint(2, SIZE - 4)
                picture[index, :, row : row + 2, column : column + 2] += rng.uniform(0.35, 0.75)
    return picture


def _draw(picture: Tensor, items: Sequence[Item], place: Tensor, light: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """One item into each picture: shadow, then shaded body. `place` is (N, 3): centre x, foot y, radius."""
    cx, foot, r = (place[:, index, None, None] for index in range(3))
    base = torch.tensor([COLOURS[item.colour] for item in items], dtype=torch.float32)[:, :, None, None] / 255
    shadow = torch.exp(-((((x - cx - 0.45 * r) / (1.15 * r)) ** 2 + ((y - foot + 0.08 * r) / (0.30 * r)) ** 2) ** 1.5))
    picture = picture * (1 - 0.5 * shadow)[:, None]
    cover, shade, shine = (torch.empty(len(items), 1, SIZE, SIZE) for _ in range(3))
    for kind, outline in _OUTLINES.items():
        rows = torch.tensor([index for index, item in enumerate(items) if item.shape == kind], dtype=torch.long)
        parts = outline(x, y, cx[rows], foot[rows], r[rows])
        for whole, part in zip((cover, shade, shine), parts, strict=True):
            whole[rows, 0] = part
    body = (base * shade * light[:, None] + shine).clamp(0, 1)
    return picture * (1 - cover) + body * cover


def _sphere(x: Tensor, y: Tensor, cx: Tensor, foot: Tensor, r: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    u, v = (x - cx) / r, (y - (foot - r)) / r
    distance = (u * u + v * v).sqrt()
    depth = (1 - distance.clamp(max=1) ** 2).sqrt()
    lambert = (-0.5 * u - 0.62 * v + 0.6 * depth).clamp(min=0)
    shine = 0.45 * torch.exp(-(((u + 0.36) ** 2 + (v + 0.44) ** 2) / 0.03))
    return ((1 - distance) * r + 0.5).clamp(0, 1), 0.45 + 0.62 * lambert, shine


def _cube(x: Tensor, y: Tensor, cx: Tensor, foot: Tensor, r: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """A box in oblique projection: front square, bright top, dark right side."""
    half, dx, dy = 0.78 * r, 0.56 * r, 0.40 * r
    left, right, top = cx - half - dx / 2, cx + half - dx / 2, foot - 2 * half
    lean = (top - y) / dy * dx
    climb = (x - right) / dx * dy
    front = torch.minimum(torch.minimum(x - left, right - x), torch.minimum(y - top, foot - y))
    roof = torch.minimum(torch.minimum(x - left - lean, right + lean - x), torch.minimum(top - y, y - top + dy))
    side = torch.minimum(torch.minimum(x - right, right + dx - x), torch.minimum(y - top + climb, foot - climb - y))
    nearest = torch.stack([front, roof, side]).max(0)
    shade = torch.tensor([0.84, 1.06, 0.58])[nearest.indices]
    return (nearest.values + 0.5).clamp(0, 1), shade, torch.zeros_like(shade)


def _cone(x: Tensor, y: Tensor, cx: Tensor, foot: Tensor, r: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    height, flat = 2.1 * r, 0.22 * r
    apex, floor = foot - height, foot - flat
    width = r * (y - apex) / (floor - apex)
    flank = torch.minimum((width - (x - cx).abs()) * 0.9, floor - y)
    ellipse = (1 - (((x - cx) / r) ** 2 + ((y - floor) / flat) ** 2).sqrt()) * flat
    u = ((x - cx) / width.clamp(min=1)).clamp(-1, 1)
    lambert = (-0.6 * u + 0.72 * (1 - u * u).sqrt()).clamp(min=0)
    return (torch.maximum(flank, ellipse) + 0.5).clamp(0, 1), 0.45 + 0.62 * lambert, torch.zeros_like(u)


def _column(values: Sequence[float]) -> Tensor:
    return torch.tensor(values, dtype=torch.float32)[:, None, None]


_OUTLINES = {"sphere": _sphere, "cube": _cube, "cone": _cone}
"""Coverage, shade and shine of each shape, all (N, H, W), from pixel grids and (N, 1, 1) centre x, foot y, radius."""
