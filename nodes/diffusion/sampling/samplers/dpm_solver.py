"""DPM-Solver and DPM-Solver++ (Lu et al. 2022) with their stochastic and guided forms.

All work on x / alpha with noise level sigma / alpha = exp(-lambda), where a model of any kind looks variance-exploding;
h is the step in lambda.
"""
# ruff: noqa: ARG001  all samplers take the same arguments, noise too if they draw none

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from nodes.diffusion.sampling.samplers.contract import (
    Denoiser,
    NoiseSource,
    Report,
    ancestral_step,
    scaled_ancestral_step,
    visible_start,
)


def dpmpp_2s_ancestral(
    model: Denoiser,
    x: Tensor,
    sigmas: Sequence[float],
    noise: NoiseSource,
    report: Report,
    *,
    eta: float = 1.0,
    s_noise: float = 1.0,
) -> Tensor:
    """Lu et al. 2022, "DPM-Solver++", algorithm 1 (single step, second order), ancestral."""
    sampling = model.sampling
    for i in range(len(sigmas) - 1):
        denoised = model(x, sigmas[i])
        report(i, denoised)
        if sigmas[i + 1] == 0:
            x = denoised
            continue
        down, scale, up = scaled_ancestral_step(model.sampling, sigmas[i], sigmas[i + 1], eta)
        start = min(sampling.log_snr(sigmas[i]), math.inf)
        middle = 0.9999 if math.isinf(start) else sampling.sigma_at((start + sampling.log_snr(down)) / 2)
        ahead = _towards(model, x, denoised, sigmas[i], middle)
        x = _towards(model, x, model(ahead, middle), sigmas[i], down)
        x = scale * x + up * s_noise * noise.normal()
    return x


def dpmpp_2s_ancestral_cfg_pp(
    model: Denoiser, x: Tensor, sigmas: Sequence[float], noise: NoiseSource, report: Report
) -> Tensor:
    """`dpmpp_2s_ancestral` guided by CFG++ (Chung et al. 2024)."""
    for i in range(len(sigmas) - 1):
        denoised, unconditional = model.pair(x, sigmas[i])
        report(i, denoised)
        if sigmas[i + 1] == 0:
            x = denoised
            continue
        down, up = ancestral_step(sigmas[i], sigmas[i + 1])
        middle = math.sqrt(sigmas[i] * down)
        ratio = middle / sigmas[i]
        ahead = ratio * (x + denoised - unconditional) + (1 - ratio) * denoised
        ahead_denoised, ahead_unconditional = model.pair(ahead, middle)
        ratio = down / sigmas[i]
        x = ratio * (x + denoised - ahead_unconditional) + (1 - ratio) * ahead_denoised
        x = x + up * noise.normal()
    return x


def dpmpp_2m(model: Denoiser, x: Tensor, sigmas: Sequence[float], noise: NoiseSource, report: Report) -> Tensor:
    """Lu et al. 2022, "DPM-Solver++", algorithm 2 (two steps, second order), in log sigma."""
    previous: Tensor | None = None
    for i in range(len(sigmas) - 1):
        denoised = model(x, sigmas[i])
        report(i, denoised)
        target = denoised
        if previous is not None and sigmas[i + 1] > 0:
            r = math.log(sigmas[i - 1] / sigmas[i]) / math.log(sigmas[i] / sigmas[i + 1])
            target = denoised + (denoised - previous) / (2 * r)
        ratio = sigmas[i + 1] / sigmas[i]
        x = ratio * x + (1 - ratio) * target
        previous = denoised
    return x


def dpmpp_2m_cfg_pp(
    model: Denoiser,
    x: Tensor,
    sigmas: Sequence[float],
    noise: NoiseSource,
    report: Report,
) -> Tensor:
    """`dpmpp_2m` guided by CFG++ (Chung et al. 2024); extrapolates from the last unconditional estimate."""
    previous: Tensor | None = None
    for i in range(len(sigmas) - 1):
        denoised, unconditional = model.pair(x, sigmas[i])
        report(i, denoised)
        ratio = sigmas[i + 1] / sigmas[i]
        x = denoised + ratio * (x - unconditional)
        if previous is not None and sigmas[i + 1] > 0:
            r = math.log(sigmas[i - 1] / sigmas[i]) / math.log(sigmas[i] / sigmas[i + 1])
            x = x + (1 - ratio) * (denoised - previous) / (2 * r)
        previous = unconditional
    return x


def dpmpp_sde(
    model: Denoiser,
    x: Tensor,
    sigmas: Sequence[float],
    noise: NoiseSource,
    report: Report,
    *,
    eta: float = 1.0,
    s_noise: float = 1.0,
    r: float = 0.5,
) -> Tensor:
    """Lu et al. 2022, "DPM-Solver++", SDE form of the single-step second-order solver, its stage at `r` of the step."""
    sampling, fresh = model.sampling, _Fresh(noise, eta, s_noise)
    sigmas = visible_start(sampling, sigmas)
    for i in range(len(sigmas) - 1):
        denoised = model(x, sigmas[i])
        report(i, denoised)
        if sigmas[i + 1] == 0:
            x = denoised
            continue
        start, end = sampling.log_snr(sigmas[i]), sampling.log_snr(sigmas[i + 1])
        middle = sampling.sigma_at(start + r * (end - start))
        ahead = _stochastic(model, x, denoised, (sigmas[i], middle), fresh)
        share = 1 / (2 * r)
        target = (1 - share) * denoised + share * model(ahead, middle)
        x = _stochastic(model, x, target, (sigmas[i], sigmas[i + 1]), fresh)
    return x


def dpmpp_2m_sde(
    model: Denoiser,
    x: Tensor,
    sigmas: Sequence[float],
    noise: NoiseSource,
    report: Report,
    *,
    eta: float = 1.0,
    s_noise: float = 1.0,
) -> Tensor:
    """Lu et al. 2022, "DPM-Solver++", SDE form of the two-step second-order solver, midpoint correction."""
    return _multistep_sde(model, x, sigmas, _Fresh(noise, eta, s_noise), report, _midpoint_correction)


def dpmpp_2m_sde_heun(
    model: Denoiser,
    x: Tensor,
    sigmas: Sequence[float],
    noise: NoiseSource,
    report: Report,
    *,
    eta: float = 1.0,
    s_noise: float = 1.0,
) -> Tensor:
    """`dpmpp_2m_sde` with Heun's correction."""
    return _multistep_sde(model, x, sigmas, _Fresh(noise, eta, s_noise), report, _heun_correction)


def dpmpp_3m_sde(
    model: Denoiser,
    x: Tensor,
    sigmas: Sequence[float],
    noise: NoiseSource,
    report: Report,
    *,
    eta: float = 1.0,
    s_noise: float = 1.0,
) -> Tensor:
    """Lu et al. 2022, "DPM-Solver++", SDE form with three steps, third order."""
    return _multistep_sde(model, x, sigmas, _Fresh(noise, eta, s_noise), report, _third_order_correction)


def dpm_fast(model: Denoiser, x: Tensor, sigmas: Sequence[float], noise: NoiseSource, report: Report) -> Tensor:
    """Lu et al. 2022, "DPM-Solver", section 3.4: as many third-order steps as the number of evaluations allows."""
    evaluations = len(sigmas) - 1
    start, end = -math.log(sigmas[0]), -math.log(_smallest(sigmas))
    count = evaluations // 3 + 1
    orders = [3] * (count - 2) + [2, 1] if evaluations % 3 == 0 else [3] * (count - 1) + [evaluations % 3]
    width = (end - start) / count
    for i, order in enumerate(orders):
        solver = _SingleStep(model, x, start + i * width, start + (i + 1) * width)
        report(i, solver.denoised)
        x = (solver.first, solver.second, solver.third)[order - 1]()
    return x


@dataclass(frozen=True, slots=True)
class StepControl:
    """How `dpm_adaptive` chooses its steps: a PID controller of the step's length (Hairer and Wanner 1996, IV.2)."""

    order: int = 3
    rtol: float = 0.05
    atol: float = 0.0078
    h_init: float = 0.05
    """Length of the first step, in log sigma."""
    pcoeff: float = 0.0
    icoeff: float = 1.0
    dcoeff: float = 0.0
    accept_safety: float = 0.81
    """A step whose successor would be shorter than this share of it is tried again."""

    def factor(self, errors: Sequence[float], order: float) -> float:
        """How much longer the next step is, after the inverse errors of this step and of the last two that held."""
        p, i, d = self.pcoeff, self.icoeff, self.dcoeff
        powers = ((p + i + d) / order, -(p + 2 * d) / order, d / order)
        product = math.prod(error**power for error, power in zip(errors, powers, strict=True))
        return 1 + math.atan(product - 1)


def dpm_adaptive(
    model: Denoiser,
    x: Tensor,
    sigmas: Sequence[float],
    noise: NoiseSource,
    report: Report,
    *,
    control: StepControl = StepControl(),
    eta: float = 0.0,
    s_noise: float = 1.0,
) -> Tensor:
    """Lu et al. 2022, "DPM-Solver", section 3.4: steps whose length follows the error of the next lower order.

    The number of steps asked for plays no part; only the first and last sigma do. `eta` above 0 goes below each target
    and adds fresh noise up to it.
    """
    t, end, h = -math.log(sigmas[0]), -math.log(_smallest(sigmas)), control.h_init
    previous, attempt = x, 0
    errors: list[float] = []
    while t < end - 1e-5:
        target = min(end, t + h)
        below, up = target, 0.0
        if eta:
            down, _ = ancestral_step(math.exp(-t), math.exp(-target), eta)
            below = min(end, -math.log(down)) if down > 0 else end
            up = math.sqrt(max(0.0, math.exp(-2 * target) - math.exp(-2 * below)))
        solver = _SingleStep(model, x, t, below)
        report(min(attempt, len(sigmas) - 2), solver.denoised)
        low, high = (solver.first(), solver.second()) if control.order == 2 else (solver.second(1 / 3), solver.third())
        allowed = (control.rtol * torch.maximum(low.abs(), previous.abs())).clamp(min=control.atol)
        error = float(torch.linalg.vector_norm((low - high) / allowed)) / math.sqrt(x.numel())
        errors = [1 / (error + 1e-8), *(errors or [1 / (error + 1e-8)] * 2)]
        factor = control.factor(errors, 1.5 if eta else control.order)
        if factor >= control.accept_safety:
            previous, x, t, errors = low, high, target, errors[:2]
            if up > 0:
                x = x + up * s_noise * noise.normal()
        else:
            errors = errors[1:]
        h, attempt = h * factor, attempt + 1
    return x


class _SingleStep:
    """DPM-Solver's steps of order one to three in t = -log sigma, Lu et al. 2022, algorithms 1 and 2."""

    def __init__(self, model: Denoiser, x: Tensor, t: float, target: float) -> None:
        self._model, self._x, self._t, self._h = model, x, t, target - t
        self.denoised = model(x, math.exp(-t))
        self._eps = (x - self.denoised) / math.exp(-t)
        self._known: dict[float, Tensor] = {}

    def first(self) -> Tensor:
        """Exponential Euler."""
        return self._from_start(1.0)

    def second(self, r: float = 0.5) -> Tensor:
        """With one evaluation at t + r h."""
        sigma = math.exp(-(self._t + self._h))
        return self._from_start(1.0) - sigma / (2 * r) * math.expm1(self._h) * (self._eps_at(r) - self._eps)

    def third(self, r1: float = 1 / 3, r2: float = 2 / 3) -> Tensor:
        """With evaluations at t + r1 h and t + r2 h."""
        model, h = self._model, self._h
        middle, end = math.exp(-(self._t + r2 * h)), math.exp(-(self._t + h))
        rise = self._eps_at(r1) - self._eps
        ahead = self._from_start(r2) - middle * r2 / r1 * (math.expm1(r2 * h) / (r2 * h) - 1) * rise
        eps = (ahead - model(ahead, middle)) / middle
        return self._from_start(1.0) - end / r2 * (math.expm1(h) / h - 1) * (eps - self._eps)

    def _from_start(self, r: float) -> Tensor:
        return self._x - math.exp(-(self._t + r * self._h)) * math.expm1(r * self._h) * self._eps

    def _eps_at(self, r: float) -> Tensor:
        if r not in self._known:
            sigma, ahead = math.exp(-(self._t + r * self._h)), self._from_start(r)
            self._known[r] = (ahead - self._model(ahead, sigma)) / sigma
        return self._known[r]


Correction = Callable[[float, Sequence[float], Sequence[Tensor]], Tensor | None]
"""((1 + eta) h of this step, lengths of the steps so far in units of this one, estimates) -> addition; newest first."""


def _multistep_sde(
    model: Denoiser, x: Tensor, sigmas: Sequence[float], fresh: "_Fresh", report: Report, correction: Correction
) -> Tensor:
    """x = sigma'/sigma e^(-eta h) x + alpha' ((1 - e^(-(1 + eta) h)) D + correction) + sigma' sqrt(1 - e^(-2 eta h))
    noise."""
    sampling, eta = model.sampling, fresh.eta
    sigmas = visible_start(sampling, sigmas)
    estimates: list[Tensor] = []
    steps: list[float] = []
    for i in range(len(sigmas) - 1):
        estimates = [model(x, sigmas[i]), *estimates[:2]]
        report(i, estimates[0])
        if sigmas[i + 1] == 0:
            x = estimates[0]
            continue
        h = sampling.log_snr(sigmas[i + 1]) - sampling.log_snr(sigmas[i])
        alpha = sampling.alpha(sigmas[i + 1])
        x = sigmas[i + 1] / sigmas[i] * math.exp(-eta * h) * x - alpha * math.expm1(-(1 + eta) * h) * estimates[0]
        added = correction((1 + eta) * h, [step / h for step in steps], estimates)
        if added is not None:
            x = x + alpha * added
        x = x + fresh.brownian(sigmas[i], sigmas[i + 1], sigmas[i + 1] * math.sqrt(-math.expm1(-2 * eta * h)))
        steps = [h, *steps[:1]]
    return x


def _midpoint_correction(h: float, r: Sequence[float], estimates: Sequence[Tensor]) -> Tensor | None:
    return -0.5 * math.expm1(-h) / r[0] * (estimates[0] - estimates[1]) if r else None


def _heun_correction(h: float, r: Sequence[float], estimates: Sequence[Tensor]) -> Tensor | None:
    return (math.expm1(-h) / h + 1) / r[0] * (estimates[0] - estimates[1]) if r else None


def _third_order_correction(h: float, r: Sequence[float], estimates: Sequence[Tensor]) -> Tensor | None:
    if len(r) < 2:
        return _heun_correction(h, r, estimates)
    newer, older = (estimates[0] - estimates[1]) / r[0], (estimates[1] - estimates[2]) / r[1]
    first = newer + (newer - older) * r[0] / (r[0] + r[1])
    second = (newer - older) / (r[0] + r[1])
    phi_2 = math.expm1(-h) / h + 1
    return phi_2 * first - (phi_2 / h - 0.5) * second


def _towards(model: Denoiser, x: Tensor, denoised: Tensor, sigma: float, target: float) -> Tensor:
    """Exponential Euler step of the probability-flow ODE: sigma'/sigma x + (alpha' - alpha sigma'/sigma) denoised."""
    ratio, alpha = target / sigma, model.sampling.alpha
    return ratio * x + (alpha(target) - alpha(sigma) * ratio) * denoised


@dataclass(frozen=True, slots=True)
class _Fresh:
    """The noise of a stochastic solver, and how much of it."""

    noise: NoiseSource
    eta: float
    """1 solves the reverse SDE, 0 the probability-flow ODE."""
    s_noise: float
    """Scale of the noise that is added."""

    def brownian(self, sigma: float, target: float, scale: float) -> Tensor | float:
        """The increment between two levels times `scale`; 0 where there is none."""
        scale *= self.s_noise
        return self.noise.brownian(sigma, target) * scale if scale > 0 else 0.0


def _stochastic(model: Denoiser, x: Tensor, denoised: Tensor, span: tuple[float, float], fresh: _Fresh) -> Tensor:
    """Exponential Euler step below the target in sigma / alpha, then noise up to it."""
    sigma, target = span
    here, there = model.sampling.alpha(sigma), model.sampling.alpha(target)
    down, up = ancestral_step(sigma / here, target / there, fresh.eta)
    ratio = down / (sigma / here)
    moved = ratio * x / here + (1 - ratio) * denoised
    return there * (moved + fresh.brownian(sigma, target, up))


def _smallest(sigmas: Sequence[float]) -> float:
    return min(sigma for sigma in sigmas if sigma > 0)
