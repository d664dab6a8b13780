"""Exponential integrators in lambda = log(alpha / sigma): RES, SEEDS, exponential Heun, ER-SDE.

phi_1(z) = (e^z - 1) / z and phi_2(z) = (phi_1(z) - 1) / z, Hochbruck and Ostermann 2010, "Exponential integrators".
"""
# ruff: noqa: ARG001  all samplers take the same arguments, noise too if they draw none

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import Tensor

from nodes.diffusion.sampling.samplers.contract import Denoiser, NoiseSource, Report, ancestral_step, visible_start


def res_multistep(model: Denoiser, x: Tensor, sigmas: Sequence[float], noise: NoiseSource, report: Report) -> Tensor:
    """Zhang et al. 2023, "Improved Order Analysis and Design of Exponential Integrator" (RES), two steps."""
    return _res(model, x, sigmas, noise, report, eta=0.0)


def res_multistep_ancestral(
    model: Denoiser, x: Tensor, sigmas: Sequence[float], noise: NoiseSource, report: Report
) -> Tensor:
    """`res_multistep` below the target, then fresh noise up to it."""
    return _res(model, x, sigmas, noise, report, eta=1.0)


def res_multistep_cfg_pp(
    model: Denoiser, x: Tensor, sigmas: Sequence[float], noise: NoiseSource, report: Report
) -> Tensor:
    """`res_multistep` guided by CFG++ (Chung et al. 2024)."""
    return _res(model, x, sigmas, noise, report, eta=0.0, cfg_pp=True)


def res_multistep_ancestral_cfg_pp(
    model: Denoiser, x: Tensor, sigmas: Sequence[float], noise: NoiseSource, report: Report
) -> Tensor:
    """`res_multistep_ancestral` guided by CFG++ (Chung et al. 2024)."""
    return _res(model, x, sigmas, noise, report, eta=1.0, cfg_pp=True)


def gradient_estimation(
    model: Denoiser,
    x: Tensor,
    sigmas: Sequence[float],
    noise: NoiseSource,
    report: Report,
) -> Tensor:
    """Permenter and Yuan 2024, "Interpreting and Improving Diffusion Models Using the Euclidean Distance Function"."""
    return _gradient_estimation(model, x, sigmas, report, cfg_pp=False)


def gradient_estimation_cfg_pp(
    model: Denoiser,
    x: Tensor,
    sigmas: Sequence[float],
    noise: NoiseSource,
    report: Report,
) -> Tensor:
    """`gradient_estimation` guided by CFG++ (Chung et al. 2024)."""
    return _gradient_estimation(model, x, sigmas, report, cfg_pp=True)


def exp_heun_2_x0(model: Denoiser, x: Tensor, sigmas: Sequence[float], noise: NoiseSource, report: Report) -> Tensor:
    """Exponential Heun: two stages, the second at the target itself, data prediction."""
    return _two_stages(model, x, sigmas, noise, report, Stages(r=1.0, eta=0.0, simple=False))


def exp_heun_2_x0_sde(
    model: Denoiser, x: Tensor, sigmas: Sequence[float], noise: NoiseSource, report: Report
) -> Tensor:
    """`exp_heun_2_x0` for the reverse SDE."""
    return _two_stages(model, x, sigmas, noise, report, Stages(r=1.0, simple=False))


@dataclass(frozen=True, slots=True)
class Stages:
    """A step with two stages."""

    r: float = 0.5
    """Where in the step the second one lies; 1 is its end."""
    eta: float = 1.0
    """1 solves the reverse SDE, 0 the probability-flow ODE."""
    s_noise: float = 1.0
    """Scale of the noise that is added."""
    simple: bool = True
    """Mix the stages by 1 / (2 r), where the full scheme weighs them with phi_2."""


def seeds_2(
    model: Denoiser,
    x: Tensor,
    sigmas: Sequence[float],
    noise: NoiseSource,
    report: Report,
    *,
    stages: Stages = Stages(),
) -> Tensor:
    """Gonzalez et al. 2023, "SEEDS", two stages."""
    return _two_stages(model, x, sigmas, noise, report, stages)


def seeds_3(model: Denoiser, x: Tensor, sigmas: Sequence[float], noise: NoiseSource, report: Report) -> Tensor:
    """Gonzalez et al. 2023, "SEEDS", three stages at a third and two thirds of the step."""
    sampling = model.sampling
    sigmas = visible_start(sampling, sigmas)
    r1, r2 = 1 / 3, 2 / 3
    for i in range(len(sigmas) - 1):
        first = model(x, sigmas[i])
        report(i, first)
        if sigmas[i + 1] == 0:
            x = first
            continue
        path = _StagePath(model, sigmas[i], sigmas[i + 1], Stages(), noise)
        z = -2 * path.h
        second = model(path.point(x, r1, [(_w1(r1 * z), first)]), path.sigma(r1))
        share = r2 / r1 * _w2(r2 * z)
        third = model(path.point(x, r2, [(_w1(r2 * z) - share, first), (share, second)]), path.sigma(r2))
        share = _w2(z) / r2
        x = path.point(x, 1.0, [(_w1(z) - share, first), (share, third)])
    return x


@dataclass(frozen=True, slots=True)
class ExtendedReverse:
    """A solver of Cui et al. 2023."""

    noise_scale: Callable[[float], float]
    """phi: how strongly noise is renewed at a level."""
    max_stage: int = 3
    s_noise: float = 1.0


def er_sde_5() -> ExtendedReverse:
    """phi(x) = x (e^(x^0.3) + 10), the paper's fifth choice."""
    return ExtendedReverse(_er_noise)


def reverse_time(eta: float) -> ExtendedReverse:
    """phi(x) = x^(1 + eta): the reverse-time SDE at eta 1, the probability-flow ODE, without noise, at 0."""
    return ExtendedReverse(lambda level: level ** (1 + eta), s_noise=1.0 if eta > 0 else 0.0)


def er_sde(
    model: Denoiser,
    x: Tensor,
    sigmas: Sequence[float],
    noise: NoiseSource,
    report: Report,
    *,
    solver: ExtendedReverse | None = None,
) -> Tensor:
    """Cui et al. 2023, "Elucidating the Solution Space of Extended Reverse-Time SDE", ER-SDE-5, up to third order.

    The integrals are left sums over 200 points, as in the published solver.
    """
    sampling = model.sampling
    sigmas = visible_start(sampling, sigmas)
    levels = [math.exp(-sampling.log_snr(sigma)) for sigma in sigmas]
    solver = solver or er_sde_5()
    phi = solver.noise_scale
    previous: Tensor | None = None
    previous_rise: Tensor | None = None
    for i in range(len(sigmas) - 1):
        denoised = model(x, sigmas[i])
        report(i, denoised)
        if sigmas[i + 1] == 0:
            x = denoised
            continue
        here, there = levels[i], levels[i + 1]
        alpha, alpha_next = sampling.alpha(sigmas[i]), sampling.alpha(sigmas[i + 1])
        ratio = phi(there) / phi(here)
        x = alpha_next / alpha * ratio * x + alpha_next * (1 - ratio) * denoised
        width = (here - there) / 200
        points = [there + index * width for index in range(200)]
        if previous is not None and solver.max_stage > 1:
            area = width * sum(1 / phi(point) for point in points)
            rise = (denoised - previous) / (here - levels[i - 1])
            x = x + alpha_next * (there - here + area * phi(there)) * rise
            if previous_rise is not None and solver.max_stage > 2:
                area = width * sum((point - here) / phi(point) for point in points)
                bend = (rise - previous_rise) / ((here - levels[i - 2]) / 2)
                x = x + alpha_next * ((there - here) ** 2 / 2 + area * phi(there)) * bend
            previous_rise = rise
        if solver.s_noise > 0:
            fresh = alpha_next * solver.s_noise * math.sqrt(max(0.0, there**2 - (here * ratio) ** 2))
            x = x + fresh * noise.normal()
        previous = denoised
    return x


class _StagePath:
    """The exact linear part, and one consistent noise path, inside a step that has several stages."""

    def __init__(self, model: Denoiser, sigma: float, target: float, stages: Stages, noise: NoiseSource) -> None:
        self._sampling, self._noise, self._eta, self._scale = model.sampling, noise, stages.eta, stages.s_noise
        self._start = sigma
        self._lambda = model.sampling.log_snr(sigma)
        self.h = model.sampling.log_snr(target) - self._lambda
        self._target = target
        self._drawn: Tensor | None = None
        self._at = 0.0

    def sigma(self, r: float) -> float:
        """Noise level at the share `r` of the step."""
        return self._target if r == 1.0 else self._sampling.sigma_at(self._lambda + r * self.h)

    def point(self, x: Tensor, r: float, terms: list[tuple[float, Tensor]]) -> Tensor:
        """sigma_r / sigma e^(-r h eta) x - alpha_r (sum of weight times estimate) + sigma_r noise."""
        sigma = self.sigma(r)
        moved = sigma / self._start * math.exp(-r * self.h * self._eta) * x
        for weight, estimate in terms:
            moved = moved - self._sampling.alpha(sigma) * weight * estimate
        if self._eta == 0:
            return moved
        # Every stage draws, even one that adds nothing, so that the stream of noise does not depend on r.
        decay = (self._at - r) * self.h * self._eta
        fresh = math.sqrt(-math.expm1(2 * decay)) * self._noise.normal()
        self._drawn = fresh if self._drawn is None else math.exp(decay) * self._drawn + fresh
        self._at = r
        return moved + sigma * self._scale * self._drawn


def _two_stages(
    model: Denoiser, x: Tensor, sigmas: Sequence[float], noise: NoiseSource, report: Report, stages: Stages
) -> Tensor:
    sampling, r = model.sampling, stages.r
    sigmas = visible_start(sampling, sigmas)
    for i in range(len(sigmas) - 1):
        first = model(x, sigmas[i])
        report(i, first)
        if sigmas[i + 1] == 0:
            x = first
            continue
        path = _StagePath(model, sigmas[i], sigmas[i + 1], stages, noise)
        z = -(1 + stages.eta) * path.h
        second = model(path.point(x, r, [(_w1(r * z), first)]), path.sigma(r))
        share = _w1(z) / (2 * r) if stages.simple else _w2(z) / r
        x = path.point(x, 1.0, [(_w1(z) - share, first), (share, second)])
    return x


def _res(
    model: Denoiser,
    x: Tensor,
    sigmas: Sequence[float],
    noise: NoiseSource,
    report: Report,
    *,
    eta: float,
    cfg_pp: bool = False,
) -> Tensor:
    previous: Tensor | None = None
    previous_down = 0.0
    for i in range(len(sigmas) - 1):
        denoised, base = model.pair(x, sigmas[i]) if cfg_pp else (model(x, sigmas[i]),) * 2
        report(i, denoised)
        down, up = ancestral_step(sigmas[i], sigmas[i + 1], eta)
        if down == 0 or previous is None:
            x = denoised + down / sigmas[i] * (x - base)
        else:
            h = math.log(sigmas[i] / down)
            c2 = math.log(previous_down / sigmas[i - 1]) / h
            phi_1 = -math.expm1(-h) / h
            b2 = (phi_1 - 1) / -h / c2
            x = math.exp(-h) * (x + denoised - base) + h * ((phi_1 - b2) * base + b2 * previous)
        if sigmas[i + 1] > 0 and up > 0:
            x = x + up * noise.normal()
        previous, previous_down = base, down
    return x


def _gradient_estimation(
    model: Denoiser, x: Tensor, sigmas: Sequence[float], report: Report, *, cfg_pp: bool, gamma: float = 2.0
) -> Tensor:
    previous: Tensor | None = None
    for i in range(len(sigmas) - 1):
        denoised, base = model.pair(x, sigmas[i]) if cfg_pp else (model(x, sigmas[i]),) * 2
        report(i, denoised)
        d, step = (x - base) / sigmas[i], sigmas[i + 1] - sigmas[i]
        x = denoised + sigmas[i + 1] * d
        if previous is not None and sigmas[i + 1] > 0:
            x = x + (gamma - 1) * (d - previous) * step
        previous = d
    return x


def _w1(z: float) -> float:
    """z phi_1(z)."""
    return math.expm1(z)


def _w2(z: float) -> float:
    """z phi_2(z)."""
    return (math.expm1(z) - z) / z


def _er_noise(level: float) -> float:
    """The noise scale of ER-SDE-5."""
    return level * (math.exp(level**0.3) + 10)
