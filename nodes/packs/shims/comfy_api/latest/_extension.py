"""`ComfyExtension`: what `comfy_entrypoint` of a pack returns."""

from abc import ABC, abstractmethod
from typing import Any


class ComfyExtension(ABC):
    """A pack as the loader sees it."""

    async def on_load(self) -> None:  # noqa: B027 - packs need not have one
        """Called once, before the nodes are listed."""

    @abstractmethod
    async def get_node_list(self) -> list[type[Any]]:
        """The classes of its nodes, each derived from `io.ComfyNode`."""
