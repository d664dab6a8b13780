"""Conditions inside a sampling run: dicts with `cross_attn` and `model_conds`, made of the lists that nodes pass on."""

import uuid
from collections.abc import Sequence
from typing import Any

from torch import Tensor

import comfy.conds
from nodes.diffusion.values import Conditioning
from nodes.packs.bridge.conditions import condition_of


def convert_cond(cond: Sequence[Any]) -> list[dict[str, Any]]:
    """[tokens, options] pairs as dicts."""
    made = []
    for tokens, options in cond:
        one = dict(options)
        one["model_conds"] = dict(one.get("model_conds", {}))
        if tokens is not None:
            one["cross_attn"] = tokens
            one["model_conds"]["c_crossattn"] = comfy.conds.CONDCrossAttn(tokens)
        one["uuid"] = uuid.uuid4()
        made.append(one)
    return made


def conditioning_of(conds: Sequence[dict[str, Any]] | None) -> Conditioning:
    """The dicts as our conditions."""
    return tuple(condition_of(_tokens(one), one) for one in conds or ())


def _tokens(cond: dict[str, Any]) -> Tensor:
    wrapped = cond.get("model_conds", {}).get("c_crossattn")
    tokens: Tensor = cond["cross_attn"] if wrapped is None else wrapped.cond
    return tokens
