"""A network and its weights, kept apart until someone computes with it.

The weights stay as they are in the file (memory-mapped, in the file's dtype, never changed), the module is an empty
form. `DeviceMemory` fills the form on a device and empties it again. It knows nothing of what the network computes.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal

import torch
from torch import Tensor, nn

Role = Literal["unet", "vae", "text"]


class Network:
    """One module with its parameters on the meta device while it is not resident.

    Invariant: `weights` are never written to, so several networks may share tensors with one file.
    """

    def __init__(
        self,
        role: Role,
        module: nn.Module,
        weights: Mapping[str, Tensor],
        stored: Mapping[str, torch.dtype] = MappingProxyType({}),
    ) -> None:
        self.role: Role = role
        self.module: Any = module
        """Any, because diffusers and transformers do not type what their networks take and return."""
        self.weights = weights
        self.stored = stored
        """Name -> type, of weights that keep a type of their own whatever the network computes in."""
        self.pinned: torch.device | None = None
        """The device that it always computes on; None is the worker's."""
        self.device = torch.device("meta")
        self.dtype = torch.float32

    @property
    def resident(self) -> bool:
        """Whether the parameters have values."""
        return self.device.type != "meta"

    def load(self, device: torch.device, dtype: torch.dtype) -> None:
        """Fill the parameters from the weights. On the CPU a weight that already has `dtype` is not copied."""
        if (self.device, self.dtype) == (device, dtype):
            return
        self._assign(
            {
                name: value.to(device, self.stored.get(name, dtype), non_blocking=True)
                for name, value in self.weights.items()
            }
        )
        for module in self.module.modules():
            for name, buffer in module.named_buffers(recurse=False):
                setattr(module, name, buffer.to(device))
        self.device, self.dtype = device, dtype

    def unload(self) -> None:
        """Drop the parameters' values; the weights in the file remain."""
        self._assign({name: torch.empty_like(value, device="meta") for name, value in self.weights.items()})
        self.device = torch.device("meta")

    def bytes_as(self, dtype: torch.dtype) -> int:
        """Memory that the parameters take in `dtype`."""
        return sum(value.numel() * self.stored.get(name, dtype).itemsize for name, value in self.weights.items())

    def _assign(self, values: Mapping[str, Tensor]) -> None:
        self.module.load_state_dict(values, strict=True, assign=True)
