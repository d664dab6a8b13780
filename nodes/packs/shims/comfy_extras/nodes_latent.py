"""Nodes that change latents."""

from typing import Any

from comfy_extras.built_in import node_class
from nodes.diffusion import resize


def reshape_latent_to(target_shape: Any, latent: Any, repeat_batch: bool = True) -> Any:
    """A latent (N, channels, h, w) resized to a shape, and repeated to its batch."""
    import comfy.utils

    if latent.shape[1:] != target_shape[1:]:
        latent = resize.resize(latent, target_shape[-1], target_shape[-2], "bilinear")
    return comfy.utils.repeat_to_batch_size(latent, target_shape[0]) if repeat_batch else latent


def __getattr__(name: str) -> Any:
    """The nodes themselves."""
    return node_class(__name__, name)
