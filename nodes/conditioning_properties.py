"""Nodes that set several properties of conditionings at once, for one or for a pair of them."""
# ruff: noqa: N803  names on the wire

from dataclasses import replace
from typing import Annotated, Literal, NamedTuple

from executor.schema import InputError, Widget
from nodes.coding import require_pixels
from nodes.declare import node
from nodes.diffusion.values import Condition
from nodes.marks import Socket
from nodes.types import Conditioning, Mask

SINGLE, PAIR = "advanced/hooks/cond single", "advanced/hooks/cond pair"
Strength = Annotated[float, Widget("number", min=0.0, max=10.0, step=0.01)]
Moment = Annotated[float, Widget("number", min=0.0, max=1.0, step=0.001)]
CondArea = Literal["default", "mask bounds"]
Hooks = Annotated[object, Socket("HOOKS")]
TimestepsRange = Annotated[tuple[float, float], Socket("TIMESTEPS_RANGE")]
"""(start, end) shares of the sampling."""


class Pair(NamedTuple):
    """Outputs of the nodes for a pair."""

    positive: Conditioning
    negative: Conditioning


class Ranges(NamedTuple):
    """A part of the sampling, and what comes before and after it."""

    TIMESTEPS_RANGE: TimestepsRange
    BEFORE_RANGE: TimestepsRange
    AFTER_RANGE: TimestepsRange


@node("ConditioningTimestepsRange", category="advanced/hooks", display_name="Timesteps Range", experimental=True)
def conditioning_timesteps_range(*, start_percent: Moment = 0.0, end_percent: Moment = 1.0) -> Ranges:
    """A part of the sampling: 0 is pure noise, 1 the finished picture."""
    return Ranges((start_percent, end_percent), (0.0, start_percent), (end_percent, 1.0))


@node("ConditioningSetProperties", category=SINGLE, display_name="Cond Set Props", experimental=True)
def conditioning_set_properties(
    *,
    cond_NEW: Conditioning,
    strength: Strength = 1.0,
    set_cond_area: CondArea,
    mask: Mask | None = None,
    hooks: Hooks | None = None,
    timesteps: TimestepsRange | None = None,
) -> Conditioning:
    """Say how strongly, where and when a conditioning counts."""
    return _set(cond_NEW, strength, set_cond_area, mask, hooks, timesteps)


@node("ConditioningSetPropertiesAndCombine", category=SINGLE, display_name="Cond Set Props Combine", experimental=True)
def conditioning_set_properties_and_combine(
    *,
    cond: Conditioning,
    cond_NEW: Conditioning,
    strength: Strength = 1.0,
    set_cond_area: CondArea,
    mask: Mask | None = None,
    hooks: Hooks | None = None,
    timesteps: TimestepsRange | None = None,
) -> Conditioning:
    """Say how strongly, where and when `cond_NEW` counts, and let it count beside `cond`."""
    return cond + _set(cond_NEW, strength, set_cond_area, mask, hooks, timesteps)


@node("PairConditioningSetProperties", category=PAIR, display_name="Cond Pair Set Props", experimental=True)
def pair_conditioning_set_properties(
    *,
    positive_NEW: Conditioning,
    negative_NEW: Conditioning,
    strength: Strength = 1.0,
    set_cond_area: CondArea,
    mask: Mask | None = None,
    hooks: Hooks | None = None,
    timesteps: TimestepsRange | None = None,
) -> Pair:
    """Say how strongly, where and when two conditionings count."""
    return Pair(*(_set(one, strength, set_cond_area, mask, hooks, timesteps) for one in (positive_NEW, negative_NEW)))


@node(
    "PairConditioningSetPropertiesAndCombine",
    category=PAIR,
    display_name="Cond Pair Set Props Combine",
    experimental=True,
)
def pair_conditioning_set_properties_and_combine(
    *,
    positive: Conditioning,
    negative: Conditioning,
    positive_NEW: Conditioning,
    negative_NEW: Conditioning,
    strength: Strength = 1.0,
    set_cond_area: CondArea,
    mask: Mask | None = None,
    hooks: Hooks | None = None,
    timesteps: TimestepsRange | None = None,
) -> Pair:
    """Say how strongly, where and when the new conditionings count, and let them count beside the others."""
    made = (_set(one, strength, set_cond_area, mask, hooks, timesteps) for one in (positive_NEW, negative_NEW))
    return Pair(*(one + new for one, new in zip((positive, negative), made, strict=True)))


@node("ConditioningSetDefaultCombine", category=SINGLE, display_name="Cond Set Default Combine", experimental=True)
def conditioning_set_default_combine(
    *, cond: Conditioning, cond_DEFAULT: Conditioning, hooks: Hooks | None = None
) -> Conditioning:
    """Let `cond_DEFAULT` count where `cond` does not: outside of its masks and areas, and before or after its time."""
    return cond + _default(cond_DEFAULT, hooks)


@node(
    "PairConditioningSetDefaultCombine",
    category=PAIR,
    display_name="Cond Pair Set Default Combine",
    experimental=True,
)
def pair_conditioning_set_default_combine(
    *,
    positive: Conditioning,
    negative: Conditioning,
    positive_DEFAULT: Conditioning,
    negative_DEFAULT: Conditioning,
    hooks: Hooks | None = None,
) -> Pair:
    """Let the defaults count where the conditionings of the pair do not."""
    return Pair(positive + _default(positive_DEFAULT, hooks), negative + _default(negative_DEFAULT, hooks))


@node("PairConditioningCombine", category=PAIR, display_name="Cond Pair Combine", experimental=True)
def pair_conditioning_combine(
    *, positive_A: Conditioning, negative_A: Conditioning, positive_B: Conditioning, negative_B: Conditioning
) -> Pair:
    """Let both pairs count: positive with positive, negative with negative."""
    return Pair(positive_A + positive_B, negative_A + negative_B)


def _default(conditioning: Conditioning, hooks: Hooks | None) -> Conditioning:
    _refuse(hooks)
    return tuple(replace(one, default=True) for one in conditioning)


def _refuse(hooks: Hooks | None) -> None:
    if hooks is not None:
        raise InputError("hooks", "Hooks of conditionings cannot be sampled with yet. Disconnect them.")


def _set(
    conditioning: Conditioning,
    strength: float,
    set_cond_area: CondArea,
    mask: Mask | None,
    hooks: Hooks | None,
    timesteps: TimestepsRange | None,
) -> Conditioning:
    _refuse(hooks)
    if mask is not None:
        require_pixels(mask)

    def changed(one: Condition) -> Condition:
        if mask is None:
            one = replace(one, strength=strength)
        else:
            masks, within = mask.reshape(-1, *mask.shape[-2:]), set_cond_area == "mask bounds"
            one = replace(one, mask=masks, mask_strength=strength, within_mask_bounds=within)
        return one if timesteps is None else replace(one, start=timesteps[0], end=timesteps[1])

    return tuple(changed(one) for one in conditioning)
