"""Whether what a pack's node gave can be what the output declares, so that the node itself is blamed and not the next.

It refuses only what no reader of the type could use. Packs pass None where they have nothing, lists among their own
nodes, and numbers of any library; all of that runs.
"""

from collections.abc import Callable, Mapping
from typing import Any

import torch


def misfit(value: Any, wire_type: str) -> str | None:
    """What the value is, in words, if it cannot be of this wire type."""
    refuses = _REFUSES.get(wire_type)
    return _described(value) if value is not None and refuses is not None and refuses(value) else None


def _no_number(value: Any) -> bool:
    return isinstance(value, str | bytes)


def _no_picture(least: int) -> Callable[[Any], bool]:
    def refuses(value: Any) -> bool:
        if isinstance(value, torch.Tensor):
            return value.dim() < least
        return isinstance(value, str | bytes | bool | int | float | Mapping)

    return refuses


def _plain(value: Any) -> bool:
    return isinstance(value, str | bytes | torch.Tensor)


_REFUSES: Mapping[str, Callable[[Any], bool]] = {
    "INT": _no_number,
    "FLOAT": _no_number,
    "STRING": lambda value: isinstance(value, torch.Tensor | bytes),
    "IMAGE": _no_picture(3),
    "MASK": _no_picture(2),
    "LATENT": _plain,
    "CONDITIONING": _plain,
    "MODEL": _plain,
    "CLIP": _plain,
    "VAE": _plain,
}


def _described(value: Any) -> str:
    if isinstance(value, torch.Tensor):
        return f"a tensor of shape {' x '.join(map(str, value.shape)) or '()'}"
    return f"a {type(value).__name__}"
