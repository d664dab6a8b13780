"""What an alteration of a UNet may change, and what it is told. Changes nothing itself.

`Model.alterations` is a tuple of these. They act while one batch is computed (`walk.py` asks them at every place in
turn, the first of the tuple first) and leave nothing on the network: several models, and several jobs, share it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor

from nodes.diffusion.sampling.prediction import ModelSampling

BlockName = Literal["input", "middle", "output"]

Core = Callable[[Tensor, Tensor, Tensor, int], Tensor]
"""Attention itself: queries, keys, values (B, tokens, width) and the number of heads -> (B, queries, width)."""


class Place(NamedTuple):
    """A block of the network, counted as the original layout does: input blocks from the first convolution on, output
    blocks from the deepest one on."""

    block: BlockName
    number: int
    depth: int = 0
    """Which transformer within the block."""
    passed: int = 0
    """How many transformers of the whole network come before it."""


@dataclass(frozen=True, slots=True, eq=False)
class Attending:
    """One attention of one transformer, before it is computed."""

    x: Tensor
    """(B, tokens, width): what asks, already normed."""
    context: Tensor
    """(B, tokens, width): what is asked; `x` itself in self-attention."""
    value: Tensor
    """What the answers are made of; nearly always `context`."""
    crossed: bool
    """Whether it attends to the text rather than to itself."""
    place: Place
    size: tuple[int, int]
    """Height and width of the feature map whose cells `x` are."""
    attention: Any
    """The layer, with `to_q to_k to_v to_out heads`."""
    core: Core
    """What makes the answers of the projected queries, keys and values. An alteration may put its own around it."""


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """One batch on its way through a network: B = regions x N rows, region by region."""

    alterations: tuple["Alteration", ...]
    level: float
    """The noise level."""
    sampling: ModelSampling | None
    """None for layers that are called outside of any run."""
    groups: tuple[int, ...]
    """For each region, the index of the conditioning that it belongs to: 0 is what is wanted."""
    size: tuple[int, int]
    """Height and width of the latents."""
    width: int
    """Channels of the first block."""
    run: dict[Any, Any]
    """What is kept from step to step of one run, shared by all of its calls. Keys are an alteration's own."""

    def within(self, start: float, end: float) -> bool:
        """Whether the level lies between two shares of the sampling (0 is pure noise, 1 a clean latent)."""
        if self.sampling is None:
            return True
        return self.sampling.level_at(end) <= self.level <= self.sampling.level_at(start)

    def rows(self, tensor: Tensor, group: int) -> Tensor:
        """(B,) truth values: which rows of (B, ...) `tensor` belong to a conditioning."""
        each = len(tensor) // len(self.groups)
        return torch.tensor([one == group for one in self.groups], device=tensor.device).repeat_interleave(each)


class Alteration:
    """Changes nothing at any place. A frozen dataclass that inherits from it says at which places it does.

    What it is given it may not write into, unless its own method made it.
    """

    def predicted(self, x: Tensor, call: Call, inner: Callable[[], list[Tensor]]) -> list[Tensor]:
        """What the network denoises (N, channels, h, w) `x` to under each of the conditionings that `call.groups` names
        once each; `inner` asks it."""
        return inner()

    def around(self, x: Tensor, call: Call, inner: Callable[[Tensor], Tensor]) -> Tensor:
        """The network's prediction for its input (B, channels, h, w) `x`; `inner` computes it."""
        return inner(x)

    def embedded(self, emb: Tensor, call: Call) -> Tensor:
        """The embedding (B, width) of the timestep and of what else the network is told."""
        return emb

    def below(self, h: Tensor, place: Place, call: Call, inner: Callable[[Tensor], Tensor]) -> Tensor:
        """What comes back from everything deeper than an input block whose result is `h`; `inner` computes it."""
        return inner(h)

    def after_input(self, h: Tensor, place: Place, call: Call) -> Tensor:
        """What an input block gives, (B, channels, h, w), before it is kept for the other side."""
        return h

    def after_kept(self, h: Tensor, place: Place, call: Call) -> Tensor:
        """What an input block gives to the next one, after it was kept for the other side."""
        return h

    def after_middle(self, h: Tensor, call: Call) -> Tensor:
        """What the middle block gives."""
        return h

    def before_output(self, h: Tensor, kept: Tensor, place: Place, call: Call) -> tuple[Tensor, Tensor]:
        """What an output block gets from below, and from the input block across."""
        return h, kept

    def attend(self, what: Attending, call: Call, inner: Callable[[Attending], Tensor]) -> Tensor:
        """What an attention adds to its (B, tokens, width) input; `inner` computes it."""
        return inner(what)

    def between(self, x: Tensor, place: Place, call: Call) -> Tensor:
        """(B, tokens, width) of a transformer between its self-attention and its attention to the text."""
        return x
