"""Nodes that cut latents up and join them, and operations on latents that a model can apply at every step."""

from dataclasses import replace
from typing import Annotated, Literal

import torch

from executor.schema import InputError, Widget
from nodes.declare import node
from nodes.diffusion import latent_operations as operations
from nodes.diffusion.compose import matched
from nodes.diffusion.sampling.regions import fit_mask
from nodes.diffusion.sampling.steering import Guided
from nodes.diffusion.values import Latent as LatentValue
from nodes.marks import Socket
from nodes.types import Latent, Model

OPERATIONS = "latent/advanced/operations"
LatentOperation = Annotated[operations.LatentOperation, Socket("LATENT_OPERATION")]
Amount = Annotated[int, Widget("number", min=1, max=16384, step=1)]


@node("LatentConcat", category="latent/advanced")
def latent_concat(*, samples1: Latent, samples2: Latent, dim: Literal["x", "-x", "y", "-y", "t", "-t"]) -> Latent:
    """Join two latents side by side (x) or one above the other (y); with a minus the second one comes first."""
    axis = _axis(dim.removeprefix("-"))
    one, two = samples1.samples, matched(samples2.samples, len(samples1.samples))
    across = -3 - axis
    if one.shape[1] != two.shape[1] or one.shape[across] != two.shape[across]:
        raise InputError(
            "samples2",
            f"The latents are {_size(one)} and {_size(two)}, which do not fit together along {dim}. Resize or crop one "
            "of them.",
        )
    both = (two, one) if dim.startswith("-") else (one, two)
    return replace(samples1, samples=torch.cat(both, dim=axis), noise_mask=None)


@node("LatentCut", category="latent/advanced")
def latent_cut(
    *,
    samples: Latent,
    dim: Literal["x", "y", "t"],
    index: Annotated[int, Widget("number", min=-16384, max=16384, step=1)] = 0,
    amount: Amount = 1,
) -> Latent:
    """Keep some columns (x) or rows (y) of a latent's cells; a negative index counts from the end."""
    axis = _axis(dim)
    whole = samples.samples
    length = whole.shape[axis]
    first = max(-length, index) % length if index < 0 else min(index, length - 1)
    count = min(amount, length - first)
    mask = samples.noise_mask
    if mask is not None:
        mask = fit_mask(mask, whole).narrow(axis, first, count)[:, 0]
    return replace(samples, samples=whole.narrow(axis, first, count), noise_mask=mask)


@node("LatentCutToBatch", category="latent/advanced")
def latent_cut_to_batch(*, samples: Latent, dim: Literal["t", "x", "y"], slice_size: Amount = 1) -> Latent:
    """Cut a latent into slices of so many columns (x) or rows (y), which become a batch; a rest is left out."""
    axis = _axis(dim)
    size = min(slice_size, samples.samples.shape[axis])
    slices = [part for one in samples.samples for part in one[None].split(size, dim=axis) if part.shape[axis] == size]
    return LatentValue(torch.cat(slices), attached=samples.attached)


@node("LatentBatchSeedBehavior", category="latent/advanced")
def latent_batch_seed_behavior(*, samples: Latent, seed_behavior: Literal["random", "fixed"] = "fixed") -> Latent:
    """Give every latent of a batch noise of its own, or all of them that of the first."""
    if seed_behavior == "random":
        return replace(samples, batch_index=None)
    first = samples.batch_index[0] if samples.batch_index else 0
    return replace(samples, batch_index=(first,) * len(samples.samples))


@node("LatentOperationTonemapReinhard", category=OPERATIONS, experimental=True)
def latent_operation_tonemap_reinhard(
    *, multiplier: Annotated[float, Widget("number", min=0.0, max=100.0, step=0.01)] = 1.0
) -> LatentOperation:
    """Compress what stands out of a latent, for very high cfg."""
    if multiplier == 0:
        raise InputError("multiplier", "multiplier is 0, which leaves nothing of a latent. Choose a larger one.")
    return operations.tone_mapped(multiplier)


@node("LatentOperationSharpen", category=OPERATIONS, experimental=True)
def latent_operation_sharpen(
    *,
    sharpen_radius: Annotated[int, Widget("number", min=1, max=31, step=1)] = 9,
    sigma: Annotated[float, Widget("number", min=0.1, max=10.0, step=0.1)] = 1.0,
    alpha: Annotated[float, Widget("number", min=0.0, max=5.0, step=0.01)] = 0.1,
) -> LatentOperation:
    """Sharpen a latent."""
    return operations.sharpened(sharpen_radius, sigma, alpha)


@node("LatentApplyOperation", category=OPERATIONS, experimental=True)
def latent_apply_operation(*, samples: Latent, operation: LatentOperation) -> Latent:
    """Change a latent by an operation."""
    return replace(samples, samples=operation(samples.samples))


@node("LatentApplyOperationCFG", category=OPERATIONS, experimental=True)
def latent_apply_operation_cfg(*, model: Model, operation: LatentOperation) -> Model:
    """Change what guidance adds by an operation, at every step."""

    def prepare(step: Guided) -> tuple[torch.Tensor, torch.Tensor]:
        if step.cfg == 1:
            return operation(step.positive), step.negative
        return step.negative + operation(step.positive - step.negative), step.negative

    return replace(model, steering=replace(model.steering, before=(*model.steering.before, prepare)))


def _axis(dim: str) -> int:
    if dim == "t":
        raise InputError("dim", "t is time, and these latents are pictures. Choose x or y.")
    return -1 if dim == "x" else -2


def _size(samples: torch.Tensor) -> str:
    return f"{samples.shape[-1]} x {samples.shape[-2]} cells of {samples.shape[1]} channels"
