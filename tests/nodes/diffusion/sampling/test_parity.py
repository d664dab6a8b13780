"""Schedules and samplers agree with the recorded numbers, on an analytic denoiser."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from nodes.diffusion.sampling.noise import SeededNoise, initial_noise
from nodes.diffusion.sampling.prediction import FlowSampling, ModelSampling, make_discrete, make_flow
from nodes.diffusion.sampling.sample import make_sigmas
from nodes.diffusion.sampling.samplers import SAMPLERS
from nodes.diffusion.sampling.schedules import SCHEDULERS

DATA = Path(__file__).parents[2] / "data" / "parity"
SIGMAS = load_file(DATA / "sigmas.safetensors")
LATENTS = load_file(DATA / "samplers.safetensors")
RECORDED: dict[str, Any] = json.loads((DATA / "cases.json").read_text())
CASES = list(enumerate(RECORDED["cases"]))

MODEL_SAMPLINGS: Mapping[str, ModelSampling] = {
    "sd15_eps": make_discrete("eps", 0.00085, 0.012),
    "sd2_v": make_discrete("v", 0.00085, 0.012),
    "sd3_flow_shift3": make_flow(3.0),
    "aura_flow_shift1.73_mult1": make_flow(1.73, multiplier=1.0),
}


@pytest.mark.parametrize("name", sorted(MODEL_SAMPLINGS))
@pytest.mark.parametrize("scheduler", sorted(SCHEDULERS))
def test_a_schedule_gives_the_recorded_sigmas(name: str, scheduler: str) -> None:
    counts = sorted(int(key.split("/")[2]) for key in SIGMAS if key.startswith(f"{name}/{scheduler}/"))
    assert counts
    for steps in counts:
        recorded = SIGMAS[f"{name}/{scheduler}/{steps}"]
        sigmas = SCHEDULERS[scheduler](MODEL_SAMPLINGS[name], steps)
        assert torch.isfinite(sigmas).all()
        if torch.isfinite(recorded).all():  # one step of kl_optimal was recorded as 0 / 0
            check_close(sigmas, recorded, 1e-6)


@pytest.mark.parametrize(("index", "case"), CASES)
def test_a_schedule_that_loses_its_next_to_last_level_is_the_recorded_one(index: int, case: dict[str, Any]) -> None:
    # The recording was left by the last sampler, uni_pc_bh2, which writes 0.001 over the final 0.
    recorded = LATENTS[f"{index}/sigmas:default"]
    sampling = MODEL_SAMPLINGS[case["model_sampling"]]
    sigmas = make_sigmas(sampling, "uni_pc_bh2", case["scheduler"], case["steps"], case["denoise"])
    check_close(sigmas[:-1], recorded[:-1], 1e-6)
    assert (float(sigmas[-1]), float(recorded[-1])) == (0, pytest.approx(0.001))


class Analytic:
    """The denoiser that the recording describes: the posterior mean of a Gaussian, with a small nonlinear term."""

    def __init__(self, sampling: ModelSampling, cfg: float) -> None:
        self.sampling, self._cfg, self.calls = sampling, cfg, 0

    def __call__(self, x: Tensor, sigma: float) -> Tensor:
        return self.pair(x, sigma)[0]

    def pair(self, x: Tensor, sigma: float) -> tuple[Tensor, Tensor]:
        self.calls += 1
        positive, negative = (self._denoised(x, sigma, mu) for mu in (0.7, -0.3))
        return negative + self._cfg * (positive - negative), negative

    def _denoised(self, x: Tensor, s: float, mu: float, v: float = 0.25) -> Tensor:
        a = 1 - s if isinstance(self.sampling, FlowSampling) else 1.0
        post = mu + a * v / (a * a * v + s * s) * (x - a * mu)
        return post + 0.05 * torch.tanh(x) * s / (1 + s)


@pytest.mark.parametrize(("index", "case"), CASES)
@pytest.mark.parametrize("sampler_name", SAMPLERS)
def test_a_sampler_gives_the_recorded_latent(sampler_name: str, index: int, case: dict[str, Any]) -> None:
    sampling = MODEL_SAMPLINGS[case["model_sampling"]]
    sigmas = make_sigmas(sampling, sampler_name, case["scheduler"], case["steps"], case["denoise"])
    levels = sigmas.tolist()
    latent = torch.zeros(case["shape"])
    if case["denoise"] < 1:
        latent = 0.4 * torch.sin(torch.arange(latent.numel()).float()).reshape(latent.shape)
    noise = initial_noise(latent, case["seed"])
    x = sampling.noised(
        levels[0], noise, latent, from_scratch=math.isclose(levels[0], sampling.sigma_max, rel_tol=1e-5)
    )
    model, reported = Analytic(sampling, case["cfg"]), list[int]()
    result = SAMPLERS[sampler_name](
        model, x, levels, SeededNoise(x, levels, case["seed"]), lambda step, _: reported.append(step)
    )
    check_close(sampling.finished(levels[-1], result), LATENTS[f"{index}/{sampler_name}"], 1e-4)
    assert model.calls == RECORDED["calls"][f"{index}/{sampler_name}"]["model_calls"]
    assert reported[0] == 0
    assert reported == sorted(reported)
    assert reported[-1] < case["steps"]


def check_close(mine: Tensor, theirs: Tensor, tolerance: float) -> None:
    assert mine.shape == theirs.shape
    assert float((mine - theirs).abs().max() / theirs.abs().max()) < tolerance
