"""Weights that are not on the device in the type that computes: each layer's are brought when it computes, and dropped
right after. For networks larger than the device, and for storage in eight bits.

It decides nothing: see `Network.load`.
"""

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn


def layers_of(module: nn.Module) -> Iterator[tuple[str, nn.Module, list[str]]]:
    """(prefix of its parameters' names, layer, names of the parameters that are its own)."""
    taken: set[int] = set()
    for name, layer in module.named_modules():
        if id(layer) in taken:
            continue
        # This one reads the parameters of its last layer without ever calling that.
        undivided = isinstance(layer, nn.MultiheadAttention)
        if undivided:
            taken.update(map(id, layer.modules()))
        own = [parameter for parameter, _ in layer.named_parameters(recurse=undivided)]
        if own:
            yield f"{name}." if name else "", layer, own


def put(layer: nn.Module, name: str, value: Tensor) -> None:
    """Give a layer another value for a parameter, of its own or of one of its layers."""
    inner, _, leaf = name.rpartition(".")
    setattr(layer.get_submodule(inner), leaf, nn.Parameter(value, requires_grad=False))


def bring_when_used(
    layer: nn.Module,
    sources: Mapping[str, Tensor],
    device: torch.device,
    dtype: torch.dtype,
    scales: Mapping[str, Tensor] = MappingProxyType({}),
) -> Callable[[], None]:
    """Make `layer` take its parameters from `sources` (anywhere, in any type) while it computes, and only then.

    Those that `scales` names are multiplied by it. Returns what undoes it. In between the parameters are on the meta
    device.
    """
    empty = {name: torch.empty_like(value, device="meta", dtype=dtype) for name, value in sources.items()}

    def put_all(values: Mapping[str, Tensor]) -> None:
        for name, value in values.items():
            put(layer, name, value)

    def enter(*_: Any) -> None:
        brought = {name: value.to(device, dtype, non_blocking=True) for name, value in sources.items()}
        brought |= {name: brought[name] * scale.to(device, dtype) for name, scale in scales.items()}
        put_all(brought)

    def leave(*_: Any) -> None:
        put_all(empty)

    put_all(empty)
    # A layer that fails leaves its weights too: an out-of-memory error must not keep what caused it.
    handles = (
        layer.register_forward_pre_hook(enter),
        layer.register_forward_hook(leave, always_call=True),
    )

    def undo() -> None:
        for handle in handles:
            handle.remove()

    return undo
