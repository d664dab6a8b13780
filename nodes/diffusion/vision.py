"""Pictures as CLIP vision models see them, and what these say of them. Moves no network."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from nodes.diffusion.values import ClipVision, VisionOutput

MEAN = (0.48145466, 0.4578275, 0.40821073)
SPREAD = (0.26862954, 0.26130258, 0.27577711)
"""Of the colours of the pictures that CLIP was trained with (Radford et al. 2021)."""


def prepared(
    pictures: Tensor, size: int, *, crop: bool = True, mean: Sequence[float] = MEAN, spread: Sequence[float] = SPREAD
) -> Tensor:
    """(N, H, W, 3 or more) pictures in 0 to 1 as (N, 3, size, size), whitened, in steps of 1/255.

    `crop`: the shorter side is fitted and the middle is taken; otherwise the proportions change.
    """
    planes = pictures[..., :3].movedim(-1, 1)
    if planes.shape[-2:] != (size, size):
        sides = (size, size)
        if crop:
            scale = size / min(planes.shape[-2:])
            sides = (round(scale * planes.shape[-2]), round(scale * planes.shape[-1]))
        planes = torch.nn.functional.interpolate(planes, size=sides, mode="bicubic", antialias=True)
        top, left = (sides[0] - size) // 2, (sides[1] - size) // 2
        planes = planes[..., top : top + size, left : left + size]
    planes = (255.0 * planes).clamp(0, 255).round() / 255.0
    middle, deviation = (torch.tensor(tuple(one)).to(planes).view(3, 1, 1) for one in (mean, spread))
    return (planes - middle) / deviation


@torch.no_grad()
def look(vision: ClipVision, pictures: Tensor, *, crop: bool = True) -> VisionOutput:
    """What a vision model, which must be resident, says of (N, H, W, 3) pictures in 0 to 1."""
    return _said(vision, prepared(pictures, vision.size, crop=crop))


@torch.no_grad()
def look_at_nothing(vision: ClipVision, *, blind: bool) -> VisionOutput:
    """What stands for no picture: what a resident model says of the mean colour; zeros in the projection if `blind`."""
    said = _said(vision, torch.zeros(1, 3, vision.size, vision.size))
    return replace(said, image_embeds=torch.zeros_like(said.image_embeds)) if blind else said


def _said(vision: ClipVision, pixels: Tensor) -> VisionOutput:
    network = vision.network
    pixels = pixels.to(network.device, network.dtype)
    said = network.module(pixel_values=pixels, output_hidden_states=True)
    return VisionOutput(
        *(one.float().cpu() for one in (said.image_embeds, said.last_hidden_state, said.hidden_states[-2]))
    )
