"""A module that a pack made itself, moved between devices by the worker's memory like our own networks."""

from typing import Any

import torch
from torch import nn

import comfy.device_questions
from nodes.diffusion.memory.network import Network


class OwnNetwork(Network):
    """The module keeps its weights and its dtype; it is only moved. What is no module stays where it is."""

    def __init__(self, module: Any, offload_device: torch.device) -> None:
        super().__init__("unet", module, {})
        self._offload = offload_device

    def load(
        self,
        device: torch.device,
        dtype: torch.dtype,
        *,
        storage: torch.dtype | None = None,
        keep: int | None = None,
        channels_last: bool = False,
    ) -> None:
        """Move to the device, always whole. `dtype` is noted, not cast to."""
        self._move(device)
        self.device, self.dtype = device, dtype
        self.held = self.bytes_as(dtype)

    def unload(self) -> None:
        """Move back."""
        self._move(self._offload)
        self.device, self.held = torch.device("meta"), 0

    def bytes_as(self, dtype: torch.dtype, storage: torch.dtype | None = None) -> int:
        """Memory that it takes in the dtype that it has."""
        return comfy.device_questions.module_size(self.module) if isinstance(self.module, nn.Module) else 0

    def on_device(self) -> dict[int, int]:
        """The module as a whole, since its tensors are the pack's."""
        return {id(self): self.held}

    def _move(self, device: torch.device) -> None:
        if isinstance(self.module, nn.Module):
            self.module.to(device)
