"""Packs' patches of attention and blocks as an alteration of our networks. Computes nothing itself."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from torch import Tensor

from nodes.diffusion.patches.contract import Alteration, Attending, Call, Place
from nodes.diffusion.patches.walk import Blocks, Step

STEP = "heddle step"
"""Where options carry our own record of a forward pass through layers that a pack replaced."""


class PackPatches(Alteration):
    """Calls what is in `transformer_options`, with the arguments that packs know. For one forward pass."""

    def __init__(self, options: dict[str, Any]) -> None:
        """`options` are shared by all patches of the pass, which may leave notes for each other there."""
        self._options = options
        self._patches: dict[str, Any] = options.get("patches", {})
        self._replacements: dict[str, Any] = options.get("patches_replace", {})

    def embedded(self, emb: Tensor, call: Call) -> Tensor:
        """`emb_patch`."""
        for patch in self._patches.get("emb_patch", ()):
            emb = patch(emb, call.width, self._options)
        return emb

    def after_input(self, h: Tensor, place: Place, call: Call) -> Tensor:
        """`input_block_patch`."""
        return self._through("input_block_patch", h, place)

    def after_kept(self, h: Tensor, place: Place, call: Call) -> Tensor:
        """`input_block_patch_after_skip`."""
        return self._through("input_block_patch_after_skip", h, place)

    def after_middle(self, h: Tensor, call: Call) -> Tensor:
        """`middle_block_patch`."""
        return self._through("middle_block_patch", h, Place("middle", 0))

    def before_output(self, h: Tensor, kept: Tensor, place: Place, call: Call) -> tuple[Tensor, Tensor]:
        """`output_block_patch`."""
        self._options["block"] = place[:2]
        for patch in self._patches.get("output_block_patch", ()):
            h, kept = patch(h, kept, self._options)
        return h, kept

    def between(self, x: Tensor, place: Place, call: Call) -> Tensor:
        """`middle_patch`."""
        told = self._told(place)
        for patch in self._patches.get("middle_patch", ()):
            x = patch(x, told)
        return x

    def attend(self, what: Attending, call: Call, inner: Callable[[Attending], Tensor]) -> Tensor:
        """`attn1_patch` before, a replacement in the place of, and `attn1_output_patch` after attention; or `attn2`."""
        name = "attn2" if what.crossed else "attn1"
        heads = what.attention.heads
        width = what.attention.to_q.out_features
        told = self._told(what.place) | {"n_heads": heads, "dim_head": width // heads, "attn_precision": None}
        for patch in self._patches.get(f"{name}_patch", ()):
            x, context, value = patch(what.x, what.context, what.value, told)
            what = replace(
                what, x=x, context=x if context is None else context, value=context if value is None else value
            )
        replacements, block = self._replacements.get(name, {}), tuple(what.place[:2])
        replacement = replacements.get((*block, what.place.depth), replacements.get(block))
        if replacement is not None:
            what = replace(what, core=lambda q, k, v, _: replacement(q, k, v, told))
        h = inner(what)
        for patch in self._patches.get(f"{name}_output_patch", ()):
            h = patch(h, told)
        return h

    def _through(self, name: str, h: Tensor, place: Place) -> Tensor:
        self._options["block"] = tuple(place[:2])
        for patch in self._patches.get(name, ()):
            h = patch(h, self._options)
        return h

    def _told(self, place: Place) -> dict[str, Any]:
        told = {key: value for key, value in self._options.items() if key not in ("patches", "patches_replace", STEP)}
        return told | {"block": tuple(place[:2]), "block_index": place.depth, "transformer_index": place.passed}


def patches_act(options: dict[str, Any]) -> bool:
    """Whether there are any."""
    return any(options.get("patches", {}).values()) or any(options.get("patches_replace", {}).values())


def step_of(options: dict[str, Any] | None, x: Tensor, emb: Any, tokens: Any) -> Step:
    """Our record of the pass that options belong to; a new one for a layer that a pack calls by itself."""
    options = {} if options is None else options
    if STEP in options:
        return options[STEP]
    name, number = options.get("block", ("input", 0))
    alterations = (PackPatches(options),) if patches_act(options) else ()
    call = Call(alterations, 0.0, None, (0,), (x.shape[-2], x.shape[-1]), 0, {})
    return Step(Blocks((), (), (), lambda h: h), emb, tokens, call, Place(name, number))


def lent(step: Step, options: dict[str, Any]) -> dict[str, Any]:
    """Options as a layer that a pack may have replaced gets them."""
    return {**options, "block": tuple(step.place[:2]), "block_index": step.place.depth, STEP: step}
