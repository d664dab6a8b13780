"""The part of a model patcher that a text encoder has: residency, and changes of weights."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

import comfy.model_management
from comfy.lora import changed_weight
from comfy.worker_memory import memory
from nodes.diffusion.memory.network import Network
from nodes.diffusion.values import TextEncoder, TextModel


class TextPatcher:
    """The text models of an encoder with what packs want of their weights."""

    def __init__(self, value: TextEncoder) -> None:
        self._value = value
        self.network = value.networks[0]
        self.model = self.network.module
        self.load_device = comfy.model_management.text_encoder_device()
        self.offload_device = comfy.model_management.text_encoder_offload_device()
        self.model_options: dict[str, Any] = {}
        self.patches: dict[str, list[Any]] = {}

    def networks(self) -> list[Network]:
        """What must be resident to encode."""
        return list(self.patched(self._value).networks)

    def clone(self) -> "TextPatcher":
        """One of its own for the same networks."""
        made = TextPatcher(self._value)
        made.patches = {name: list(patches) for name, patches in self.patches.items()}
        return made

    def add_patches(
        self, patches: Mapping[str, Any], strength_patch: float = 1.0, strength_model: float = 1.0
    ) -> list[str]:
        """Change weights; the names that there are."""
        known = self.model_state_dict()
        taken = [key for key in patches if key in known]
        for key in taken:
            self.patches.setdefault(key, []).append((strength_patch, patches[key], strength_model, None, None))
        return taken

    def get_key_patches(self, filter_prefix: str | None = None) -> dict[str, list[Any]]:
        """Name of each weight -> the weight, with its changes."""
        return {
            name: [(weight, lambda one: one), *self.patches.get(name, [])]
            for name, weight in self.model_state_dict(filter_prefix).items()
        }

    def model_state_dict(self, filter_prefix: str | None = None) -> dict[str, Tensor]:
        """Name of each weight -> the weight, without changes."""
        named = {
            prefix_of(one) + name: weight for one in self._value.models for name, weight in one.network.weights.items()
        }
        return {
            name: weight for name, weight in named.items() if filter_prefix is None or name.startswith(filter_prefix)
        }

    def patched(self, value: TextEncoder) -> TextEncoder:
        """An encoder of the same text models with the changes; the encoder itself if there are none."""
        if not self.patches:
            return value

        def changed(one: TextModel) -> TextModel:
            prefix = prefix_of(one)
            changes = {
                key.removeprefix(prefix): [partial(changed_weight, tuple(patches), key)]
                for key, patches in self.patches.items()
                if key.startswith(prefix)
            }
            return replace(one, network=one.network.changed(changes))

        return replace(value, models=tuple(map(changed, value.models)))

    def model_size(self) -> int:
        """Bytes of the weights."""
        return sum(network.bytes_as(memory().dtype("text")) for network in self._value.networks)

    def model_dtype(self) -> torch.dtype:
        """What it computes in."""
        return memory().dtype("text")


def prefix_of(model: TextModel) -> str:
    """What the names of a text model's weights begin with."""
    return f"clip_{model.role}.transformer.text_model."
