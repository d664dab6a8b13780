"""Nodes that put any number of pictures, masks or latents into one batch, where the first decides the size, or cut
batches anew."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import reduce
from itertools import groupby
from typing import Annotated

import torch

from executor.schema import InputError, Widget
from nodes.declare import Autogrow, node
from nodes.diffusion.compose import matched
from nodes.diffusion.resize import resize, resize_pictures
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
    try:
        return reduce(lambda first, second: latent_batch(samples1=first, samples2=second), latents.values())
    except InputError as error:
        raise InputError("latents", str(error)) from error


@node("RebatchLatents", category="latent/batch", display_name="Rebatch Latents")
def rebatch_latents(
    *, latents: list[Latent], batch_size: Annotated[int, Widget("number", min=1, max=4096)] = 1
) -> list[Latent]:
    """Cut a list of latent batches anew, into batches of one size.

    Only latents of one shape get into one batch; each keeps its noise.
    """
    batches: list[Latent] = []
    counted = 0
    for _, alike in groupby(latents, lambda one: one.samples.shape[1:]):
        together = list(alike)
        whole = _joined(together, counted)
        counted += len(whole.samples)
        batches += [
            _rows(whole, slice(first, first + batch_size)) for first in range(0, len(whole.samples), batch_size)
        ]
    return batches


def _joined(latents: Sequence[Latent], counted: int) -> Latent:
    """Latents of one shape as one batch; those without indices go on counting after the `counted` ones before."""
    indices: tuple[int, ...] = ()
    for one in latents:
        here = counted + len(indices)
        indices += one.batch_index or tuple(range(here, here + len(one.samples)))
    samples = torch.cat([one.samples for one in latents])
    sizes = [one.noise_mask.shape[-2:] for one in latents if one.noise_mask is not None]
    masks = torch.cat([_masks_of(one, *sizes[0]) for one in latents]) if sizes else None
    return replace(latents[0], samples=samples, noise_mask=masks, batch_index=indices)


def _masks_of(latent: Latent, rows: int, columns: int) -> Mask:
    """A noise mask for each of the samples; 1, which changes nothing, for a latent without."""
    if latent.noise_mask is None:
        return torch.ones(len(latent.samples), rows, columns)
    masks = latent.noise_mask.reshape(-1, 1, *latent.noise_mask.shape[-2:])
    return matched(resize(masks, columns, rows, "bilinear")[:, 0], len(latent.samples))


def _rows(latent: Latent, rows: slice) -> Latent:
    indices = latent.batch_index or ()
    mask = None if latent.noise_mask is None else latent.noise_mask[rows]
    return replace(latent, samples=latent.samples[rows], noise_mask=mask, batch_index=indices[rows])


def _resized(mask: Mask, columns: int, rows: int) -> Mask:
    if mask.shape[1:] == (rows, columns):
        return mask
    return resize_pictures(mask[..., None], columns, rows, "bilinear", crop=True)[..., 0]
