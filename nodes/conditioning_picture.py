"""Nodes for models that see a picture beside the latent: inpainting and editing by instruction."""

from dataclasses import replace
from typing import NamedTuple

import torch

from executor.schema import Injected
from nodes.coding import encoded
from nodes.declare import node
from nodes.diffusion import autoencoder, resize
from nodes.diffusion.memory.device import DeviceMemory
from nodes.diffusion.values import Latent as LatentValue
from nodes.types import Conditioning, Image, Latent, Mask, Vae


class Prepared(NamedTuple):
    """Both conditionings with the picture, and the latent to sample."""

    positive: Conditioning
    negative: Conditioning
    latent: Latent


@node("InpaintModelConditioning", category="conditioning/inpaint", lane="device")
def inpaint_model_conditioning(
    *,
    positive: Conditioning,
    negative: Conditioning,
    vae: Vae,
    pixels: Image,
    mask: Mask,
    noise_mask: bool = True,
    memory: Injected[DeviceMemory],
) -> Prepared:
    """Show an inpainting model the picture, with grey where the mask is 1, and the mask.

    With `noise_mask` sampling changes nothing outside the mask; without it the model may adapt its surroundings too.
    """
    masks = mask.reshape(-1, 1, *mask.shape[-2:])
    masks = resize.resize(masks, pixels.shape[2], pixels.shape[1], "bilinear").movedim(1, -1)
    seen = (pixels[..., :3] - 0.5) * (1 - masks.round()) + 0.5
    picture, samples = encoded(vae, seen, memory), encoded(vae, pixels, memory)
    masks = autoencoder.cropped(masks, vae.factor)[..., 0]
    positive, negative = (
        tuple(replace(one, picture=picture, picture_mask=masks) for one in group) for group in (positive, negative)
    )
    return Prepared(positive, negative, LatentValue(samples, masks if noise_mask else None, space=vae.space))


@node("InstructPixToPixConditioning", category="conditioning/instructpix2pix", lane="device")
def instruct_pix_to_pix_conditioning(
    *,
    positive: Conditioning,
    negative: Conditioning,
    vae: Vae,
    pixels: Image,
    memory: Injected[DeviceMemory],
) -> Prepared:
    """Show an editing model (InstructPix2Pix) the picture that the text says how to change."""
    picture = encoded(vae, pixels, memory)
    positive, negative = (tuple(replace(one, picture=picture) for one in group) for group in (positive, negative))
    return Prepared(positive, negative, LatentValue(torch.zeros_like(picture), space=vae.space))
