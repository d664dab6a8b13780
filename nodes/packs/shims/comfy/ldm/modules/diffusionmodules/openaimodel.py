"""The original UNet's parts by name. Our UNet is diffusers', so none of them can be made."""

from typing import Any

from torch import Tensor, nn

from comfy.ldm.modules.attention import SpatialTransformer
from comfy.ldm.modules.diffusionmodules.util import timestep_embedding
from nodes.packs.bridge.missing import refuse

__all__ = [
    "Downsample", "ResBlock", "SpatialTransformer", "Timestep", "TimestepBlock", "TimestepEmbedSequential", "UNetModel",
    "Upsample", "apply_control", "forward_timestep_embed", "timestep_embedding",
]  # fmt: skip


class _Absent(nn.Module):
    """A part that cannot be made. Raises Unsupported."""

    def __init__(self, *_: Any, **__: Any) -> None:
        raise refuse(f"UNets that node packs build themselves ({type(self).__name__}) are")


class UNetModel(_Absent):
    """The whole UNet."""


class TimestepBlock(_Absent):
    """A part that is told the timestep."""


class TimestepEmbedSequential(_Absent):
    """Parts in a row."""


class ResBlock(_Absent):
    """A residual block."""


class Upsample(_Absent):
    """Twice as long sides."""


class Downsample(_Absent):
    """Half as long sides."""


class Timestep(nn.Module):
    """A timestep as waves."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, t: Tensor) -> Tensor:
        """(N,) -> (N, dim)."""
        return timestep_embedding(t, self.dim)


def forward_timestep_embed(*_: Any, **__: Any) -> Tensor:
    """A pass through parts in a row. Packs may replace it; calling it raises Unsupported."""
    raise refuse("Passes through single parts of a UNet are")


def apply_control(h: Tensor, control: Any, name: str) -> Tensor:
    """What a block gave, with what a ControlNet adds to it."""
    if control is not None and control.get(name):
        added = control[name].pop()
        if added is not None:
            h = h + added
    return h
