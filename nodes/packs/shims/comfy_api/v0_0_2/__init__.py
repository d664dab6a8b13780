"""Version 0.0.2 of the interface: the same surface as `latest` here, under a name that packs may rely on."""

from typing import ClassVar

from comfy_api import latest
from comfy_api.latest import IO, UI, ComfyExtension, Input, InputImpl, Types, io, ui


class ComfyAPI(latest.ComfyAPI):
    """For coroutines."""

    VERSION: ClassVar[str] = "0.0.2"
    STABLE: ClassVar[bool] = False


class ComfyAPISync(latest.ComfyAPISync):
    """For ordinary functions."""

    VERSION: ClassVar[str] = "0.0.2"
    STABLE: ClassVar[bool] = False


ComfyAPIAdapter_v0_0_2 = ComfyAPI

__all__ = [
    "IO",
    "UI",
    "ComfyAPI",
    "ComfyAPIAdapter_v0_0_2",
    "ComfyAPISync",
    "ComfyExtension",
    "Input",
    "InputImpl",
    "Types",
    "io",
    "ui",
]
