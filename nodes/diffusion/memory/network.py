"""A network and its weights, kept apart until someone computes with it.

The weights stay as they are in the file (memory-mapped, in the file's dtype, never changed), the module is an empty
form. `DeviceMemory` fills the form on a device and empties it again. It knows nothing of what the network computes.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Literal

import torch
from torch import Tensor, nn

from nodes.diffusion.memory.layers import bring_when_used, layers_of, put
from nodes.diffusion.memory.packed import PACKED

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
        kept: Mapping[str, torch.dtype] = MappingProxyType({}),
        scales: Mapping[str, Tensor] = MappingProxyType({}),
    ) -> None:
        self.role: Role = role
        self.module: Any = module
        """Any, because diffusers and transformers do not type what their networks take and return."""
        self.weights = weights
        self.kept = kept
        """Name -> type, of weights that stay in a type of their own whatever the network computes in."""
        self.scales = scales
        """Name -> factor, of weights among those that a file holds divided by it."""
        self.pinned: torch.device | None = None
        """The device that it always computes on; None leaves that to `DeviceMemory`."""
        self.stays_packed = True
        """Whether packed weights are unpacked at every use; otherwise once, when they are loaded."""
        self.device = torch.device("meta")
        self.dtype = torch.float32
        self.storage: torch.dtype | None = None
        """What matrices are kept in on the device, if not in `dtype`."""
        self.held = 0
        """Bytes of weights on the device."""
        self.whole = True
        """Whether all weights are on the device; otherwise some are brought layer by layer."""
        self._undo: list[Callable[[], None]] = []

    @property
    def resident(self) -> bool:
        """Whether it can compute."""
        return self.device.type != "meta"

    def load(
        self,
        device: torch.device,
        dtype: torch.dtype,
        *,
        storage: torch.dtype | None = None,
        keep: int | None = None,
        channels_last: bool = False,
    ) -> None:
        """Fill the parameters from the weights. On the CPU a weight that already has `dtype` is not copied.

        With `storage` the matrices are kept in that type and converted when their layer computes. With `keep` only so
        many bytes stay on the device, small layers first; the others come from the file at every use.
        """
        if (self.device, self.dtype, self.storage) == (device, dtype, storage):
            if self.whole and (keep is None or self.held <= keep):
                return
            if not self.whole and keep is not None and self.held <= keep:
                return
        self._forget()
        if storage is None and keep is None and not self.kept:
            self._assign({name: value.to(device, dtype, non_blocking=True) for name, value in self.weights.items()})
            self.held, self.whole = self.bytes_as(dtype), True
        else:
            self._spread(device, dtype, storage, keep)
        if channels_last and self.role != "text":
            self.module.to(memory_format=torch.channels_last)
        for module in self.module.modules():
            for name, buffer in module.named_buffers(recurse=False):
                setattr(module, name, buffer.to(device))
        self.device, self.dtype, self.storage = device, dtype, storage

    def unload(self) -> None:
        """Drop the parameters' values; the weights in the file remain."""
        self._forget()
        self._assign({name: torch.empty_like(value, device="meta") for name, value in self.weights.items()})
        self.device, self.storage = torch.device("meta"), None
        self.held, self.whole = 0, True

    def bytes_as(self, dtype: torch.dtype, storage: torch.dtype | None = None) -> int:
        """Memory that the parameters take in `dtype`, matrices in `storage` if there is one, or packed."""
        return sum(self._bytes(name, dtype, storage) for name in self.weights)

    def _spread(self, device: torch.device, dtype: torch.dtype, storage: torch.dtype | None, keep: int | None) -> None:
        layers = [
            (prefix, layer, {name: self.weights[prefix + name] for name in own})
            for prefix, layer, own in layers_of(self.module)
        ]
        sizes = [sum(self._bytes(prefix + name, dtype, storage) for name in sources) for prefix, _, sources in layers]
        self.held, self.whole = 0, True
        for index in sorted(range(len(layers)), key=sizes.__getitem__):
            prefix, layer, sources = layers[index]
            scales = {name: self.scales[prefix + name] for name in sources if prefix + name in self.scales}
            if keep is not None and self.held + sizes[index] > keep:
                self.whole = False
                self._undo.append(bring_when_used(layer, sources, device, dtype, scales))
                continue
            self.held += sizes[index]
            placed = {
                name: value.to(device, self._kept_in(prefix + name, dtype, storage)) for name, value in sources.items()
            }
            if all(value.dtype == dtype for value in placed.values()):
                for name, value in placed.items():
                    put(layer, name, value)
            else:
                self._undo.append(bring_when_used(layer, placed, device, dtype, scales))

    def _forget(self) -> None:
        for undo in self._undo:
            undo()
        self._undo.clear()

    def _assign(self, values: Mapping[str, Tensor]) -> None:
        self.module.load_state_dict(values, strict=True, assign=True)

    def _kept_in(self, name: str, dtype: torch.dtype, storage: torch.dtype | None) -> torch.dtype:
        """Norms and biases keep their precision: they are small, and eight bits would show."""
        kept = self.kept.get(name)
        if kept is not None and (self.stays_packed or kept != PACKED):
            return kept
        return dtype if storage is None or self.weights[name].ndim < 2 else storage

    def _bytes(self, name: str, dtype: torch.dtype, storage: torch.dtype | None) -> int:
        weight, kind = self.weights[name], self._kept_in(name, dtype, storage)
        return weight.nbytes if kind == PACKED else weight.numel() * kind.itemsize
