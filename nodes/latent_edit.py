"""Nodes that cut, turn, mix and batch latents."""

from dataclasses import replace
from typing import Annotated, Literal

import torch
from torch import Tensor

from executor.schema import InputError, Widget
from nodes.declare import node
from nodes.diffusion import resize
from nodes.diffusion.compose import feathered, matched, paste
from nodes.types import Latent, Mask

CELL = 8
"""Pixels along the side of a latent cell."""

SMALLEST = 8
"""Cells that a crop leaves at least."""

Side = Annotated[int, Widget("number", min=64, max=16384, step=8)]
Offset = Annotated[int, Widget("number", min=0, max=16384, step=8)]
Share = Annotated[float, Widget("number", min=0.0, max=1.0, step=0.01)]
Count = Annotated[int, Widget("number", min=1, max=64)]


@node("LatentFromBatch", category="latent/batch", display_name="Latent From Batch")
def latent_from_batch(
    *, samples: Latent, batch_index: Annotated[int, Widget("number", min=0, max=63)] = 0, length: Count = 1
) -> Latent:
    """Take some latents out of a batch. Each keeps the noise that it would have had in the batch."""
    count = len(samples.samples)
    first = min(batch_index, count - 1)
    taken = slice(first, min(count, first + length))
    mask = samples.noise_mask
    if mask is not None and len(mask) > 1:
        mask = matched(mask, count)[taken]
    return replace(samples, samples=samples.samples[taken], noise_mask=mask, batch_index=_indices(samples)[taken])


@node("RepeatLatentBatch", category="latent/batch", display_name="Repeat Latent Batch")
def repeat_latent_batch(*, samples: Latent, amount: Count = 1) -> Latent:
    """Repeat a batch of latents. Each repetition gets noise of its own."""
    mask, indices = samples.noise_mask, samples.batch_index
    if mask is not None and len(mask) > 1:
        mask = matched(mask, len(samples.samples)).repeat(amount, 1, 1)
    if indices is not None:
        span = max(indices) - min(indices) + 1
        indices = tuple(index + turn * span for turn in range(amount) for index in indices)
    return replace(samples, samples=samples.samples.repeat(amount, 1, 1, 1), noise_mask=mask, batch_index=indices)


@node("LatentBatch", category="latent/batch", deprecated=True)
def latent_batch(*, samples1: Latent, samples2: Latent) -> Latent:
    """Put two batches of latents together; the second is resized to the first."""
    both = torch.cat([samples1.samples, _sized(samples1.samples, samples2.samples)])
    return replace(samples1, samples=both, batch_index=_indices(samples1) + _indices(samples2))


@node("LatentFlip", category="latent/transform", display_name="Flip Latent")
def latent_flip(*, samples: Latent, flip_method: Literal["x-axis: vertically", "y-axis: horizontally"]) -> Latent:
    """Mirror a latent upside down or left to right."""
    return replace(samples, samples=samples.samples.flip(-2 if flip_method.startswith("x") else -1))


@node("LatentRotate", category="latent/transform", display_name="Rotate Latent")
def latent_rotate(*, samples: Latent, rotation: Literal["none", "90 degrees", "180 degrees", "270 degrees"]) -> Latent:
    """Turn a latent clockwise."""
    quarters = {"none": 0, "90 degrees": 1, "180 degrees": 2, "270 degrees": 3}[rotation]
    return replace(samples, samples=torch.rot90(samples.samples, quarters, dims=(3, 2)))


@node("LatentCrop", category="latent/transform", display_name="Crop Latent")
def latent_crop(*, samples: Latent, width: Side = 512, height: Side = 512, x: Offset = 0, y: Offset = 0) -> Latent:
    """Cut a rectangle, given in pixels, out of a latent."""
    rows, columns = samples.samples.shape[-2:]
    left, top = max(0, min(x // CELL, columns - SMALLEST)), max(0, min(y // CELL, rows - SMALLEST))
    cut = samples.samples[..., top : top + height // CELL, left : left + width // CELL]
    return replace(samples, samples=cut)


@node("LatentComposite", category="latent", display_name="Latent Composite")
def latent_composite(
    *, samples_to: Latent, samples_from: Latent, x: Offset = 0, y: Offset = 0, feather: Offset = 0
) -> Latent:
    """Paste a latent over another, with a soft edge of `feather` pixels where it does not touch the border."""
    _require_one_kind(samples_to.samples, samples_from.samples, "samples_from")
    rows, columns = samples_to.samples.shape[-2:]
    left, top, soft = x // CELL, y // CELL, feather // CELL
    source = samples_from.samples[..., : max(0, rows - top), : max(0, columns - left)]
    height, width = source.shape[-2:]
    down = feathered(height, soft * (top > 0), soft * (top + height < rows))
    across = feathered(width, soft * (left > 0), soft * (left + width < columns))
    mask = (down[:, None] * across[None, :])[None] if soft else None
    return replace(samples_to, samples=paste(samples_to.samples, source, left, top, mask))


@node("LatentCompositeMasked", category="latent")
def latent_composite_masked(
    *,
    destination: Latent,
    source: Latent,
    x: Offset = 0,
    y: Offset = 0,
    resize_source: bool = False,
    mask: Mask | None = None,
) -> Latent:
    """Paste a latent over another where the mask says."""
    _require_one_kind(destination.samples, source.samples, "source")
    over, (rows, columns) = source.samples, destination.samples.shape[-2:]
    if resize_source:
        over = resize.resize(over, columns, rows, "bilinear")
    return replace(destination, samples=paste(destination.samples, over, x // CELL, y // CELL, mask))


@node("LatentBlend", category="_for_testing", display_name="Latent Blend")
def latent_blend(*, samples1: Latent, samples2: Latent, blend_factor: Share = 0.5) -> Latent:
    """Mix two latents: 1 is the first, 0 the second."""
    other = _sized(samples1.samples, samples2.samples, "bicubic")
    return replace(samples1, samples=blend_factor * samples1.samples + (1 - blend_factor) * other)


@node("LatentAdd", category="latent/advanced")
def latent_add(*, samples1: Latent, samples2: Latent) -> Latent:
    """Add two latents."""
    return replace(samples1, samples=samples1.samples + _alike(samples1.samples, samples2.samples))


@node("LatentSubtract", category="latent/advanced")
def latent_subtract(*, samples1: Latent, samples2: Latent) -> Latent:
    """Subtract the second latent from the first."""
    return replace(samples1, samples=samples1.samples - _alike(samples1.samples, samples2.samples))


@node("LatentMultiply", category="latent/advanced")
def latent_multiply(
    *, samples: Latent, multiplier: Annotated[float, Widget("number", min=-10.0, max=10.0, step=0.01)] = 1.0
) -> Latent:
    """Multiply a latent by a number."""
    return replace(samples, samples=samples.samples * multiplier)


@node("LatentInterpolate", category="latent/advanced")
def latent_interpolate(
    *,
    samples1: Latent,
    samples2: Latent,
    ratio: Annotated[float, Widget("number", min=0.0, max=1.0, step=0.01)] = 1.0,
) -> Latent:
    """Mix two latents, directions and lengths of their vectors apart: 1 is the first, 0 the second."""
    first, second = samples1.samples, _alike(samples1.samples, samples2.samples)
    lengths = [one.norm(dim=1, keepdim=True) for one in (first, second)]
    directions = [(one / length).nan_to_num() for one, length in zip((first, second), lengths, strict=True)]
    mixed = ratio * directions[0] + (1 - ratio) * directions[1]
    mixed = (mixed / mixed.norm(dim=1, keepdim=True)).nan_to_num()
    return replace(samples1, samples=mixed * (ratio * lengths[0] + (1 - ratio) * lengths[1]))


def _indices(latent: Latent) -> tuple[int, ...]:
    return tuple(range(len(latent.samples))) if latent.batch_index is None else latent.batch_index


def _require_one_kind(first: Tensor, second: Tensor, input_name: str) -> None:
    """Raise InputError for latents of different numbers of channels."""
    if first.shape[1] != second.shape[1]:
        raise InputError(
            input_name,
            f"One latent has {first.shape[1]} channels and the other one {second.shape[1]}, so they are of different "
            "model families. Connect latents of one family.",
        )


def _sized(wanted: Tensor, samples: Tensor, method: str = "bilinear") -> Tensor:
    """`samples` (of the input `samples2`) in the size of `wanted`, cut evenly where the proportions differ."""
    _require_one_kind(wanted, samples, "samples2")
    rows, columns = wanted.shape[-2:]
    if samples.shape[-2:] == wanted.shape[-2:]:
        return samples
    return resize.resize(resize.centred(samples, columns, rows), columns, rows, method)


def _alike(wanted: Tensor, samples: Tensor) -> Tensor:
    """`samples` in the size and number of `wanted`."""
    return matched(_sized(wanted, samples), len(wanted))
