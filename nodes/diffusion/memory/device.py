"""The device a worker computes on: which networks are resident, which must leave, and in which dtype they compute.

One object for each worker, handed to the nodes that ask for it. It knows no family and no node.
"""

import contextlib
import threading
import weakref
from collections.abc import Iterator
from dataclasses import dataclass

import psutil
import torch

from nodes.diffusion.memory.network import Network, Role

ACTIVATIONS = 1 << 30
"""Bytes of an accelerator's memory that are left free for what a network computes on the way."""

CPU_SHARE = 0.6
"""Share of the machine's memory that resident networks may take when the CPU is the device."""


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

    def __init__(self, device: torch.device, budget: int) -> None:
        self.device = device
        self._budget = budget
        self._uses: weakref.WeakKeyDictionary[Network, int] = weakref.WeakKeyDictionary()
        """How many blocks use each network now; in the order of last use."""
        self._lock = threading.RLock()

    def dtype(self, role: Role) -> torch.dtype:
        """What a network of this role computes in: float32 on the CPU, half elsewhere, except for the autoencoder,
        whose decoder loses visible precision in half."""
        return torch.float32 if self.device.type == "cpu" or role == "vae" else torch.float16

    @contextlib.contextmanager
    def resident(self, *networks: Network) -> Iterator[None]:
        """Hold the networks on the device while the block runs; they stay there afterwards until others need room."""
        with self._lock:
            for network in networks:
                self._uses[network] = self._uses.pop(network, 0) + 1
            try:
                for network in networks:
                    self._admit(network)
            except BaseException:
                self._release(networks)
                raise
        try:
            yield
        finally:
            with self._lock:
                self._release(networks)

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

    def resident_bytes(self) -> int:
        """Memory that the resident networks' weights take."""
        with self._lock:
            return sum(network.bytes_as(network.dtype) for network in list(self._uses) if network.resident)

    def _admit(self, network: Network) -> None:
        device = network.pinned or self.device
        dtype = torch.float32 if device.type == "cpu" else self.dtype(network.role)
        if (network.device, network.dtype) == (device, dtype):
            return
        need = network.bytes_as(dtype)
        idle = self._idle()
        while idle and self.resident_bytes() + need > self._budget:
            idle.pop(0).unload()
        try:
            network.load(device, dtype)
        except torch.OutOfMemoryError:
            for other in idle:
                other.unload()
            torch.cuda.empty_cache()
            network.load(device, dtype)

    def _idle(self) -> list[Network]:
        """Resident networks that no block uses, the least recently used first."""
        return [network for network, uses in list(self._uses.items()) if uses == 0 and network.resident]

    def _release(self, networks: tuple[Network, ...]) -> None:
        for network in networks:
            self._uses[network] -= 1


def choose_memory(*, cpu: bool = False) -> DeviceMemory:
    """The accelerator that torch finds, or the CPU if there is none or `cpu` asks for it, with a fitting budget."""
    if not cpu and torch.cuda.is_available():
        device = torch.device("cuda", torch.cuda.current_device())
        free, _ = torch.cuda.mem_get_info(device)
        return DeviceMemory(device, max(free - ACTIVATIONS, free // 2))
    if not cpu and torch.backends.mps.is_available():
        return DeviceMemory(torch.device("mps"), psutil.virtual_memory().total // 2)
    return DeviceMemory(torch.device("cpu"), int(psutil.virtual_memory().total * CPU_SHARE))
