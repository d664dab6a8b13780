"""Nodes that make and change masks, and `composite`, which pastes."""

from typing import Any

from torch import Tensor

from comfy_extras.built_in import node_class
from nodes.diffusion import compose, resize


def composite(
    destination: Tensor,
    source: Tensor,
    x: int,
    y: int,
    mask: Tensor | None = None,
    multiplier: int = 8,
    resize_source: bool = False,
) -> Tensor:
    """(N, C, H, W) `destination` with `source` over it at (x, y) pixels, `multiplier` of them to a cell, where `mask`
    says. What lies outside, on any side, is cut off."""
    height, width = destination.shape[-2:]
    if resize_source:
        source = resize.resize(source, width, height, "bilinear")
    left = min(max(x // multiplier, -source.shape[-1]), width)
    top = min(max(y // multiplier, -source.shape[-2]), height)
    if mask is not None:
        mask = mask.reshape(-1, 1, *mask.shape[-2:]).float()
        mask = resize.resize(mask, source.shape[-1], source.shape[-2], "bilinear")
        mask = mask[..., max(0, -top) :, max(0, -left) :][:, 0]
    source = source[..., max(0, -top) :, max(0, -left) :]
    if 0 in source.shape:
        return destination.clone()
    return compose.paste(destination, source.to(destination), max(0, left), max(0, top), mask)


def __getattr__(name: str) -> Any:
    """The nodes themselves."""
    return node_class(__name__, name)
