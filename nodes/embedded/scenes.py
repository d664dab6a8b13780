"""Scenes as data, and the captions that describe them. Draws no pixel; see `render.py`."""

import hashlib
import random
from dataclasses import dataclass

COLOURS: dict[str, tuple[int, int, int]] = {
    "red": (214, 38, 38),
    "orange": (244, 132, 24),
    "yellow": (242, 216, 44),
    "green": (44, 160, 66),
    "blue": (44, 84, 222),
    "purple": (132, 50, 186),
    "pink": (246, 134, 190),
    "white": (238, 238, 240),
}
"""Base colour of each object colour, sRGB 0 to 255, before shading."""

SHAPES: dict[str, tuple[str, ...]] = {
    "sphere": ("sphere", "ball", "sphere", "globe"),
    "cube": ("cube", "box", "cube", "block"),
    "cone": ("cone", "cone", "pyramid"),
}
SIZES: dict[str, tuple[str, ...]] = {
    "small": ("small", "little", "tiny", "small"),
    "large": ("large", "big", "huge", "large"),
}
SKIES: dict[str, tuple[str, ...]] = {
    "day": ("during the day", "in daylight", "under a blue sky", "at noon", "by day", "in the daytime"),
    "sunset": ("at sunset", "at dusk", "under a sunset sky", "in the evening", "at sunset"),
    "night": ("at night", "under a night sky", "in the dark", "at midnight", "under the stars", "at night"),
}
LEADS = ("", "", "", "a picture of ", "a photo of ", "a painting of ", "an image of ", "a render of ", "a scene with ")
TAILS = ("", "", "", "", ", 3d render", ", soft shadow", ", on the ground", ", simple scene", ", high quality")

HELD_OUT_OF = 8
"""One scene in this many (by hash of what it shows) is never drawn in training; the evaluation uses only those."""


@dataclass(frozen=True, slots=True)
class Item:
    """One object of a scene."""

    colour: str
    shape: str
    size: str


@dataclass(frozen=True, slots=True)
class Scene:
    """What a picture shows. `items` stand from left to right; there are one or two."""

    sky: str
    items: tuple[Item, ...]

    @property
    def held_out(self) -> bool:
        """True if training never sees this scene, in any position, light or wording."""
        digest = hashlib.sha256(repr(self).encode()).digest()
        return digest[0] % HELD_OUT_OF == 0


def random_scene(rng: random.Random, *, held_out: bool = False, items: int | None = None) -> Scene:
    """A uniformly drawn scene on the wanted side of the hold-out; two thirds have two items unless `items` says."""
    while True:
        count = items or rng.choice((1, 2, 2))
        picked = [
            Item(rng.choice(list(COLOURS)), rng.choice(list(SHAPES)), rng.choice(list(SIZES))) for _ in range(count)
        ]
        scene = Scene(rng.choice(list(SKIES)), tuple(picked))
        distinct = len({(item.colour, item.shape) for item in picked}) == count
        if distinct and scene.held_out == held_out:
            return scene


def caption(scene: Scene, rng: random.Random) -> str:
    """One of many wordings of `scene`. Always names colours, shapes, the sky and the order; sizes nearly always."""
    words = [_describe(item, rng) for item in scene.items]
    body = words[0] if len(words) == 1 else _relation(words[0], words[1], rng)
    sky = rng.choice(SKIES[scene.sky])
    if rng.random() < 0.15:
        text = f"{sky}, {body}"
    else:
        text = f"{rng.choice(LEADS)}{body}{rng.choice((' ', ' ', ', '))}{sky}"
    return text + rng.choice(TAILS)


def _describe(item: Item, rng: random.Random) -> str:
    size = rng.choice(SIZES[item.size]) + " " if rng.random() < 0.9 else ""
    words = f"{size}{item.colour} {rng.choice(SHAPES[item.shape])}"
    return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"


def _relation(left: str, right: str, rng: random.Random) -> str:
    return rng.choice(
        (
            f"{left} to the left of {right}",
            f"{left} left of {right}",
            f"{right} to the right of {left}",
            f"{right} right of {left}",
            f"{left} on the left and {right} on the right",
            f"{right} on the right and {left} on the left",
            f"{left} with {right} to its right",
            f"{right} with {left} to its left",
            f"{left} beside {right} on the right",
        )
    )
