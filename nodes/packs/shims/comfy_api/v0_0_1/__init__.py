"""Version 0.0.1 of the interface: the same surface as `latest` here, under a name that packs may rely on."""

from typing import ClassVar

from comfy_api import latest
from comfy_api.latest import IO, UI, ComfyExtension, Input, InputImpl, Types, io, ui


class ComfyAPI(latest.ComfyAPI):
    """For coroutines."""

    VERSION: ClassVar[str] = "0.0.1"
    STABLE: ClassVar[bool] = False


class ComfyAPISync(latest.ComfyAPISync):
    """For ordinary functions."""

    VERSION: ClassVar[str] = "0.0.1"
    STABLE: ClassVar[bool] = False


ComfyAPIAdapter_v0_0_1 = ComfyAPI

__all__ = [
    "IO",
    "UI",
    "ComfyAPI",
    "ComfyAPIAdapter_v0_0_1",
    "ComfyAPISync",
    "ComfyExtension",
    "Input",
    "InputImpl",
    "Types",
    "io",
    "ui",
]
