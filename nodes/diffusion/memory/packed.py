"""A weight in blocks of a few bits for each number, as GGUF files have it: stays so until somebody computes with it.

It opens no file. It behaves as a tensor of the weight's own shape; asked for any type of floating point numbers it
unpacks itself, on the device that they are wanted on.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

PACKED = torch.uint8
"""What it says its type is. Asked for that type it stays packed."""

Unpack = Callable[[Tensor], Tensor]
"""(bytes,) uint8 -> (numbers,) of floating point."""

_ATEN = torch.ops.aten
_SAME = frozenset({_ATEN.detach.default, _ATEN.alias.default})
_SHAPED = frozenset({_ATEN.view.default, _ATEN._unsafe_view.default})


class Packed(Tensor):
    """Invariant: `codes` are never written to. What is computed from it is plain tensors of float32."""

    codes: Tensor
    """(bytes,) uint8, memory-mapped while it is on the CPU"""
    unpack: Unpack

    @staticmethod
    def __new__(cls: type["Packed"], codes: Tensor, unpack: Unpack, shape: Sequence[int]) -> "Packed":
        """A tensor of `shape`, whose numbers stand in `codes` row by row."""
        made: Packed = Tensor._make_wrapper_subclass(
            cls, tuple(shape), dtype=PACKED, device=codes.device, requires_grad=False
        )
        made.codes, made.unpack = codes, unpack
        return made

    @property
    def nbytes(self) -> int:  # type: ignore[override]
        """Of the codes."""
        return self.codes.numel()

    def __repr__(self, *, tensor_contents: Any = None) -> str:  # type: ignore[override]
        del tensor_contents
        return f"Packed({list(self.shape)}, {self.nbytes} bytes on {self.device})"

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]
        cls, func: Any, types: Sequence[type], args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        del types
        named = dict(kwargs or {})
        if func in _SAME:
            return _like(args[0], args[0].codes)
        if func in _SHAPED:
            shape = torch.empty(args[0].shape, device="meta").view(args[1]).shape
            return Packed(args[0].codes, args[0].unpack, shape)
        if func is _ATEN._to_copy.default:
            wanted = named.get("dtype") or PACKED
            codes = args[0].codes.to(named.get("device"), non_blocking=named.get("non_blocking", False))
            brought = _like(args[0], codes)
            order = named.get("memory_format") or torch.preserve_format
            return brought if wanted == PACKED else _numbers(brought).to(wanted, memory_format=order)
        if func is _ATEN.empty_like.default:
            return func(torch.empty(args[0].shape, dtype=PACKED, device="meta"), **{"device": args[0].device, **named})
        return func(*(_plain(one) for one in args), **{name: _plain(one) for name, one in named.items()})


def _numbers(packed: Packed) -> Tensor:
    return packed.unpack(packed.codes).reshape(packed.shape)


def _plain(value: Any) -> Any:
    if isinstance(value, Packed):
        return _numbers(value).float()
    return [_plain(one) for one in value] if isinstance(value, list | tuple) else value


def _like(packed: Packed, codes: Tensor) -> Packed:
    return Packed(codes, packed.unpack, packed.shape)
