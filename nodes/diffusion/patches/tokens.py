"""Alterations of attention that change which tokens there are, or how strongly they count: HyperTile, token merging."""

import math
import random
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from nodes.diffusion.patches.contract import Alteration, Attending, Call

SMALLEST_TILE = 32
"""Cells along the side of the smallest tile, times eight."""
CELL = 8
"""Pixels along the side of a latent cell."""
SQUARE = 2
"""Cells along the side of the squares of which one is merged into."""


@dataclass(frozen=True, slots=True, eq=False)
class Scaled(Alteration):
    """Queries, keys, values and answers of all attentions of one kind, each times a number."""

    crossed: bool
    q: float
    k: float
    v: float
    out: float

    def attend(self, what: Attending, call: Call, inner: Callable[[Attending], Tensor]) -> Tensor:
        """As if the layers' weights, and the bias of the last, were multiplied."""
        if what.crossed is not self.crossed:
            return inner(what)

        def core(q: Tensor, k: Tensor, v: Tensor, heads: int) -> Tensor:
            return what.core(q * self.q, k * self.k, v * self.v, heads)

        return inner(replace(what, core=core)) * self.out


@dataclass(frozen=True, slots=True, eq=False)
class Tiled(Alteration):
    """T. Fernandes 2023, "HyperTile": self-attention within tiles of the feature map, which costs less by the number
    of tiles.

    Tiles divide the map evenly. Which of the `choices` smallest sizes that do is drawn anew for each layer and step,
    so that borders do not stay in one place; the same call draws the same.
    """

    pixels: int
    """Side of the smallest tile."""
    choices: int
    depth: int
    """How often the map may have been halved."""
    grows: bool
    """Whether tiles are twice as long for each time that the map was halved."""

    def attend(self, what: Attending, call: Call, inner: Callable[[Attending], Tensor]) -> Tensor:
        """Tiles stand beside each other in the batch."""
        tiles = self._tiles(what, call)
        if tiles == (1, 1):
            return inner(what)
        rows, columns = tiles
        height, width = what.size[0] // rows, what.size[1] // columns

        def cut(x: Tensor) -> Tensor:
            x = x.unflatten(1, (rows, height, columns, width)).permute(0, 1, 3, 2, 4, 5)
            return x.flatten(3, 4).flatten(0, 2)

        x = cut(what.x)
        h = inner(replace(what, x=x, context=x, value=x, size=(height, width)))
        h = h.unflatten(0, (-1, rows, columns)).unflatten(3, (height, width)).permute(0, 1, 3, 2, 4, 5)
        return h.flatten(1, 4)

    def _tiles(self, what: Attending, call: Call) -> tuple[int, int]:
        """Rows and columns of tiles."""
        if what.crossed or what.context is not what.x or what.x.shape[1] != what.size[0] * what.size[1]:
            return 1, 1
        halved = round(math.log2(call.size[0] / what.size[0]))
        if halved > self.depth:
            return 1, 1
        least = max(SMALLEST_TILE, self.pixels) // CELL * (2**halved if self.grows else 1)
        draw = random.Random(f"{call.level} {what.place}")
        rows, columns = (self._count(side, least, draw) for side in what.size)
        return rows, columns

    def _count(self, side: int, least: int, draw: random.Random) -> int:
        """Into how many tiles a side falls."""
        sizes = [size for size in range(min(least, side), side + 1) if side % size == 0]
        return side // draw.choice(sizes[: self.choices])


@dataclass(frozen=True, slots=True, eq=False)
class Merged(Alteration):
    """Bolya and Hoffman 2023, "Token Merging for Fast Stable Diffusion": in self-attention of the largest maps, the
    tokens that are most alike count as one.

    Of each square of cells one is drawn to be merged into; of the other tokens the share `ratio` of all is merged, each
    into the most similar of the drawn ones, by their mean; afterwards each gets what its token got.
    """

    ratio: float

    def attend(self, what: Attending, call: Call, inner: Callable[[Attending], Tensor]) -> Tensor:
        """Merged before, as many as before afterwards."""
        height, width = what.size
        tokens = height * width
        whole = what.context is what.x and what.x.shape[1] == tokens == call.size[0] * call.size[1]
        if what.crossed or not whole or min(height, width) < SQUARE or tokens * self.ratio < 1:
            return inner(what)
        draw = torch.Generator().manual_seed(what.place.passed)
        matching = Matching(what.x, what.size, self.ratio, draw)
        x = matching.merged(what.x)
        return matching.parted(inner(replace(what, x=x, context=x, value=x)))


class Matching:
    """Which tokens of a feature map are merged into which others (the paper's section 4.2)."""

    def __init__(self, x: Tensor, size: tuple[int, int], ratio: float, draw: torch.Generator) -> None:
        """For (B, height x width, channels) `x`; at most all tokens that are not drawn to stay are merged."""
        kept = _one_of_each_square(size, draw).to(x.device)
        others = torch.ones(x.shape[1], dtype=torch.bool, device=x.device)
        others[kept] = False
        self._kept, self._others = kept, others.nonzero()[:, 0]
        unit = x / x.norm(dim=-1, keepdim=True).clamp(min=1e-12)
        best, self._into = (unit[:, self._others] @ unit[:, kept].transpose(-1, -2)).max(dim=-1)
        order = best.argsort(dim=-1, descending=True)
        count = min(len(self._others), int(x.shape[1] * ratio))
        self._gone, self._alone = order[:, :count], order[:, count:]

    def merged(self, x: Tensor) -> Tensor:
        """(B, tokens that are left, channels): those alone, then those drawn."""
        others, kept = x[:, self._others], x[:, self._kept]
        into = self._into.gather(1, self._gone)
        kept = kept.scatter_reduce(1, _wide(into, x), _picked(others, self._gone), reduce="mean")
        return torch.cat([_picked(others, self._alone), kept], dim=1)

    def parted(self, h: Tensor) -> Tensor:
        """(B, height x width, channels), in the first order."""
        alone = self._alone.shape[1]
        lonely, kept = h[:, :alone], h[:, alone:]
        others = h.new_empty(len(h), len(self._others), h.shape[-1])
        others = others.scatter(1, _wide(self._alone, h), lonely)
        others = others.scatter(1, _wide(self._gone, h), _picked(kept, self._into.gather(1, self._gone)))
        whole = h.new_empty(len(h), len(self._others) + len(self._kept), h.shape[-1])
        whole[:, self._kept], whole[:, self._others] = kept, others
        return whole


def _one_of_each_square(size: tuple[int, int], draw: torch.Generator) -> Tensor:
    """Indices of cells, one of each whole square."""
    rows, columns = size[0] // SQUARE, size[1] // SQUARE
    chosen = torch.randint(SQUARE * SQUARE, (rows, columns), generator=draw)
    top = torch.arange(rows)[:, None] * SQUARE + chosen // SQUARE
    left = torch.arange(columns) * SQUARE + chosen % SQUARE
    return (top * size[1] + left).flatten()


def _wide(index: Tensor, x: Tensor) -> Tensor:
    return index[..., None].expand(-1, -1, x.shape[-1])


def _picked(x: Tensor, index: Tensor) -> Tensor:
    return x.gather(1, _wide(index, x))
