"""Latents and conditionings go to packs and come back: the same object if nothing changed, else the same content."""

from dataclasses import fields, replace
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from nodes.diffusion.values import Area, Condition, Latent
from nodes.packs.bridge import from_pack, to_pack
from nodes.packs.bridge.missing import Unsupported

SHARES = st.floats(0, 1, width=32)
EXTRAS = st.dictionaries(st.sampled_from(["my_key", "type", "guidance", "ids"]), st.integers() | st.text(), max_size=3)


def tensors(*sides: int) -> st.SearchStrategy[Tensor]:
    """Tensors of one shape, told apart by their first number."""
    return st.integers(0, 1000).map(lambda number: torch.full(sides, float(number)))


LATENTS = st.builds(
    Latent,
    tensors(2, 4, 3, 5),
    st.none() | tensors(1, 24, 40) | tensors(2, 3, 5),
    st.none() | st.tuples(st.integers(0, 9), st.integers(0, 9)),
    EXTRAS,
)
AREAS = st.builds(
    Area, st.integers(0, 9), st.integers(0, 9), st.integers(1, 9), st.integers(1, 9), relative=st.just(False)
) | st.builds(Area, SHARES, SHARES, SHARES, SHARES, relative=st.just(True))
CONDITIONS = st.builds(
    Condition,
    tensors(1, 77, 4),
    tensors(1, 4),
    area=st.none() | AREAS,
    strength=SHARES,
    mask=st.none() | tensors(1, 8, 8),
    mask_strength=SHARES,
    within_mask_bounds=st.booleans(),
    start=SHARES,
    end=SHARES,
    default=st.booleans(),
    attached=EXTRAS,
)


def same(first: Any, second: Any) -> bool:
    """Whether two values hold the same: tensors by content, what nobody sees left out."""
    if isinstance(first, Tensor):
        return isinstance(second, Tensor) and torch.equal(first, second)
    if isinstance(first, Latent | Condition):
        return all(same(getattr(first, one.name), getattr(second, one.name)) for one in fields(first))
    return bool(first == second)


def seen(condition: Condition) -> Condition:
    """The condition with what does not count at its default: packs are not told of it."""
    if condition.mask is None:
        condition = replace(condition, mask_strength=1.0)
        if condition.area is None:
            condition = replace(condition, within_mask_bounds=False)
    return condition


@given(LATENTS)
def test_a_latent_comes_back_as_itself(latent: Latent) -> None:
    assert from_pack(to_pack(latent), "LATENT") is latent


@given(LATENTS)
def test_a_copied_latent_dict_says_the_same(latent: Latent) -> None:
    for wire_type in ("LATENT", "*", "IMAGE,LATENT"):
        assert same(from_pack(to_pack(latent).copy(), wire_type), latent)


@given(LATENTS, EXTRAS)
def test_what_a_pack_puts_into_a_latent_stays_with_it(latent: Latent, extras: dict[str, Any]) -> None:
    given_away = to_pack(latent)
    given_away.update(extras, samples=latent.samples + 1)
    back = from_pack(given_away, "LATENT")
    assert torch.equal(back.samples, latent.samples + 1)
    again = to_pack(replace(back, samples=latent.samples))
    assert {key: again[key] for key in extras} == extras
    assert "samples" not in back.attached


def test_masks_of_packs_have_a_channel() -> None:
    latent = Latent(torch.zeros(1, 4, 2, 2), torch.ones(1, 16, 16))
    assert to_pack(latent)["noise_mask"].shape == (1, 1, 16, 16)
    assert from_pack({**to_pack(latent), "noise_mask": torch.ones(16, 16)}, "LATENT").noise_mask.shape == (1, 16, 16)


def test_a_changed_batch_index_is_noticed() -> None:
    given_away = to_pack(Latent(torch.zeros(2, 4, 2, 2), None, (3, 4)))
    given_away["batch_index"].append(5)
    assert from_pack(given_away, "LATENT").batch_index == (3, 4, 5)


@given(st.lists(CONDITIONS, min_size=1, max_size=3))
def test_a_conditioning_comes_back_as_itself(conditions: list[Condition]) -> None:
    conditioning = tuple(conditions)
    assert from_pack(to_pack(conditioning), "CONDITIONING") is conditioning


@given(st.lists(CONDITIONS, min_size=1, max_size=3))
def test_a_copied_conditioning_says_the_same(conditions: list[Condition]) -> None:
    copied = [[tokens, dict(options)] for tokens, options in to_pack(tuple(conditions))]
    for wire_type in ("CONDITIONING", "*"):
        back = from_pack(copied, wire_type)
        assert len(back) == len(conditions)
        assert all(map(same, back, map(seen, conditions)))


@given(CONDITIONS, CONDITIONS)
def test_entries_that_a_pack_only_moves_stay_themselves(first: Condition, second: Condition) -> None:
    one, two = to_pack((first,)), to_pack((second,))
    one[0][1]["mine"] = 1
    back = from_pack(two + one, "CONDITIONING")
    assert back[0] is second
    assert back[1] is not first
    assert back[1].attached["mine"] == 1


@pytest.mark.parametrize("pooled", [{}, {"pooled_output": None}])
def test_a_conditioning_without_pooled_text_stays_without(pooled: dict[str, None]) -> None:
    (back,) = from_pack([[torch.ones(1, 77, 4), dict(pooled)]], "CONDITIONING")
    assert torch.equal(back.pooled, torch.zeros(1, 4))
    assert to_pack((back,))[0][1].get("pooled_output") is None


@pytest.mark.parametrize("key", ["control", "gligen", "hooks"])
def test_what_sampling_would_ignore_is_refused(key: str) -> None:
    with pytest.raises(Unsupported, match="not supported by Heddle yet"):
        from_pack([[torch.ones(1, 77, 4), {key: object()}]], "CONDITIONING")


def test_a_conditioning_that_is_none_is_refused_in_a_sentence() -> None:
    with pytest.raises(ValueError, match="CONDITIONING whose entries are not pairs"):
        from_pack(["a text"], "CONDITIONING")


@pytest.mark.parametrize("value", [None, 3, "text", [1, 2], [], {"a": 1}, {"samples": 3}, torch.ones(2), (1, 2)])
def test_what_is_neither_ours_nor_a_packs_passes_unchanged(value: object) -> None:
    assert to_pack(value) is value
    for wire_type in ("*", "LATENT,IMAGE", "MY_TYPE"):
        assert from_pack(value, wire_type) is value


def test_pictures_are_float32_as_on_every_link() -> None:
    assert from_pack(torch.ones(1, 2, 2, 3, dtype=torch.float16), "IMAGE").dtype == torch.float32
    picture = torch.ones(1, 2, 2, 3)
    assert from_pack(picture, "IMAGE") is picture
