"""Nodes that put any number of pictures, masks or latents into one batch; the first decides the size."""

from collections.abc import Mapping
from functools import reduce
from typing import Annotated

import torch

from nodes.declare import Autogrow, node
from nodes.diffusion.resize import resize_pictures
from nodes.image_edit import image_batch
from nodes.latent_edit import latent_batch
from nodes.types import Image, Latent, Mask


@node("BatchImagesNode", category="image", display_name="Batch Images")
def batch_images(*, images: Annotated[Mapping[str, Image], Autogrow("image", min=2, max=50)]) -> Image:
    """Put batches of pictures together; all are resized to the first, cut evenly."""
    return reduce(lambda first, second: image_batch(image1=first, image2=second), images.values())


@node("BatchMasksNode", category="mask", display_name="Batch Masks")
def batch_masks(*, masks: Annotated[Mapping[str, Mask], Autogrow("mask", min=2, max=50)]) -> Mask:
    """Put batches of masks together; all are resized to the first, cut evenly."""
    first, *others = (mask.reshape(-1, *mask.shape[-2:]) for mask in masks.values())
    rows, columns = first.shape[1:]
    return torch.cat([first, *(_resized(mask, columns, rows) for mask in others)])


@node("BatchLatentsNode", category="latent", display_name="Batch Latents")
def batch_latents(*, latents: Annotated[Mapping[str, Latent], Autogrow("latent", min=2, max=50)]) -> Latent:
    """Put batches of latents together; all are resized to the first."""
    return reduce(lambda first, second: latent_batch(samples1=first, samples2=second), latents.values())


def _resized(mask: Mask, columns: int, rows: int) -> Mask:
    if mask.shape[1:] == (rows, columns):
        return mask
    return resize_pictures(mask[..., None], columns, rows, "bilinear", crop=True)[..., 0]
