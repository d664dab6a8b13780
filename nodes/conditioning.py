"""Nodes that turn text into conditioning, and say where, how strongly and when it counts."""

import dataclasses
from typing import Annotated, Literal

import torch

from executor.schema import Injected, Widget
from nodes.coding import require_pixels
from nodes.declare import node
from nodes.diffusion.memory.device import DeviceMemory
from nodes.diffusion.text.encoder import encode_text
from nodes.diffusion.values import Area, Condition
from nodes.diffusion.weights.scaled import scale_attention
from nodes.model_files import embedding_state
from nodes.types import Clip, Conditioning, Mask, Text

CELL = 8
"""Pixels along the side of a latent cell."""

AreaSide = Annotated[int, Widget("number", min=64, max=16384, step=8)]
AreaOffset = Annotated[int, Widget("number", min=0, max=16384, step=8)]
Share = Annotated[float, Widget("number", min=0.0, max=1.0, step=0.01)]
Strength = Annotated[float, Widget("number", min=0.0, max=10.0, step=0.01)]
"""Also any other factor."""
Moment = Annotated[float, Widget("number", min=0.0, max=1.0, step=0.001)]


@node(
    "CLIPTextEncode",
    category="conditioning",
    display_name="CLIP Text Encode (Prompt)",
    lane="device",
    fingerprint=embedding_state,
)
def clip_text_encode(*, text: Text, clip: Clip, memory: Injected[DeviceMemory]) -> Conditioning:
    """Encode a text that guides the model towards, or away from, what it says.

    `(word:1.2)` gives a word more weight, `(word:0.8)` less, and `(word)` is short for 1.1. `embedding:name` stands for
    what a file in the folder embeddings was trained to mean.
    """
    with memory.resident(*clip.networks):
        encoding = encode_text(clip, text)
    return (Condition(encoding.tokens, encoding.pooled),)


@node("CLIPSetLastLayer", category="conditioning", display_name="CLIP Set Last Layer")
def clip_set_last_layer(
    *, clip: Clip, stop_at_clip_layer: Annotated[int, Widget("number", min=-24, max=-1, step=1)] = -1
) -> Clip:
    """Take the text model's output from an earlier layer: -1 is the last one, -2 the one before ("clip skip 2")."""
    return dataclasses.replace(clip, layer=stop_at_clip_layer)


@node("CLIPAttentionMultiply", category="_for_testing/attention_experiments", experimental=True)
def clip_attention_multiply(
    *, clip: Clip, q: Strength = 1.0, k: Strength = 1.0, v: Strength = 1.0, out: Strength = 1.0
) -> Clip:
    """Scale how the words of a text attend to each other."""
    return scale_attention(clip, {"q_proj": q, "k_proj": k, "v_proj": v, "out_proj": out})


@node("ConditioningCombine", category="conditioning", display_name="Conditioning (Combine)")
def conditioning_combine(*, conditioning_1: Conditioning, conditioning_2: Conditioning) -> Conditioning:
    """Let both count: the model predicts for each, and the predictions are averaged by weight."""
    return conditioning_1 + conditioning_2


@node("ConditioningConcat", category="conditioning", display_name="Conditioning (Concat)")
def conditioning_concat(*, conditioning_to: Conditioning, conditioning_from: Conditioning) -> Conditioning:
    """Append the first text of `conditioning_from` to each text of `conditioning_to`, as if they were one long text."""
    added = conditioning_from[0].tokens
    return tuple(
        dataclasses.replace(one, tokens=torch.cat([one.tokens, added.expand(len(one.tokens), -1, -1)], dim=1))
        for one in conditioning_to
    )


@node("ConditioningAverage", category="conditioning")
def conditioning_average(
    *,
    conditioning_to: Conditioning,
    conditioning_from: Conditioning,
    conditioning_to_strength: Annotated[float, Widget("number", min=0.0, max=1.0, step=0.01)] = 1.0,
) -> Conditioning:
    """Mix each text of `conditioning_to` with the first one of `conditioning_from`."""
    other, share = conditioning_from[0], conditioning_to_strength

    def mixed(one: Condition) -> Condition:
        length = one.tokens.shape[1]
        missing = max(0, length - other.tokens.shape[1])
        tokens = torch.nn.functional.pad(other.tokens[:, :length], (0, 0, 0, missing))
        return dataclasses.replace(
            one,
            tokens=share * one.tokens + (1 - share) * tokens,
            pooled=share * one.pooled + (1 - share) * other.pooled,
        )

    return tuple(mixed(one) for one in conditioning_to)


@node("ConditioningSetArea", category="conditioning", display_name="Conditioning (Set Area)")
def conditioning_set_area(
    *,
    conditioning: Conditioning,
    width: AreaSide = 64,
    height: AreaSide = 64,
    x: AreaOffset = 0,
    y: AreaOffset = 0,
    strength: Strength = 1.0,
) -> Conditioning:
    """Let the text count only in a rectangle, given in pixels."""
    area = Area(x // CELL, y // CELL, width // CELL, height // CELL)
    return _changed(conditioning, area=area, strength=strength, within_mask_bounds=False)


@node(
    "ConditioningSetAreaPercentage",
    category="conditioning",
    display_name="Conditioning (Set Area with Percentage)",
)
def conditioning_set_area_percentage(
    *,
    conditioning: Conditioning,
    width: Share = 1.0,
    height: Share = 1.0,
    x: Share = 0.0,
    y: Share = 0.0,
    strength: Strength = 1.0,
) -> Conditioning:
    """Let the text count only in a rectangle, given as shares of the picture's sides."""
    area = Area(x, y, width, height, relative=True)
    return _changed(conditioning, area=area, strength=strength, within_mask_bounds=False)


@node("ConditioningSetAreaStrength", category="conditioning")
def conditioning_set_area_strength(*, conditioning: Conditioning, strength: Strength = 1.0) -> Conditioning:
    """Give the text more or less weight than the texts it is combined with."""
    return _changed(conditioning, strength=strength)


@node("ConditioningSetMask", category="conditioning", display_name="Conditioning (Set Mask)")
def conditioning_set_mask(
    *,
    conditioning: Conditioning,
    mask: Mask,
    strength: Strength = 1.0,
    set_cond_area: Literal["default", "mask bounds"],
) -> Conditioning:
    """Let the text count where the mask says; with "mask bounds" the model sees only the rectangle around it."""
    require_pixels(mask)
    within = set_cond_area == "mask bounds"
    mask = mask.reshape(-1, *mask.shape[-2:])
    return _changed(conditioning, mask=mask, mask_strength=strength, within_mask_bounds=within)


@node("ConditioningZeroOut", category="advanced/conditioning")
def conditioning_zero_out(*, conditioning: Conditioning) -> Conditioning:
    """Replace the encoded text by zeros, which some models were trained to read as no text at all."""
    return tuple(
        dataclasses.replace(one, tokens=torch.zeros_like(one.tokens), pooled=torch.zeros_like(one.pooled))
        for one in conditioning
    )


@node("ConditioningSetTimestepRange", category="advanced/conditioning")
def conditioning_set_timestep_range(
    *, conditioning: Conditioning, start: Moment = 0.0, end: Moment = 1.0
) -> Conditioning:
    """Let the text count during a part of the sampling only: 0 is pure noise, 1 the finished picture."""
    return _changed(conditioning, start=start, end=end)


def _changed(conditioning: Conditioning, **changes: object) -> Conditioning:
    return tuple(dataclasses.replace(one, **changes) for one in conditioning)  # type: ignore[arg-type]
