"""Samplers that correct each step with the next evaluation: SA-Solver and UniPC."""
# ruff: noqa: ARG001  all samplers take the same arguments, noise too if they draw none

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from nodes.diffusion.sampling.prediction import ModelSampling
from nodes.diffusion.sampling.samplers.contract import Denoiser, NoiseSource, Report, visible_start


@dataclass(frozen=True, slots=True)
class Adams:
    """A stochastic Adams solver."""

    predictor_order: int = 3
    corrector_order: int = 4
    """0 leaves the correction out."""
    evaluate_again: bool = False
    """Ask the model again after each correction."""
    eta: float = 1.0
    """tau inside its interval; 0 solves the probability-flow ODE."""
    interval: tuple[float, float] | None = None
    """Noise levels (highest, lowest) between which fresh noise is drawn; None: from a fifth to four fifths of the
    way."""
    s_noise: float = 1.0
    simple_order_2: bool = False
    """Take the paper's simplified coefficients where the order is two (appendix D)."""


def sa_solver(
    model: Denoiser,
    x: Tensor,
    sigmas: Sequence[float],
    noise: NoiseSource,
    report: Report,
    *,
    adams: Adams = Adams(),
) -> Tensor:
    """Xue et al. 2023, "SA-Solver: Stochastic Adams Solver", predict, evaluate, correct."""
    return _stochastic_adams(model, x, sigmas, noise, report, adams)


def sa_solver_pece(model: Denoiser, x: Tensor, sigmas: Sequence[float], noise: NoiseSource, report: Report) -> Tensor:
    """Xue et al. 2023, "SA-Solver: Stochastic Adams Solver", with a second evaluation after each correction."""
    return _stochastic_adams(model, x, sigmas, noise, report, Adams(evaluate_again=True))


def uni_pc(model: Denoiser, x: Tensor, sigmas: Sequence[float], noise: NoiseSource, report: Report) -> Tensor:
    """Zhao et al. 2023, "UniPC", order 3, B(h) = h."""
    return _unified(model, x, sigmas, report, lambda h: h)


def uni_pc_bh2(model: Denoiser, x: Tensor, sigmas: Sequence[float], noise: NoiseSource, report: Report) -> Tensor:
    """Zhao et al. 2023, "UniPC", order 3, B(h) = e^h - 1."""
    return _unified(model, x, sigmas, report, math.expm1)


def _stochastic_adams(
    model: Denoiser, x: Tensor, sigmas: Sequence[float], noise: NoiseSource, report: Report, adams: Adams
) -> Tensor:
    """tau is eta inside the interval, 0 outside."""
    sampling = model.sampling
    sigmas = visible_start(sampling, sigmas)
    lambdas = [sampling.log_snr(sigma) for sigma in sigmas]
    tau_from, tau_to = adams.interval or (sampling.level_at(0.2), sampling.level_at(0.8))
    closes = sigmas[-1] == 0
    kept = max(adams.predictor_order, adams.corrector_order) - 1 or 1
    predicted, fresh, tau = x, torch.zeros_like(x), 0.0
    estimates: list[Tensor] = []
    for i in range(len(sigmas) - 1):
        estimates = [*estimates[-kept:], model(predicted, sigmas[i])]
        report(i, estimates[-1])
        last = sigmas[i + 1] == 0
        order = min(adams.corrector_order, len(estimates), len(sigmas) - 1 - i if closes else len(estimates))
        if i == 0 or adams.corrector_order == 0 or (last and not adams.evaluate_again):
            x = predicted
        else:
            step = _AdamsStep(model.sampling, (sigmas[i - 1], sigmas[i]), tau, adams)
            x = step.of(x, lambdas[i - order + 1 : i + 1], estimates[-order:], corrects=True) + fresh
            if adams.evaluate_again:
                estimates[-1] = model(x, sigmas[i])
        if last:
            return estimates[-1]
        tau = adams.eta if tau_to <= sigmas[i + 1] <= tau_from else 0.0
        order = min(adams.predictor_order, len(estimates), len(sigmas) - 2 - i if closes else len(estimates))
        step = _AdamsStep(model.sampling, (sigmas[i], sigmas[i + 1]), tau, adams)
        predicted = step.of(x, lambdas[i - order + 1 : i + 1], estimates[-order:], corrects=False)
        h = lambdas[i + 1] - lambdas[i]
        fresh = torch.zeros_like(x)
        if tau > 0:
            fresh = noise.normal() * (adams.s_noise * sigmas[i + 1] * math.sqrt(-math.expm1(-2 * tau**2 * h)))
        predicted = predicted + fresh
    return predicted


@dataclass(frozen=True, slots=True)
class _AdamsStep:
    """One step, predicted or corrected: sigma'/sigma e^(-tau^2 h) x + alpha' sum b_j D_j."""

    sampling: ModelSampling
    span: tuple[float, float]
    tau: float
    adams: Adams

    def of(self, x: Tensor, nodes: Sequence[float], estimates: Sequence[Tensor], *, corrects: bool) -> Tensor:
        """From `estimates` at the lambdas `nodes`, oldest first."""
        start, end = (self.sampling.log_snr(sigma) for sigma in self.span)
        h, rate = end - start, 1 + self.tau**2
        factors = self._full(nodes, end, h, rate)
        if self.adams.simple_order_2 and len(nodes) == 2:
            factors = _simple(nodes, start, h, rate, corrects=corrects)
        x = self.span[1] / self.span[0] * math.exp(-(self.tau**2) * h) * x
        for factor, estimate in zip(factors, estimates, strict=True):
            x = x + self.sampling.alpha(self.span[1]) * factor * estimate
        return x

    @staticmethod
    def _full(nodes: Sequence[float], end: float, h: float, rate: float) -> list[float]:
        """b_j: the integral over the step of (1 + tau^2) e^((1 + tau^2) (lambda - lambda')) times the j-th Lagrange
        polynomial (equations 14 and 17)."""
        moments = _moments(rate, h, len(nodes))
        powers = [_lagrange_powers([node - end for node in nodes], j) for j in range(len(nodes))]
        return [sum(power * moment for power, moment in zip(one, moments, strict=True)) for one in powers]


def _simple(nodes: Sequence[float], start: float, h: float, rate: float, *, corrects: bool) -> list[float]:
    """Appendix D: [b of the older, b of the newer estimate], which differ from the full ones in the third order."""
    whole = -math.expm1(-rate * h)
    if corrects:  # the newer estimate is that of the target itself
        newer = 0.5 * rate * h
        return [whole - newer, newer]
    older = 0.5 * rate * h**2 / (nodes[0] - start)
    return [older, whole - older]


def _moments(rate: float, h: float, count: int) -> list[float]:
    """Integrals of rate e^(rate u) u^k over u from -h to 0, for k below `count`, by parts."""
    moments = [-math.expm1(-rate * h)]
    for k in range(1, count):
        moments.append(-((-h) ** k) * math.exp(-rate * h) - k / rate * moments[-1])
    return moments


def _lagrange_powers(nodes: Sequence[float], j: int) -> list[float]:
    """Coefficients, lowest power first, of the polynomial that is 1 at node j and 0 at the others."""
    powers = [1.0]
    for k, node in enumerate(nodes):
        if k != j:
            width = nodes[j] - node
            shifted = [0.0, *powers]
            powers = [(up - node * same) / width for up, same in zip(shifted, [*powers, 0.0], strict=True)]
    return powers


def _unified(
    model: Denoiser, x: Tensor, sigmas: Sequence[float], report: Report, scale: Callable[[float], float]
) -> Tensor:
    """Zhao et al. 2023, algorithms 1 and 2, data prediction, on the variance-preserving latent x / sqrt(1 + sigma^2).

    The last level 0 becomes 0.001, because lambda must stay finite.
    """
    levels = [*sigmas[:-1], sigmas[-1] or 0.001]
    order_limit = min(3, len(levels) - 2)
    x = x / math.sqrt(1 + levels[0] ** 2)
    estimates = [_at(model, x, levels[0])]
    report(0, estimates[0])
    for i in range(1, len(levels)):
        order = max(1, min(order_limit, i, len(levels) - i))
        corrector = i < len(levels) - 1
        step = _UnifiedStep(levels[: i + 1], order, scale)
        predicted = step.predict(x, estimates)
        if not corrector:
            x = predicted
            continue
        estimate = _at(model, predicted, levels[i])
        report(i, estimate)
        x = step.correct(x, estimates, estimate)
        estimates = [*estimates[-2:], estimate]
    x = x * math.sqrt(1 + levels[-1] ** 2)
    # What is left at 0.001 is still a noisy latent: a flow's has lost that share of the clean one.
    return x / model.sampling.alpha(levels[-1]) if sigmas[-1] == 0 else x


class _UnifiedStep:
    """UniP-p and UniC-p for one step, with the coefficients of equations 5 and 9."""

    def __init__(self, levels: Sequence[float], order: int, scale: Callable[[float], float]) -> None:
        lambdas = [-math.log(level) for level in levels]
        self._order = order
        self._h = lambdas[-1] - lambdas[-2]
        alpha = 1 / math.sqrt(1 + levels[-1] ** 2)
        self._ratio = levels[-1] * alpha / (levels[-2] / math.sqrt(1 + levels[-2] ** 2))
        self._alpha = alpha
        self._b = scale(-self._h)
        self._rks = [(lambdas[-2 - k] - lambdas[-2]) / self._h for k in range(1, order)]

    def predict(self, x: Tensor, estimates: Sequence[Tensor]) -> Tensor:
        """UniP: x' from the estimates before the target, newest last."""
        return self._base(x, estimates[-1]) - self._alpha * self._b * self._history(estimates, self._order - 1)

    def correct(self, x: Tensor, estimates: Sequence[Tensor], ahead: Tensor) -> Tensor:
        """UniC: x' using also the estimate at the predicted target."""
        *_, last = self._weights(self._order)
        change = self._history(estimates, self._order) + last * (ahead - estimates[-1])
        return self._base(x, estimates[-1]) - self._alpha * self._b * change

    def _base(self, x: Tensor, newest: Tensor) -> Tensor:
        return self._ratio * x - self._alpha * math.expm1(-self._h) * newest

    def _history(self, estimates: Sequence[Tensor], size: int) -> Tensor:
        total = torch.zeros_like(estimates[-1])
        weights = self._weights(size) if size else []
        for k, (weight, r) in enumerate(zip(weights, self._rks, strict=False), start=2):
            total = total + weight * (estimates[-k] - estimates[-1]) / r
        return total

    def _weights(self, size: int) -> list[float]:
        """Solve R rho = b for `size` unknowns; for one unknown, or two before the target, the paper fixes 1/2."""
        if size == 1:
            return [0.5]
        nodes = [*self._rks, 1.0][:size]
        z, factorial = -self._h, 1
        phi = math.expm1(z) / z - 1
        right: list[float] = []
        for k in range(1, size + 1):
            right.append(phi * math.factorial(k) / self._b)
            factorial *= k + 1
            phi = phi / z - 1 / factorial
        rows = torch.tensor([[node**k for node in nodes] for k in range(size)], dtype=torch.float64)
        return torch.linalg.solve(rows, torch.tensor(right, dtype=torch.float64)).tolist()


def _at(model: Denoiser, x: Tensor, sigma: float) -> Tensor:
    return model(x * math.sqrt(1 + sigma**2), sigma)
