"""A LoRA file of any published kind -> the adapters that it holds, by network and layer. Changes no network."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from nodes.diffusion.checkpoints.source import Source, open_source
from nodes.diffusion.weights.adapters import (
    Adapter,
    Decomposed,
    Difference,
    Hadamard,
    Kronecker,
    LowRank,
    Replacement,
)
from nodes.diffusion.weights.lora_names import FIRST_TEXT, SECOND_TEXT, UNET, Place, read_name

Parts = Mapping[str, Tensor]
"""What a part is (see `lora_names.PARTS`) -> the file's tensor."""

_METADATA = "lora_adapter_metadata"
"""Where diffusers keeps what PEFT's configuration says: JSON of `unet.r`, `unet.lora_alpha` and so on."""

_PEFT_NAMES = {UNET: "unet", FIRST_TEXT: "text_encoder", SECOND_TEXT: "text_encoder_2"}


@dataclass(frozen=True, slots=True, eq=False)
class LayerAdapter:
    """What a file holds for one layer."""

    stem: str
    """What its names in the file begin with."""
    place: Place
    adapters: Mapping[str, Adapter]
    """Parameter of the layer (weight or bias) -> what changes it."""


@dataclass(frozen=True, slots=True, eq=False)
class Lora:
    """The adapters of a file."""

    source: Source
    layers: tuple[LayerAdapter, ...]
    strangers: tuple[str, ...]
    """Names of tensors that are part of no adapter that is known."""


def open_lora(path: Path) -> Lora:
    """A LoRA, LoHa, LoKr, DoRA or full-difference file. Raises CheckpointError for what is no model file."""
    return read_lora(open_source(path))


def read_lora(source: Source) -> Lora:
    """The same for a source that is open."""
    tensors = source.read(source.shapes)
    parts: dict[str, dict[str, Tensor]] = {}
    names: dict[str, dict[str, str]] = {}
    places: dict[str, Place] = {}
    strangers: list[str] = []
    for name, tensor in tensors.items():
        found = read_name(name)
        if found is None:
            strangers.append(name)
            continue
        parts.setdefault(found.stem, {})[found.part] = tensor
        names.setdefault(found.stem, {})[found.part] = name
        places[found.stem] = found.place
    said = _configuration(source.metadata)
    layers = []
    for stem, found_parts in parts.items():
        adapters, used = _adapters(found_parts, _scale(found_parts, said.get(places[stem].network, {}), stem))
        strangers += [name for part, name in names[stem].items() if part not in used]
        if adapters:
            layers.append(LayerAdapter(stem, places[stem], adapters))
    return Lora(source, tuple(layers), tuple(strangers))


def _adapters(parts: Parts, scale: float) -> tuple[dict[str, Adapter], set[str]]:
    """The adapters of one layer, and the parts that they take."""
    made = _weight_adapter(parts, scale)
    adapters: dict[str, Adapter] = {}
    used: set[str] = set()
    if made is not None:
        adapters["weight"], used = made
        used |= {"alpha"}
        for name in ("magnitude", "output magnitude"):
            if name in parts:
                magnitude = parts[name].flatten() if name == "output magnitude" else parts[name]
                adapters["weight"] = Decomposed(adapters["weight"], magnitude)
                used |= {name}
    if "bias diff" in parts:
        adapters["bias"] = Difference(parts["bias diff"])
        used |= {"bias diff"}
    return adapters, used


def _weight_adapter(parts: Parts, scale: float) -> tuple[Adapter, set[str]] | None:
    def taken(*names: str) -> set[str]:
        return {name for name in names if name in parts}

    if {"up", "down"} <= parts.keys():
        return LowRank(parts["up"], parts["down"], scale, parts.get("mid")), taken("up", "down", "mid")
    if {"w1_a", "w1_b", "w2_a", "w2_b"} <= parts.keys():
        cores = (parts["t1"], parts["t2"]) if {"t1", "t2"} <= parts.keys() else None
        made = Hadamard((parts["w1_a"], parts["w1_b"]), (parts["w2_a"], parts["w2_b"]), scale, cores)
        return made, taken("w1_a", "w1_b", "w2_a", "w2_b", *(("t1", "t2") if cores else ()))
    first, second = _factor(parts, "kron_w1"), _factor(parts, "kron_w2")
    if first and second:
        return Kronecker(tuple(parts[name] for name in first), tuple(parts[name] for name in second), scale), taken(
            *first, *second
        )
    if "diff" in parts:
        return Difference(parts["diff"]), {"diff"}
    if "set" in parts:
        return Replacement(parts["set"]), {"set"}
    return None


def _factor(parts: Parts, name: str) -> tuple[str, ...]:
    """The parts that make one factor of a Kronecker product: it is whole, or of low rank."""
    if name in parts:
        return (name,)
    pair = (f"{name}_a", f"{name}_b")
    if not set(pair) <= parts.keys():
        return ()
    core = name.removesuffix("w2") + "t2"
    return (*pair, core) if name == "kron_w2" and core in parts else pair


def _scale(parts: Parts, said: Mapping[str, Any], stem: str) -> float:
    """alpha / rank; 1 where the file says nothing of alpha, or where a Kronecker product has no rank."""
    rank = next((parts[name].shape[0] for name in ("down", "w1_b", "kron_w1_b", "kron_w2_b") if name in parts), None)
    if rank is None:
        return 1.0
    if "alpha" in parts:
        return float(parts["alpha"]) / rank
    alphas: Mapping[str, Any] = said.get("alpha_pattern") or {}
    alpha = next((value for layer, value in alphas.items() if stem.endswith(layer)), said.get("lora_alpha", rank))
    return float(alpha) / (math.sqrt(rank) if said.get("use_rslora") else rank)


def _configuration(metadata: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Network -> PEFT's configuration of its adapter, if the file carries it."""
    try:
        entries = json.loads(metadata.get(_METADATA, "{}"))
    except ValueError:
        return {}
    if not isinstance(entries, dict):
        return {}
    return {
        network: {key.removeprefix(f"{name}."): value for key, value in entries.items() if key.startswith(f"{name}.")}
        for network, name in _PEFT_NAMES.items()
    }
