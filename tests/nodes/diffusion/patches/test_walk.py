"""The forward pass that asks alterations is the network's own, bit by bit, until one of them changes something."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor

from nodes.diffusion.patches.contract import Alteration, Attending, Call, Place
from nodes.diffusion.sampling.telling import ask_network
from tests.nodes.diffusion.patches.small_unet import call_of, given, predict, small_unet
from tests.nodes.small_families import SMALL


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("size", [(16, 16), (13, 9)])
def test_an_alteration_that_changes_nothing_changes_no_bit(name: str, size: tuple[int, int]) -> None:
    unet = small_unet(name)
    x, timestep, tokens, told = given(unet, size)
    plain = ask_network(unet, x, timestep, tokens, told)
    assert torch.equal(ask_network(unet, x, timestep, tokens, told, call_of(x, Alteration(), Alteration())), plain)
    assert plain.std() > 0


@dataclass(frozen=True, eq=False)
class Heard(Alteration):
    """Notes where it was asked, and changes what its `where` says."""

    change: Callable[[Tensor], Tensor] = lambda one: one
    where: str = ""
    heard: list[Any] = field(default_factory=list)

    def _at(self, where: str, one: Tensor) -> Tensor:
        return self.change(one) if where == self.where else one

    def around(self, x: Tensor, call: Call, inner: Callable[[Tensor], Tensor]) -> Tensor:
        return self._at("around", inner(x))

    def embedded(self, emb: Tensor, call: Call) -> Tensor:
        return self._at("embedded", emb)

    def below(self, h: Tensor, place: Place, call: Call, inner: Callable[[Tensor], Tensor]) -> Tensor:
        return self._at("below", inner(h))

    def after_input(self, h: Tensor, place: Place, call: Call) -> Tensor:
        self.heard.append(place[:2])
        return self._at("after_input", h)

    def after_kept(self, h: Tensor, place: Place, call: Call) -> Tensor:
        return self._at("after_kept", h)

    def after_middle(self, h: Tensor, call: Call) -> Tensor:
        self.heard.append(("middle", 0))
        return self._at("after_middle", h)

    def before_output(self, h: Tensor, kept: Tensor, place: Place, call: Call) -> tuple[Tensor, Tensor]:
        self.heard.append(place[:2])
        return self._at("before_output", h), self._at("across", kept)

    def attend(self, what: Attending, call: Call, inner: Callable[[Attending], Tensor]) -> Tensor:
        assert what.x.shape[1] == what.size[0] * what.size[1]
        self.heard.append((*what.place, "crossed" if what.crossed else "self"))
        return self._at("crossed" if what.crossed else "self", inner(what))

    def between(self, x: Tensor, place: Place, call: Call) -> Tensor:
        return self._at("between", x)


PLACES = [
    "around", "embedded", "below", "after_input", "after_kept", "after_middle", "before_output", "across", "crossed",
    "self", "between",
]  # fmt: skip


@pytest.mark.parametrize("where", PLACES)
def test_every_place_counts(where: str) -> None:
    unet = small_unet()
    plain = predict(unet)
    assert not torch.allclose(predict(unet, Heard(lambda one: one * 2, where)), plain, atol=1e-3)
    assert torch.equal(predict(unet), plain), "and nothing stays on the network"


def test_blocks_are_counted_as_the_original_layout_does() -> None:
    heard = Heard()
    predict(small_unet("sdxl"), heard)
    blocks = [one for one in heard.heard if len(one) == 2]
    assert blocks == [
        *(("input", number) for number in range(6)),
        ("middle", 0),
        *(("output", number) for number in range(6)),
    ]
    attended = [one[:4] for one in heard.heard if len(one) == 5 and one[4] == "self"]
    places = [("input", 3), ("input", 5), ("middle", 0), ("output", 0), ("output", 1), ("output", 2), ("output", 3)]
    assert [one[:2] for one in attended if one[2] == 0] == places
    assert [one[3] for one in attended] == list(range(len(attended))), "transformers are counted through"
    assert ("middle", 0, 1) in [one[:3] for one in attended], "two of them stand in the middle"


def test_alterations_act_in_their_order() -> None:
    added: Callable[[Tensor], Tensor] = lambda one: one + 1  # noqa: E731
    doubled: Callable[[Tensor], Tensor] = lambda one: one * 2  # noqa: E731
    unet = small_unet()
    for where in ("after_input", "self"):
        made = [Heard(one, where) for one in (added, doubled)]
        if where == "self":  # around each other: the first is the outermost
            made.reverse()
        together = Heard(lambda one: doubled(added(one)), where)
        assert torch.equal(predict(unet, *made), predict(unet, together))


def test_rows_are_found_by_what_they_are_for() -> None:
    x = torch.zeros(6, 4, 2, 2)
    call = call_of(x, groups=(0, 1, 0))
    rows = partial(call.rows, x)
    assert rows(0).tolist() == [True, True, False, False, True, True]
    assert rows(1).tolist() == [False, False, True, True, False, False]


@pytest.mark.parametrize(
    ("level", "start", "end", "inside"),
    [(14.0, 0.0, 1.0, True), (14.0, 0.1, 1.0, False), (0.05, 0.0, 0.9, False), (1.0, 0.2, 0.9, True)],
)
def test_a_share_of_the_sampling_is_a_range_of_levels(level: float, start: float, end: float, inside: bool) -> None:
    assert call_of(torch.zeros(1, 4, 2, 2), level=level).within(start, end) is inside
