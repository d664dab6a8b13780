"""Formulas that correct what guidance makes of one step's predictions: their norms, frequencies, noise, directions.

Each is a part of a `Steering`. They know no network; those that ask it once more are in `patches/perturbed.py`.
"""

import torch
from torch import Tensor

from nodes.diffusion.frequencies import scaled_frequencies
from nodes.diffusion.sampling.steering import Formula, Guided, Prepare, WithoutNegative, plain


def normed(strength: float) -> Formula:
    """CFG-norm, which HiDream-E1's authors published (2025): no cell's vector gets longer than that of the positive
    prediction. The result counts `strength`."""

    def formula(step: Guided) -> Tensor:
        wanted, made = (one.norm(dim=1, keepdim=True) for one in (step.positive, step.denoised))
        return step.denoised * (wanted / (made + 1e-8)).clamp(max=1) * strength

    return formula


def renormed(highest: float, share: float) -> Formula:
    """Qin et al. 2025, "Lumina-Image 2.0", CFG-Renorm and CFG-Trunc: guidance only below a noise level, and no latent
    longer than `share` times the positive prediction; 0 is without bound."""

    def formula(step: Guided) -> Tensor:
        if step.sigma >= highest:
            return step.positive
        guided = plain(step)
        if share <= 0:
            return guided
        bound, made = (one.flatten(1).norm(dim=1) for one in (step.positive, guided))
        return guided * (share * bound / made.clamp(min=1e-12)).clamp(max=1)[:, None, None, None]

    return formula


def directed(step: Guided) -> Tensor:
    """MaHiRo (a method that its author published as an extension, 2024): where the guided result points another way
    than the negative, the positive times cfg takes its place.

    The two are compared cell by cell, by their numbers' square roots, which evens them out.
    """
    leap = step.positive * step.cfg
    first, second = (one.abs().sqrt() * one.sign() for one in (step.negative * step.cfg, (leap + step.denoised) / 2))
    likeness = torch.nn.functional.cosine_similarity(first, second).mean()
    share = 2 * (likeness + 1)
    return (share * step.denoised + (4 - share) * leap) / 4


def epsilon_scaled(factor: float) -> Formula:
    """Ning et al. 2023, "Elucidating the Exposure Bias in Diffusion Models", equation 16: the predicted noise is
    divided by a factor, since sampling sees larger noise than training did."""

    def formula(step: Guided) -> Tensor:
        alpha = step.sampling.alpha(step.sigma)
        if alpha == 0:
            return step.denoised
        return (step.x - (step.x - alpha * step.denoised) / factor) / alpha

    return WithoutNegative(formula)


def temperature_scaled(k: float, spread: float) -> Formula:
    """Xu et al. 2025, "Temporal Score Rescaling for Temperature Sampling in Diffusion and Flow Models": the score of
    data with variance spread^2 / k, from that of data with variance spread^2.

    With snr = alpha^2 / sigma^2 the predicted noise is multiplied by (snr spread^2 + 1) / (snr spread^2 / k + 1).
    """

    def formula(step: Guided) -> Tensor:
        alpha = step.sampling.alpha(step.sigma)
        if alpha == 0 or step.sigma == 0:
            return step.denoised
        known = (alpha * spread / step.sigma) ** 2
        ratio = (known + 1) / (known / k + 1)
        return (step.x - ratio * (step.x - alpha * step.denoised)) / alpha

    return WithoutNegative(formula)


def frequency_scaled(low: float, high: float, radius: int) -> Prepare:
    """Huang et al. 2025, "FreSca: Scaling in Frequency Space Enhances Diffusion Models": what guidance adds, with its
    low and its high frequencies scaled."""

    def prepare(step: Guided) -> tuple[Tensor, Tensor]:
        changed = scaled_frequencies(step.positive - step.negative, radius, low, high)
        return step.negative + changed, step.negative

    return prepare


def graded(least: float, *, triangle: bool) -> Formula:
    """Blattmann et al. 2023, "Stable Video Diffusion": cfg rises over the pictures of a batch from `least` to the one
    that was chosen; as a triangle it is highest in the middle."""

    def formula(step: Guided) -> Tensor:
        count = len(step.x)
        if triangle:
            share = torch.linspace(0, 1, count, device=step.x.device)
            scale = 2 * (share - (share + 0.5).floor()).abs() * (step.cfg - least) + least
        else:
            scale = torch.linspace(least, step.cfg, count, device=step.x.device)
        return step.negative + scale.reshape(-1, 1, 1, 1) * (step.positive - step.negative)

    return formula
