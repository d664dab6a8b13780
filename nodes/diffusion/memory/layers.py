"""Weights that are not on the device in the type that computes: each layer's are brought when it computes, and dropped
right after. For networks larger than the device, and for storage in eight bits.

It decides nothing: see `Network.load`.
"""

import copy
from collections.abc import Callable, Iterator, Mapping
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


def empty(weight: Tensor) -> nn.Parameter:
    """A parameter of the shape of `weight` that has no values."""
    return nn.Parameter(torch.empty_like(weight, device="meta"), requires_grad=False)


def form_of(module: nn.Module) -> nn.Module:
    """A module of the same structure that shares no layer with it, and has no values."""
    # What is given to deepcopy as copied already stays shared: values, which are replaced below, and configurations.
    shared: dict[int, Any] = {id(value): value for value in (*module.parameters(), *module.buffers())}
    config = getattr(module, "config", None)
    shared[id(config)] = config
    form = copy.deepcopy(module, shared)
    for layer in form.modules():
        _let_go(layer)
    for _, layer, own in layers_of(form):
        for name in own:
            put(layer, name, empty(layer.get_parameter(name)))
    return form


def _let_go(layer: nn.Module) -> None:
    """Remove the hooks of `bring_when_used` that were copied; those of others belong to the structure."""
    for hooks in (layer._forward_pre_hooks, layer._forward_hooks):
        for key in [key for key, hook in hooks.items() if getattr(hook, "__module__", None) == __name__]:
            del hooks[key]
            layer._forward_hooks_always_called.pop(key, None)


def put(layer: nn.Module, name: str, value: nn.Parameter) -> None:
    """Give a layer another parameter, of its own or of one of its layers."""
    inner, _, leaf = name.rpartition(".")
    setattr(layer.get_submodule(inner), leaf, value)


def bring_when_used(
    layer: nn.Module, values: Mapping[str, Callable[[], Tensor]], shapes: Mapping[str, nn.Parameter]
) -> Callable[[], None]:
    """Make `layer` ask for its parameters' `values` when it computes, and drop them right after.

    In between it has `shapes`, which are on the meta device. Returns what undoes it.
    """

    def put_all(parameters: Mapping[str, nn.Parameter]) -> None:
        for name, value in parameters.items():
            put(layer, name, value)

    def enter(*_: Any) -> None:
        put_all({name: nn.Parameter(value(), requires_grad=False) for name, value in values.items()})

    def leave(*_: Any) -> None:
        put_all(shapes)

    put_all(shapes)
    # A layer that fails leaves its weights too: an out-of-memory error must not keep what caused it.
    handles = (
        layer.register_forward_pre_hook(enter),
        layer.register_forward_hook(leave, always_call=True),
    )

    def undo() -> None:
        for handle in handles:
            handle.remove()

    return undo
