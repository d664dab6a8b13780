"""`comfy.comfy_types`: names for annotating V1 nodes."""

from collections.abc import Callable
from typing import Any, Protocol, TypedDict

from torch import Tensor

from comfy.comfy_types.node_typing import (
    IO,
    CheckLazyMixin,
    ComfyNodeABC,
    FileLocator,
    InputTypeDict,
    InputTypeOptions,
)

__all__ = [
    "IO",
    "CheckLazyMixin",
    "ComfyNodeABC",
    "FileLocator",
    "InputTypeDict",
    "InputTypeOptions",
    "UnetApplyConds",
    "UnetApplyFunction",
    "UnetParams",
    "UnetWrapperFunction",
]


class UnetApplyFunction(Protocol):
    """What a wrapper around the denoising network calls."""

    def __call__(self, x: Tensor, t: Tensor, **kwargs: Any) -> Tensor:
        """The network's prediction."""
        ...


class UnetApplyConds(TypedDict, total=False):
    """The conditioning in such a call."""

    c_concat: Tensor | None
    c_crossattn: Tensor | None
    control: Tensor | None
    transformer_options: dict[str, Any] | None


class UnetParams(TypedDict):
    """What such a wrapper is given."""

    input: Tensor
    timestep: Tensor
    c: UnetApplyConds
    cond_or_uncond: list[int]


UnetWrapperFunction = Callable[[UnetApplyFunction, UnetParams], Tensor]
