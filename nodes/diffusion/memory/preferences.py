"""What whoever starts a worker wants of devices and types, and what they become where nothing was wanted.

It moves nothing and knows no network.
"""

from dataclasses import dataclass, replace
from typing import Literal

import torch

from nodes.diffusion.memory.network import Role

Residency = Literal["auto", "high", "normal", "low", "none"]
Type = Literal["float32", "float16", "bfloat16", "float8_e4m3fn", "float8_e5m2"]

_TYPES: dict[Type, torch.dtype] = {
    "float32": torch.float32,
    "float16": torch.float16,
    "bfloat16": torch.bfloat16,
    "float8_e4m3fn": torch.float8_e4m3fn,
    "float8_e5m2": torch.float8_e5m2,
}
_STORED_ONLY = frozenset({torch.float8_e4m3fn, torch.float8_e5m2})


@dataclass(frozen=True, slots=True)
class Preferences:
    """Plain data; types by name, None where the device decides."""

    cpu: bool = False
    """Compute on the CPU even if there is an accelerator."""
    device: int | None = None
    """The accelerator to compute on, of those that torch sees; None is the first."""
    residency: Residency = "auto"
    """high: networks stay on the device until memory runs out; normal: they are never loaded piece by piece; low: at
    most half of a denoising network stays there; none: nothing stays, every layer is loaded when it computes; auto:
    whole if it fits, and as much as fits otherwise."""
    unload_after_use: bool = False
    unet: Type | None = None
    vae: Type | None = None
    text: Type | None = None
    cpu_vae: bool = False
    """The autoencoder computes on the CPU."""
    reserve: int | None = None
    """Bytes of the device's memory to leave to others."""
    deterministic: bool = False
    """Use only kernels that give the same result every time, even if they are slower."""
    cpu_noise: bool = False
    """Samplers draw all their noise on the CPU."""
    channels_last: bool = False
    """Convolutions compute on (N, h, w, channels)."""

    def stored(self, role: Role) -> torch.dtype | None:
        """What the weights are kept in between uses, where that is not what they compute in."""
        wanted = self._wanted(role)
        return wanted if wanted in _STORED_ONLY else None

    def computed(self, role: Role, device: torch.device) -> torch.dtype:
        """What a network computes in; types of eight bits are for storage only."""
        wanted = self._wanted(role)
        if wanted is not None and wanted not in _STORED_ONLY:
            return wanted
        if device.type == "cpu" or role == "vae":
            # Half is slow or absent on CPUs, and a decoder loses visible precision in it.
            return torch.float32
        return torch.float16

    def _wanted(self, role: Role) -> torch.dtype | None:
        named: Type | None = {"unet": self.unet, "vae": self.vae, "text": self.text}[role]
        return None if named is None else _TYPES[named]


def settled(preferences: Preferences, device: torch.device) -> Preferences:
    """The preferences with a type for every network: bfloat16 on a CPU that multiplies in it, where nothing else is
    wanted, with channels last, which its convolutions want. Storage in eight bits is left as it is; it computes in the
    type that the device would have chosen."""
    if device.type != "cpu" or not multiplies_bfloat16():
        return preferences
    if {preferences.unet, preferences.vae} & {None, "bfloat16"}:
        preferences = replace(preferences, channels_last=True)
    return replace(
        preferences,
        unet=preferences.unet or "bfloat16",
        text=preferences.text or "bfloat16",
        vae=preferences.vae or "bfloat16",
    )


def multiplies_bfloat16() -> bool:
    """Whether this CPU has instructions for it; emulation would be slower than float32."""
    return any(
        bool(getattr(torch.cpu, name, bool)()) for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    )
