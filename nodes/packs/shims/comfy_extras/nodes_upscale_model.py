"""Nodes that enlarge pictures by networks. None can be loaded yet."""

from typing import Any

from comfy_extras.built_in import node_class
from nodes.packs.bridge.missing import refuse


class ImageUpscaleWithModel:
    """Enlarges pictures. Raises Unsupported when it runs."""

    def upscale(self, upscale_model: Any, image: Any) -> Any:
        """Raises Unsupported."""
        raise refuse("Upscaling models are")

    @classmethod
    def execute(cls, upscale_model: Any, image: Any) -> Any:
        """Raises Unsupported."""
        raise refuse("Upscaling models are")


class UpscaleModelLoader:
    """Opens networks that enlarge. Raises Unsupported when it runs."""

    def load_model(self, model_name: str) -> Any:
        """Raises Unsupported."""
        raise refuse("Upscaling models are")

    @classmethod
    def execute(cls, model_name: str) -> Any:
        """Raises Unsupported."""
        raise refuse("Upscaling models are")


def __getattr__(name: str) -> Any:
    """Further nodes, once there are some."""
    return node_class(__name__, name)
