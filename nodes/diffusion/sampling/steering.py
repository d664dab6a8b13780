"""What a model does with its predictions beyond plain guidance: rescaling, projecting, and the like.

A model carries a `Steering`; each formula reads one step's predictions and changes nothing. It knows no network.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import torch
from torch import Tensor

from nodes.diffusion.patches.contract import Alteration
from nodes.diffusion.sampling.prediction import ModelSampling


class Ask(Protocol):
    """Asks the network once more in the same step."""

    def __call__(self, which: Any, x: Tensor, *alterations: Alteration) -> Tensor:
        """What it denoises (N, channels, h, w) `x` to under `which`, a conditioning or the index of one of those that
        it was asked about: 0 is what is wanted, 1 what is not. With further alterations."""
        ...


def cannot_ask(which: Any, x: Tensor, *alterations: Alteration) -> Tensor:  # noqa: ARG001 the protocol's
    """Where there is no network. Raises RuntimeError."""
    raise RuntimeError("This step of guidance has no network that could be asked once more.")


@dataclass(frozen=True, slots=True, eq=False)
class Guided:
    """One step of guidance. All latents are (N, channels, h, w)."""

    x: Tensor
    sigma: float
    positive: Tensor
    """Denoised towards what is wanted."""
    negative: Tensor
    """Denoised towards what is not."""
    cfg: float
    sampling: ModelSampling
    denoised: Tensor
    """What guidance has made of it so far."""
    run: dict[str, Any] = field(default_factory=dict[str, Any])
    """What a formula keeps from step to step of one run."""
    ask: Ask = cannot_ask


Formula = Callable[[Guided], Tensor]
"""Gives another denoised latent."""

Prepare = Callable[[Guided], tuple[Tensor, Tensor]]
"""Gives another positive and negative."""


@dataclass(frozen=True, slots=True, eq=False)
class WithoutNegative:
    """A formula that does not read the negative, which therefore need not be predicted for it at cfg 1."""

    formula: Formula

    def __call__(self, step: Guided) -> Tensor:
        """What the formula gives."""
        return self.formula(step)


@dataclass(frozen=True, slots=True)
class Steering:
    """In their order: `before` changes the predictions, `formula` combines them, `after` changes the result."""

    before: tuple[Prepare, ...] = ()
    formula: Formula | None = None
    """None: negative + cfg (positive - negative)."""
    after: tuple[Formula, ...] = ()

    @property
    def active(self) -> bool:
        """Whether it says anything."""
        return bool(self.before or self.formula or self.after)

    @property
    def reads_negative(self) -> bool:
        """Whether the negative counts even at cfg 1."""
        parts = (*self.before, *self.after, *((self.formula,) if self.formula else ()))
        return any(not isinstance(part, WithoutNegative) for part in parts)


PLAIN = Steering()


def plain(step: Guided) -> Tensor:
    """Ho and Salimans 2022."""
    return step.negative + step.cfg * (step.positive - step.negative)


def steer(steering: Steering, step: Guided) -> Tensor:
    """The guided denoised latent of a step; its `denoised` is not read."""
    for prepare in steering.before:
        positive, negative = prepare(step)
        step = replace(step, positive=positive, negative=negative)
    step = replace(step, denoised=(steering.formula or plain)(step))
    for formula in steering.after:
        step = replace(step, denoised=formula(step))
    return step.denoised


def rescaled(multiplier: float) -> Formula:
    """Lin et al. 2023, "Common Diffusion Noise Schedules and Sample Steps are Flawed", equations 15 and 16.

    It evens out the standard deviation of the guided velocity v = alpha eps - sigma x0, which those models predict.
    """

    def formula(step: Guided) -> Tensor:
        s = step.sigma
        whole = 1 + s**2

        def velocity(denoised: Tensor) -> Tensor:
            return (step.x - whole * denoised) / (s * whole**0.5)

        positive, negative = velocity(step.positive), velocity(step.negative)
        guided = negative + step.cfg * (positive - negative)
        ratio = positive.std(dim=(1, 2, 3), keepdim=True) / guided.std(dim=(1, 2, 3), keepdim=True)
        final = guided * (multiplier * ratio + 1 - multiplier)
        return (step.x - final * (s * whole**0.5)) / whole

    return formula


def zero_star(step: Guided) -> Tensor:
    """Fan et al. 2025, "CFG-Zero*", equation 8: the negative is scaled to fit the positive best before it is used.

    s* = <v_pos, v_neg> / |v_neg|^2 for the velocities v = (x - denoised) / sigma.
    """
    positive, negative = ((step.x - one) / step.sigma for one in (step.positive, step.negative))
    scale = _dot(positive, negative) / (_dot(negative, negative) + 1e-8)
    return step.x - step.sigma * (negative * scale + step.cfg * (positive - negative * scale))


def projected(eta: float, norm_threshold: float, momentum: float) -> Prepare:
    """Sadat et al. 2024, "Eliminating Oversaturation and Artifacts of High Guidance Scales" (APG), algorithm 1.

    What guidance adds is averaged over the steps with `momentum`, cut to a norm, and its part along the positive
    counts only `eta`. Wraps the positive, so that plain guidance afterwards gives the paper's result.
    """

    def prepare(step: Guided) -> tuple[Tensor, Tensor]:
        if step.cfg == 1:
            return step.positive, step.negative
        update = step.positive - step.negative
        if momentum:
            update = update + momentum * step.run.get("apg", torch.zeros_like(update))
            step.run["apg"] = update
        if norm_threshold > 0:
            norm = _dot(update, update).sqrt()
            update = update * (norm_threshold / norm).clamp(max=1)
        unit = step.positive / _dot(step.positive, step.positive).sqrt()
        along = _dot(update, unit) * unit
        changed = (update - along) + eta * along
        # positive + (cfg - 1) changed, written as guidance from the same negative.
        guided = step.positive + (step.cfg - 1) * changed
        return step.negative + (guided - step.negative) / step.cfg, step.negative

    return prepare


def damped(step: Guided) -> tuple[Tensor, Tensor]:
    """Kwon et al. 2025, "TCFG: Tangential Damping Classifier-free Guidance": the negative loses what both predictions
    do not share: it is projected on the first right singular vector of the two."""
    positive, negative = ((step.x - one).flatten(1).float() for one in (step.positive, step.negative))
    _, _, right = torch.linalg.svd(torch.stack([positive, negative], dim=1), full_matrices=False)
    first = right[:, :1]
    kept = (negative[:, None] @ first.mT @ first)[:, 0]
    return step.positive, step.x - kept.reshape(step.x.shape).to(step.x)


def perpendicular(positive: Tensor, negative: Tensor, empty: Tensor, cfg: float, scale: float) -> Tensor:
    """Armandpour et al. 2023, "Re-imagine the Negative Prompt Algorithm" (Perp-Neg), equation 8: only the part of the
    negative that is perpendicular to the positive counts."""
    main, away = positive - empty, negative - empty
    away = away - _dot(away, main) / _dot(main, main).clamp(min=1e-12) * main
    return empty + cfg * (main - scale * away)


def _dot(one: Tensor, other: Tensor) -> Tensor:
    """(N, 1, 1, 1)"""
    return (one * other).sum(dim=(1, 2, 3), keepdim=True)
