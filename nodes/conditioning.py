"""Nodes that turn text into conditioning."""

import dataclasses
from typing import Annotated

from executor.schema import Injected, Widget
from nodes.declare import node
from nodes.diffusion.memory.device import DeviceMemory
from nodes.diffusion.text.clip import encode
from nodes.diffusion.values import Condition
from nodes.types import Clip, Conditioning, Text


@node("CLIPTextEncode", category="conditioning", display_name="CLIP Text Encode (Prompt)", lane="device")
def clip_text_encode(*, text: Text, clip: Clip, memory: Injected[DeviceMemory]) -> Conditioning:
    """Encode a text that guides the model towards, or away from, what it says.

    `(word:1.2)` gives a word more weight, `(word:0.8)` less, and `(word)` is short for 1.1.
    """
    with memory.resident(clip.network):
        encoding = encode(clip.network, clip.tokenizer, text, clip.layer)
    return (Condition(encoding.tokens, encoding.pooled),)


@node("CLIPSetLastLayer", category="conditioning", display_name="CLIP Set Last Layer")
def clip_set_last_layer(
    *, clip: Clip, stop_at_clip_layer: Annotated[int, Widget("number", min=-24, max=-1, step=1)] = -1
) -> Clip:
    """Take the text model's output from an earlier layer: -1 is the last one, -2 the one before ("clip skip 2")."""
    return dataclasses.replace(clip, layer=stop_at_clip_layer)
