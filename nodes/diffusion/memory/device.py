"""The device a worker computes on: which networks are resident, which must leave, and in which dtype they compute.

One object for each worker, handed to the nodes that ask for it. It knows no family and no node.
"""

import contextlib
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import psutil
import torch

from nodes.diffusion.memory.network import Network, Role
from nodes.diffusion.memory.preferences import Preferences, settled

T = TypeVar("T")

ACTIVATIONS = 1 << 30
"""Bytes of an accelerator's memory that are left free for what a network computes on the way, where nobody says how
much that is."""

CPU_SHARE = 0.6
"""Share of the machine's memory that resident networks may take when the CPU is the device."""

LOW_SHARE = 0.5
"""Part of a denoising network that may stay on the device with residency `low`."""


IDLE_VARIANTS = 2
"""How many variants of one network stay on the device while another one is used, so that a graph may go back and forth
between them."""


class DeviceFull(RuntimeError):
    """What was asked for does not fit on the device, not even with weights elsewhere or in tiles."""


@dataclass(frozen=True, slots=True)
class DeviceState:
    """A device as people see it; memory in bytes."""

    name: str
    type: str
    index: int | None
    memory_total: int
    memory_free: int


class DeviceMemory:
    """Keeps recently used networks resident within a budget; the least recently used leave first.

    Invariant: a network inside `resident` never leaves, and one that nobody else holds is not kept alive.
    """

    def __init__(self, device: torch.device, budget: int, preferences: Preferences | None = None) -> None:
        """`budget`: bytes for weights and for what is computed with them."""
        self.device = device
        self.preferences = preferences or Preferences()
        self._budget = budget
        self._uses: weakref.WeakKeyDictionary[Network, int] = weakref.WeakKeyDictionary()
        """How many blocks use each network now; in the order of last use."""
        self._lock = threading.RLock()

    def dtype(self, role: Role) -> torch.dtype:
        """What a network of this role computes in."""
        return self.preferences.computed(role, self.device_of(role))

    def device_of(self, role: Role) -> torch.device:
        """Where a network of this role computes."""
        return torch.device("cpu") if role == "vae" and self.preferences.cpu_vae else self.device

    @contextlib.contextmanager
    def resident(
        self,
        *networks: Network,
        activations: int | None = None,
        spread: bool = False,
        dtype: torch.dtype | None = None,
    ) -> Iterator[None]:
        """Hold the networks on the device while the block runs; they stay there afterwards until others need room.

        `activations`: bytes that the block will need beside the weights; None is a guess. `spread`: keep no weight on
        the device that is not computing, however much room there is. `dtype`: what they compute in, where that is not
        to be chosen here.
        """
        if activations is None:
            activations = 0 if self.device.type == "cpu" else ACTIVATIONS
        with self._lock:
            for network in networks:
                self._uses[network] = self._uses.pop(network, 0) + 1
            try:
                for network in networks:
                    self._admit(network, activations, spread=spread, dtype=dtype)
            except BaseException:
                self._release(networks)
                raise
        try:
            yield
        finally:
            with self._lock:
                self._release(networks)
                if self.preferences.unload_after_use:
                    for network in self._idle():
                        network.unload()

    def attempt(
        self,
        network: Network,
        work: Callable[[], T],
        what: str,
        *,
        activations: int = 0,
        otherwise: Callable[[], T] | None = None,
        dtype: torch.dtype | None = None,
    ) -> T:
        """`work` with `network` resident. If memory runs out, everything else leaves and it is tried once more: as
        `otherwise`, or with the weights brought layer by layer. Raises DeviceFull, which says what there was."""
        try:
            with self.resident(network, activations=activations, dtype=dtype):
                return work()
        except torch.OutOfMemoryError:
            pass  # what it held is gone only once its frames are
        self.free()
        try:
            with self.resident(network, activations=activations, spread=otherwise is None, dtype=dtype):
                return (otherwise or work)()
        except torch.OutOfMemoryError as error:
            raise DeviceFull(self._complaint(network, activations, what)) from error

    def free(self) -> None:
        """Drop every network that is not in use."""
        with self._lock:
            for network in self._idle():
                network.unload()
            if self.device.type == "cuda":
                torch.cuda.empty_cache()

    def state(self) -> DeviceState:
        """The device's name and memory now."""
        if self.device.type == "cuda":
            free, total = torch.cuda.mem_get_info(self.device)
            name = torch.cuda.get_device_name(self.device)
            return DeviceState(f"{self.device} {name}", "cuda", self.device.index, total, free)
        memory = psutil.virtual_memory()
        return DeviceState(str(self.device), self.device.type, self.device.index, memory.total, memory.available)

    def numerics(self) -> str:
        """What decides the last digits of a result, in words: results of another device or type are not its own."""
        roles: tuple[Role, ...] = ("unet", "vae", "text")
        types = (f"{role} {self.preferences.stored(role) or self.dtype(role)}" for role in roles)
        noise = "noise drawn on the CPU" if self.preferences.cpu_noise else "noise drawn where it is used"
        return ", ".join((self.device.type, self.state().name, *types, str(self.device_of("vae")), noise))

    def resident_bytes(self) -> int:
        """Memory of the device that weights take."""
        with self._lock:
            return sum(self._tensors(self._uses).values())

    def _admit(self, network: Network, activations: int, *, spread: bool, dtype: torch.dtype | None) -> None:
        device = network.pinned or self.device_of(network.role)
        if dtype is None and network.resident and self._uses[network] > 1:
            dtype = network.dtype  # whoever uses it already has chosen
        dtype = dtype or self.preferences.computed(network.role, device)
        storage = self.preferences.stored(network.role)
        # Accelerators unpack a layer in no time; on a CPU it takes longer than to compute with it, and what is packed
        # costs it no memory, since it is mapped.
        network.stays_packed = device.type != "cpu"
        need = network.bytes_as(dtype, storage)
        keep: int | None = None
        for other in self._idle_variants(network)[IDLE_VARIANTS:]:
            # Every strength that somebody tries makes one; without a bound they would fill the device.
            other.unload()
        idle = self._idle()
        if device == self.device:
            room = self._room_beside(network, dtype, activations)
            while idle and need > room:
                idle.pop(0).unload()
                room = self._room_beside(network, dtype, activations)
            keep = 0 if spread else self._kept(network.role, need, room)

        def load(keep: int | None) -> None:
            network.load(device, dtype, storage=storage, keep=keep, channels_last=self.preferences.channels_last)

        try:
            load(keep)
        except torch.OutOfMemoryError:
            for other in idle:
                other.unload()
            if self.device.type == "cuda":
                torch.cuda.empty_cache()
            load(min(keep, need // 2) if keep is not None else None)

    def _kept(self, role: Role, need: int, room: int) -> int | None:
        """Bytes of a network's weights that may stay on the device; None for all."""
        match self.preferences.residency:
            case "high" | "normal":
                return None
            case "none":
                return 0
            case "low" if role == "unet":
                return min(int(need * LOW_SHARE), max(0, room))
        return None if need <= room else max(0, room)

    def _room_beside(self, network: Network, dtype: torch.dtype, activations: int) -> int:
        """What is left for its weights, those included that a variant of it has there already."""
        shared = network.there_already(self.device, dtype, self.preferences.stored(network.role))
        others = self._tensors(other for other in self._uses if other is not network)
        return self._budget - activations - sum(size for tensor, size in others.items() if tensor not in shared)

    def _tensors(self, networks: Iterable[Network]) -> dict[int, int]:
        """Identity -> bytes, of what they hold on the device; each tensor once, though several networks share it."""
        there = (network for network in list(networks) if network.device == self.device)
        return {tensor: size for network in there for tensor, size in network.on_device().items()}

    def _idle_variants(self, network: Network) -> list[Network]:
        """Variants of it that no block uses, the most recently used first."""
        return [other for other in reversed(self._idle()) if other.changes and other.origin is network.origin]

    def _complaint(self, network: Network, activations: int, what: str) -> str:
        weights = network.bytes_as(self.dtype(network.role), self.preferences.stored(network.role))
        state = self.state()
        return (
            f"{what} does not fit on {state.name}: it needs about {_gib(weights)} for the weights and "
            f"{_gib(activations)} for what is computed, and of {_gib(state.memory_total)} there are "
            f"{_gib(state.memory_free)} free. Take a smaller picture or batch, or start with --lowvram or a smaller "
            "weight type."
        )

    def _idle(self) -> list[Network]:
        """Resident networks that no block uses, the least recently used first."""
        return [network for network, uses in list(self._uses.items()) if uses == 0 and network.resident]

    def _release(self, networks: tuple[Network, ...]) -> None:
        for network in networks:
            self._uses[network] -= 1


def choose_memory(preferences: Preferences | None = None) -> DeviceMemory:
    """The accelerator that torch finds, or the CPU if there is none or it is preferred, with a fitting budget."""
    wanted = preferences or Preferences()
    if wanted.deterministic:
        torch.use_deterministic_algorithms(True, warn_only=True)
    if not wanted.cpu and torch.cuda.is_available():
        device = torch.device("cuda", torch.cuda.current_device() if wanted.device is None else wanted.device)
        free, _ = torch.cuda.mem_get_info(device)
        return DeviceMemory(device, free - (wanted.reserve or 0), wanted)
    total = psutil.virtual_memory().total
    if not wanted.cpu and torch.backends.mps.is_available():
        return DeviceMemory(torch.device("mps"), total // 2 - (wanted.reserve or 0), wanted)
    device = torch.device("cpu")
    return DeviceMemory(device, int(total * CPU_SHARE) - (wanted.reserve or 0), settled(wanted, device))


def _gib(size: int) -> str:
    return f"{size / 2**30:.1f} GiB"
