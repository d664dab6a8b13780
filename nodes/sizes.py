"""How many bytes a value on a link takes, for the budget of the memo cache. It knows no node and runs nothing."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from torch import Tensor, nn

from nodes.diffusion.memory.network import Network

OVERHEAD = 64
"""Bytes that any Python object takes beside its content."""


def size_of(value: Any) -> int:
    """Bytes of `value` with all that it holds.

    Networks count as nothing: their weights are mapped from the file, and the device's memory is kept by DeviceMemory.
    """
    total, waiting, seen = 0, [value], set[int]()
    while waiting:
        item = waiting.pop()
        if id(item) in seen or isinstance(item, Network | nn.Module):
            continue
        seen.add(id(item))
        total += OVERHEAD
        if isinstance(item, Tensor):
            total += item.numel() * item.element_size()
        elif isinstance(item, str | bytes):
            total += len(item)
        elif isinstance(item, Mapping):
            waiting += item.values()
        elif isinstance(item, list | tuple | set | frozenset):
            waiting += item
        elif is_dataclass(item) and not isinstance(item, type):
            waiting += (getattr(item, field.name) for field in fields(item))
    return total
