"""Samplers that correct each step with the next evaluation: SA-Solver and UniPC."""
# ruff: noqa: ARG001  all samplers take the same arguments, noise too if they draw none

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from nodes.diffusion.sampling.samplers.contract import Denoiser, NoiseSource, Report, visible_start

PREDICTOR_ORDER = 3
CORRECTOR_ORDER = 4


def sa_solver(model: Denoiser, x: Tensor, sigmas: Sequence[float], noise: NoiseSource, report: Report) -> Tensor:
    """Xue et al. 2023, "SA-Solver: Stochastic Adams Solver", predict, evaluate, correct."""
    return _stochastic_adams(model, x, sigmas, noise, report, evaluate_again=False)


def sa_solver_pece(model: Denoiser, x: Tensor, sigmas: Sequence[float], noise: NoiseSource, report: Report) -> Tensor:
    """Xue et al. 2023, "SA-Solver: Stochastic Adams Solver", with a second evaluation after each correction."""
    return _stochastic_adams(model, x, sigmas, noise, report, evaluate_again=True)


def uni_pc(model: Denoiser, x: Tensor, sigmas: Sequence[float], noise: NoiseSource, report: Report) -> Tensor:
    """Zhao et al. 2023, "UniPC", order 3, B(h) = h."""
    return _unified(model, x, sigmas, report, lambda h: h)


def uni_pc_bh2(model: Denoiser, x: Tensor, sigmas: Sequence[float], noise: NoiseSource, report: Report) -> Tensor:
    """Zhao et al. 2023, "UniPC", order 3, B(h) = e^h - 1."""
    return _unified(model, x, sigmas, report, math.expm1)


def _stochastic_adams(
    model: Denoiser,
    x: Tensor,
    sigmas: Sequence[float],
    noise: NoiseSource,
    report: Report,
    *,
    evaluate_again: bool,
) -> Tensor:
    """tau is 1 in the middle of the way (from a fifth to four fifths of it), 0 outside."""
    sampling = model.sampling
    sigmas = visible_start(sampling, sigmas)
    lambdas = [sampling.log_snr(sigma) for sigma in sigmas]
    tau_from, tau_to = sampling.level_at(0.2), sampling.level_at(0.8)
    closes = sigmas[-1] == 0
    predicted, fresh, tau = x, torch.zeros_like(x), 0.0
    estimates: list[Tensor] = []
    for i in range(len(sigmas) - 1):
        estimates = [*estimates[1 - CORRECTOR_ORDER :], model(predicted, sigmas[i])]
        report(i, estimates[-1])
        last = sigmas[i + 1] == 0
        order = min(CORRECTOR_ORDER, len(estimates), len(sigmas) - 1 - i if closes else CORRECTOR_ORDER)
        if i == 0 or (last and not evaluate_again):
            x = predicted
        else:
            span = (sigmas[i - 1], sigmas[i])
            x = _adams_step(model, x, span, tau, (lambdas[i - order + 1 : i + 1], estimates[-order:])) + fresh
            if evaluate_again:
                estimates[-1] = model(x, sigmas[i])
        if last:
            return estimates[-1]
        tau = 1.0 if tau_to <= sigmas[i + 1] <= tau_from else 0.0
        order = min(PREDICTOR_ORDER, len(estimates), len(sigmas) - 2 - i if closes else PREDICTOR_ORDER)
        span = (sigmas[i], sigmas[i + 1])
        predicted = _adams_step(model, x, span, tau, (lambdas[i - order + 1 : i + 1], estimates[-order:]))
        h = lambdas[i + 1] - lambdas[i]
        fresh = torch.zeros_like(x)
        if tau > 0:
            fresh = noise.normal() * sigmas[i + 1] * math.sqrt(-math.expm1(-2 * tau**2 * h))
        predicted = predicted + fresh
    return predicted


def _adams_step(
    model: Denoiser,
    x: Tensor,
    span: tuple[float, float],
    tau: float,
    history: tuple[Sequence[float], Sequence[Tensor]],
) -> Tensor:
    """sigma'/sigma e^(-tau^2 h) x + alpha' sum b_j D_j, with b_j the integral over the step of
    (1 + tau^2) e^((1 + tau^2) (lambda - lambda')) times the j-th Lagrange polynomial (equation 14 and 17)."""
    nodes, estimates = history
    start, end = (model.sampling.log_snr(sigma) for sigma in span)
    rate = 1 + tau**2
    moments = _moments(rate, end - start, len(nodes))
    x = span[1] / span[0] * math.exp(-(tau**2) * (end - start)) * x
    for j, estimate in enumerate(estimates):
        powers = _lagrange_powers([node - end for node in nodes], j)
        b = sum(power * moment for power, moment in zip(powers, moments, strict=True))
        x = x + model.sampling.alpha(span[1]) * b * estimate
    return x


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
