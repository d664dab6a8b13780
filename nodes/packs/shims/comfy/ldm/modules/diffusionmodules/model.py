"""The original autoencoder's parts by name. Ours is diffusers', so none of them can be made."""

from typing import Any

from torch import Tensor, nn

from nodes.packs.bridge.missing import refuse


def nonlinearity(x: Tensor) -> Tensor:
    """x sigmoid(x)."""
    return nn.functional.silu(x)


class _Absent(nn.Module):
    """A part that cannot be made. Raises Unsupported."""

    def __init__(self, *_: Any, **__: Any) -> None:
        raise refuse(f"Autoencoders that node packs build themselves ({type(self).__name__}) are")


class Encoder(_Absent):
    """Pictures to latents."""


class Decoder(_Absent):
    """Latents to pictures."""


class ResnetBlock(_Absent):
    """A residual block."""


class AttnBlock(_Absent):
    """A block of attention."""
