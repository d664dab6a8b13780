"""Second-order and multistep samplers in sigma: Heun, DPM-Solver-2, Adams-Bashforth, DEIS."""
# ruff: noqa: ARG001  all samplers take the same arguments, noise too if they draw none

import math
from collections.abc import Callable, Sequence
from functools import partial

from torch import Tensor

from nodes.diffusion.sampling.samplers.contract import (
    Denoiser,
    NoiseSource,
    Report,
    scaled_ancestral_step,
)


def heun(model: Denoiser, x: Tensor, sigmas: Sequence[float], noise: NoiseSource, report: Report) -> Tensor:
    """Karras et al. 2022, algorithm 2 without churn."""
    for i in range(len(sigmas) - 1):
        d, step = _slope(model, x, sigmas[i], i, report), sigmas[i + 1] - sigmas[i]
        ahead = x + d * step
        if sigmas[i + 1] > 0:
            d = (d + (ahead - model(ahead, sigmas[i + 1])) / sigmas[i + 1]) / 2
        x = x + d * step
    return x


def heunpp2(model: Denoiser, x: Tensor, sigmas: Sequence[float], noise: NoiseSource, report: Report) -> Tensor:
    """Heun's method looking up to two steps ahead; a slope weighs its sigma / (number of slopes times sigma 0)."""
    for i in range(len(sigmas) - 1):
        slopes = [_slope(model, x, sigmas[i], i, report)]
        ahead = x
        levels = [sigma for sigma in sigmas[i + 1 : i + 3] if sigma > 0]
        for k, sigma in enumerate(levels):
            ahead = ahead + slopes[-1] * (sigma - sigmas[i + k])
            slopes.append((ahead - model(ahead, sigma)) / sigma)
        weights = [sigma / (len(slopes) * sigmas[0]) for sigma in levels]
        d = slopes[0] * (1 - sum(weights))
        for weight, slope in zip(weights, slopes[1:], strict=True):
            d = d + weight * slope
        x = x + d * (sigmas[i + 1] - sigmas[i])
    return x


def dpm_2(model: Denoiser, x: Tensor, sigmas: Sequence[float], noise: NoiseSource, report: Report) -> Tensor:
    """Karras et al. 2022's reading of Lu et al. 2022, "DPM-Solver", second order: a midpoint step in log sigma."""
    for i in range(len(sigmas) - 1):
        d = _slope(model, x, sigmas[i], i, report)
        x = _midpoint(model, x, d, sigmas[i], sigmas[i + 1])
    return x


def dpm_2_ancestral(model: Denoiser, x: Tensor, sigmas: Sequence[float], noise: NoiseSource, report: Report) -> Tensor:
    """DPM-Solver-2 steps below the target, then fresh noise up to it."""
    for i in range(len(sigmas) - 1):
        d = _slope(model, x, sigmas[i], i, report)
        down, scale, up = scaled_ancestral_step(model.sampling, sigmas[i], sigmas[i + 1])
        x = _midpoint(model, x, d, sigmas[i], down)
        if sigmas[i + 1] > 0:
            x = scale * x + up * noise.normal()
    return x


def lms(
    model: Denoiser, x: Tensor, sigmas: Sequence[float], noise: NoiseSource, report: Report, *, order: int = 4
) -> Tensor:
    """Linear multistep: Adams-Bashforth with uneven steps."""
    return _multistep(model, x, sigmas, report, order, _adams_bashforth)


def ipndm(model: Denoiser, x: Tensor, sigmas: Sequence[float], noise: NoiseSource, report: Report) -> Tensor:
    """Liu et al. 2022, "PNDM", with Zhang and Chen's improved start (2022, "DEIS"): Adams-Bashforth for even steps."""

    def coefficients(visited: Sequence[float], target: float) -> list[float]:
        step = target - visited[0]
        return [step * share for share in _EVEN_STEPS[len(visited) - 1]]

    return _multistep(model, x, sigmas, report, 4, coefficients)


def ipndm_v(model: Denoiser, x: Tensor, sigmas: Sequence[float], noise: NoiseSource, report: Report) -> Tensor:
    """Zhang and Chen 2022, "DEIS": iPNDM with coefficients for uneven steps."""
    return _multistep(model, x, sigmas, report, 4, _uneven_steps)


def deis(model: Denoiser, x: Tensor, sigmas: Sequence[float], noise: NoiseSource, report: Report) -> Tensor:
    """Zhang and Chen 2022, "DEIS", tAB-DEIS: extrapolates the slope by a polynomial in a VP diffusion's time."""
    return _multistep(model, x, sigmas, report, 3, _deis_coefficients)


_EVEN_STEPS = ((1.0,), (3 / 2, -1 / 2), (23 / 12, -16 / 12, 5 / 12), (55 / 24, -59 / 24, 37 / 24, -9 / 24))
"""Adams-Bashforth coefficients, newest slope first."""

_GAUSS = ((-0.8611363115940526, 0.3478548451374539), (-0.3399810435848563, 0.6521451548625461))
"""Nodes and weights of four-point Gauss-Legendre quadrature, the negative half."""

Coefficients = Callable[[Sequence[float], float], list[float]]
"""(sigmas at which slopes are known, newest first; target sigma) -> factor of each slope."""


def _multistep(
    model: Denoiser,
    x: Tensor,
    sigmas: Sequence[float],
    report: Report,
    order: int,
    coefficients: Coefficients,
) -> Tensor:
    """x += sum of factor times slope; the step to 0 takes the denoised latent itself."""
    slopes: list[Tensor] = []
    for i in range(len(sigmas) - 1):
        slopes = [_slope(model, x, sigmas[i], i, report), *slopes[: order - 1]]
        if sigmas[i + 1] == 0:
            x = x - sigmas[i] * slopes[0]
            continue
        visited = [sigmas[i - k] for k in range(len(slopes))]
        for factor, slope in zip(coefficients(visited, sigmas[i + 1]), slopes, strict=True):
            x = x + factor * slope
    return x


def _adams_bashforth(visited: Sequence[float], target: float) -> list[float]:
    pieces = 1 + len(visited) // 9  # one piece is exact as far as eight slopes
    return [_integral(partial(_lagrange, visited, j), visited[0], target, pieces) for j in range(len(visited))]


def _uneven_steps(visited: Sequence[float], target: float) -> list[float]:
    """The published iPNDM-v factors, in Newton's form: slope, and its first, second and third difference.

    They are not quite Adams-Bashforth's: the second difference's weight is (1 - a b) / 2 where the derivation gives
    (1 - a) b / 2. The published pictures were made with it, so it stays.
    """
    h = target - visited[0]
    steps = [visited[k] - visited[k + 1] for k in range(len(visited) - 1)]
    factors = [0.0] * len(visited)
    for weight, difference in zip(_newton_weights(h, steps), _newton_differences(steps), strict=True):
        for k, share in enumerate(difference):
            factors[k] += h * weight * share
    return factors


def _newton_weights(h: float, steps: Sequence[float]) -> list[float]:
    weights = [1.0]
    if steps:
        weights.append(h / steps[0] / 2)
    if len(steps) > 1:
        two = steps[0] + steps[1]
        weights.append((1 - h / (3 * (h + steps[0])) * h * (h + steps[0]) / (steps[0] * two)) / 2)
    if len(steps) > 2:
        ahead, three = h + steps[0], two + steps[2]
        share = (1 - h / (3 * ahead)) / 2 + (1 - h / (2 * ahead)) * h / (6 * (ahead + steps[1]))
        weights.append(share * h * ahead * (ahead + steps[1]) / (steps[0] * two * three))
    return weights


def _newton_differences(steps: Sequence[float]) -> list[list[float]]:
    """Shares of the slopes, newest first, in their scaled backward differences of order 0, 1, 2, 3."""
    differences = [[1.0]]
    if steps:
        differences.append([1.0, -1.0])
    if len(steps) > 1:
        q = steps[0] / steps[1]
        differences.append([1.0, -1 - q, q])
    if len(steps) > 2:
        p = steps[0] * (steps[0] + steps[1]) / (steps[1] * (steps[1] + steps[2]))
        r = steps[1] / steps[2]
        differences.append([1.0, -1 - q - p, q + p * (1 + r), -p * q])
    return differences


def _deis_coefficients(visited: Sequence[float], target: float) -> list[float]:
    """Integrals over sigma of Lagrange polynomials in VP time t: sigma^2 + 1 = exp(beta_d t^2 / 2 + beta_m t)."""
    low, high, start = math.log(0.002**2 + 1), math.log(80.0**2 + 1), 1e-3
    beta_d = 2 * (low / start - high) / (start - 1)
    beta_m = high - beta_d / 2

    def time(sigma: float) -> float:
        return (math.sqrt(beta_m**2 + 2 * beta_d * math.log(sigma**2 + 1)) - beta_m) / beta_d

    times = [time(sigma) for sigma in visited]

    def polynomial(j: int, sigma: float) -> float:
        return _lagrange(times, j, time(sigma))

    return [_integral(partial(polynomial, j), visited[0], target, 16) for j in range(len(visited))]


def _lagrange(nodes: Sequence[float], j: int, at: float) -> float:
    return math.prod((at - node) / (nodes[j] - node) for k, node in enumerate(nodes) if k != j)


def _integral(function: Callable[[float], float], start: float, end: float, pieces: int = 1) -> float:
    """Four-point Gauss-Legendre quadrature on each of `pieces`; exact for polynomials up to degree seven."""
    total, width = 0.0, (end - start) / pieces
    for piece in range(pieces):
        middle = start + (piece + 0.5) * width
        for node, weight in _GAUSS:
            total += weight * (function(middle + node * width / 2) + function(middle - node * width / 2))
    return total * width / 2


def _slope(model: Denoiser, x: Tensor, sigma: float, i: int, report: Report) -> Tensor:
    """d = (x - denoised) / sigma, Karras et al. 2022, algorithm 1, line 4."""
    denoised = model(x, sigma)
    report(i, denoised)
    return (x - denoised) / sigma


def _midpoint(model: Denoiser, x: Tensor, d: Tensor, sigma: float, target: float) -> Tensor:
    """From sigma to target with the slope at the geometric mean of both; an Euler step if the target is 0."""
    if target == 0:
        return x - d * sigma
    middle = math.sqrt(sigma * target)
    ahead = x + d * (middle - sigma)
    return x + (ahead - model(ahead, middle)) / middle * (target - sigma)
