"""A network and its weights, kept apart until someone computes with it.

The weights stay as they are in the file (memory-mapped, in the file's dtype, never changed), the module is an empty
form. `DeviceMemory` fills the form on a device and empties it again. A variant of a network has the same weights, some
of which are changed on their way to the device. It knows nothing of what the network computes.
"""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Any, Literal
from weakref import WeakValueDictionary

import torch
from torch import Tensor, nn

from nodes.diffusion.memory.layers import bring_when_used, empty, form_of, layers_of, put
from nodes.diffusion.memory.mapped import MappedPages
from nodes.diffusion.memory.packed import PACKED

Role = Literal["unet", "vae", "text"]

Change = Callable[[Tensor], Tensor]
"""What becomes of a weight: gets it in float32 on the device, as a tensor of its own that it may write to."""

Changes = Mapping[str, Sequence[Change]]
"""Name of a weight -> what is done to it, in this order."""

Copy = tuple[str, torch.device, torch.dtype, bool]
"""A weight's name, its device and type, and whether it is channels last."""


class Network:
    """One module with its parameters on the meta device while it is not resident.

    Invariant: `weights` are never written to, so several networks may share tensors with one file, and no parameter
    is, so variants share those on the device.
    """

    def __init__(
        self,
        role: Role,
        module: nn.Module | None,
        weights: Mapping[str, Tensor],
        kept: Mapping[str, torch.dtype] = MappingProxyType({}),
        scales: Mapping[str, Tensor] = MappingProxyType({}),
    ) -> None:
        self.role: Role = role
        self._module = module
        self.weights = weights
        self.kept = kept
        """Name -> type, of weights that stay in a type of their own whatever the network computes in."""
        self.scales = scales
        """Name -> factor, of weights among those that a file holds divided by it."""
        self.changes: Changes = {}
        self.origin: Network = self
        """The network that this is a variant of."""
        self.pinned: torch.device | None = None
        """The device that it always computes on; None leaves that to `DeviceMemory`."""
        self.stays_packed = True
        """Whether packed weights are unpacked at every use; otherwise once, when they are loaded."""
        self.device = torch.device("meta")
        self.dtype = torch.float32
        self.storage: torch.dtype | None = None
        """What matrices are kept in on the device, if not in `dtype`."""
        self.held = 0
        """Bytes of weights on the device, those that it shares with its variants too."""
        self.whole = True
        """Whether all weights are on the device; otherwise some are brought layer by layer."""
        self._channels_last = False
        self._placed: dict[str, Tensor] = {}
        self._copies: WeakValueDictionary[Copy, nn.Parameter] = WeakValueDictionary()
        """The unchanged weights that it or one of its variants has on a device."""
        self._scratch: Tensor | None = None
        self._undo: list[Callable[[], None]] = []

    @property
    def module(self) -> Any:
        """Any, because diffusers and transformers do not type what their networks take and return. A variant has one
        of its own, so that both can be resident at once; it is made when somebody asks for it."""
        if self._module is None:
            self._module = form_of(self.origin.module)
        return self._module

    @property
    def resident(self) -> bool:
        """Whether it can compute."""
        return self.device.type != "meta"

    def changed(self, changes: Changes) -> "Network":
        """A variant with these changes after those that there are already; the network itself if there are none."""
        if not any(changes.values()):
            return self
        made = Network(self.role, None, self.weights, self.kept, self.scales)
        names = self.changes.keys() | changes.keys()
        made.changes = {name: (*self.changes.get(name, ()), *changes.get(name, ())) for name in names}
        made.origin, made._copies = self.origin, self._copies
        made.pinned, made.stays_packed = self.pinned, self.stays_packed
        return made

    def value(self, name: str) -> Tensor:
        """A weight in float32 on the CPU, with its changes. May be the file's own: never write to it."""
        return self._finished(name, self.weights[name], torch.device("cpu"), torch.float32)

    def load(
        self,
        device: torch.device,
        dtype: torch.dtype,
        *,
        storage: torch.dtype | None = None,
        keep: int | None = None,
        channels_last: bool = False,
    ) -> None:
        """Fill the parameters from the weights. On the CPU a weight that already has `dtype` is not copied, and on no
        device one that a variant of the network has there.

        With `storage` the matrices are kept in that type and converted when their layer computes. With `keep` only so
        many bytes stay on the device, small layers first; the others come from the file at every use.
        """
        same = (self.device, self.dtype, self.storage) == (device, dtype, storage)
        if same and (self.whole if keep is None else self.held <= keep):
            return
        before = self._placed if same else {}  # kept until the new ones are there, since most will be the same
        self._forget()
        self._channels_last = channels_last and self.role != "text"
        try:
            if self.changes and dtype != torch.float32:
                largest = max(self.weights[name].numel() for name in self.changes)
                self._scratch = torch.empty(largest, dtype=torch.float32, device=device)
            with contextlib.closing(MappedPages()) as pages:
                self._fill(device, dtype, storage, keep, pages)
        except BaseException:
            self.unload()
            raise
        finally:
            self._scratch = None
        before.clear()
        for module in self.module.modules():
            for name, buffer in module.named_buffers(recurse=False):
                setattr(module, name, buffer.to(device))
        self.device, self.dtype, self.storage = device, dtype, storage

    def load_beside(self, other: "Network") -> None:
        """Become resident where and as a variant of it is; what both share is not copied."""
        self.load(
            other.device,
            other.dtype,
            storage=other.storage,
            keep=None if other.whole else 0,
            channels_last=other._channels_last,
        )

    def unload(self) -> None:
        """Drop the parameters' values; the weights in the file remain."""
        self._forget()
        for _, layer, own in layers_of(self.module):
            for name in own:
                put(layer, name, empty(layer.get_parameter(name)))
        self.device, self.storage = torch.device("meta"), None
        self.held, self.whole = 0, True

    def bytes_as(self, dtype: torch.dtype, storage: torch.dtype | None = None) -> int:
        """Memory that the parameters take in `dtype`, matrices in `storage` if there is one, or packed."""
        return sum(self._bytes(name, dtype, storage) for name in self.weights)

    def changed_bytes_as(self, dtype: torch.dtype) -> int:
        """Memory that it takes in `dtype` beside a resident variant of it that has none of its changes."""
        return sum(self.weights[name].numel() * dtype.itemsize for name in self.changes)

    def on_device(self) -> dict[int, int]:
        """Identity of each tensor that it holds there -> its bytes; variants hold some together."""
        return {id(tensor): tensor.nbytes for tensor in self._placed.values()}

    def there_already(self, device: torch.device, dtype: torch.dtype, storage: torch.dtype | None) -> set[int]:
        """Identities of tensors on the device that it would not need to copy, since a variant has them."""
        kinds = {name: self._kept_in(name, dtype, storage) for name in self.weights}
        return {
            id(tensor)
            for (name, place, kind, _), tensor in list(self._copies.items())
            if place == device and kind == kinds[name] and (kind != dtype or name not in self.changes)
        }

    def _fill(
        self,
        device: torch.device,
        dtype: torch.dtype,
        storage: torch.dtype | None,
        keep: int | None,
        pages: MappedPages,
    ) -> None:
        layers = list(layers_of(self.module))
        sizes = [sum(self._bytes(prefix + name, dtype, storage) for name in own) for prefix, _, own in layers]
        self.held, self.whole = 0, True
        for index in sorted(range(len(layers)), key=sizes.__getitem__):
            prefix, layer, own = layers[index]
            kinds = {name: self._kept_in(prefix + name, dtype, storage) for name in own}
            plain = all(kind == dtype for kind in kinds.values())
            if keep is not None and self.held + sizes[index] > keep:
                self.whole = False
                sources: dict[str, Tensor] = {name: self.weights[prefix + name] for name in own}
            else:
                self.held += sizes[index]
                placed = {name: self._place(prefix + name, device, kinds[name], plain, pages) for name in own}
                if plain:
                    for name, value in placed.items():
                        put(layer, name, value)
                    continue
                sources = dict(placed)
            values = {
                name: partial(self._finished, prefix + name, source, device, dtype) for name, source in sources.items()
            }
            shapes = {name: empty(self.weights[prefix + name]) for name in own}
            self._undo.append(bring_when_used(layer, values, shapes))

    def _place(
        self, name: str, device: torch.device, kind: torch.dtype, plain: bool, pages: MappedPages
    ) -> nn.Parameter:
        """A weight on the device. If it is what computes (`plain`) it is changed there; otherwise at every use.

        What was read of its file for a copy is given back.
        """
        shared = not plain or name not in self.changes
        copy = (name, device, kind, self._channels_last)
        found = self._copies.get(copy) if shared else None
        if found is None:
            weight = self.weights[name]
            order = torch.channels_last if self._channels_last and weight.ndim == 4 else torch.preserve_format
            if shared:  # in one step, since each copy on the way would stay in the allocator's hands
                value = weight.to(device, kind, non_blocking=True, memory_format=order)
            else:
                value = self._finished(name, weight, device, kind).to(memory_format=order)
            if value is not weight:
                pages.release(weight)
            found = nn.Parameter(value, requires_grad=False)
            if shared:
                self._copies[copy] = found
        self._placed[name] = found
        return found

    def _finished(self, name: str, source: Tensor, device: torch.device, dtype: torch.dtype) -> Tensor:
        """A weight as it computes: on the device, times its factor, with its changes."""
        scale = self.scales.get(name)
        changes = self.changes.get(name, ())
        if not changes:
            value = source.to(device, dtype, non_blocking=True)
            return value if scale is None else value * scale.to(device, dtype)
        if self._scratch is not None and dtype != torch.float32:
            # The same memory for every weight while all are loaded: fresh pages cost more than the sums.
            value = self._scratch[: source.numel()].view(source.shape).copy_(source)
        else:
            value = source.to(device, torch.float32, copy=True)
        if scale is not None:
            value *= scale.to(device)
        for change in changes:
            value = change(value)
        return value.to(dtype)

    def _forget(self) -> None:
        for undo in self._undo:
            undo()
        self._undo.clear()
        self._placed = {}

    def _kept_in(self, name: str, dtype: torch.dtype, storage: torch.dtype | None) -> torch.dtype:
        """Norms and biases keep their precision: they are small, and eight bits would show."""
        kept = self.kept.get(name)
        if kept is not None and (self.stays_packed or kept != PACKED):
            return kept
        return dtype if storage is None or self.weights[name].ndim < 2 else storage

    def _bytes(self, name: str, dtype: torch.dtype, storage: torch.dtype | None) -> int:
        weight, kind = self.weights[name], self._kept_in(name, dtype, storage)
        return weight.nbytes if kind == PACKED else weight.numel() * kind.itemsize
