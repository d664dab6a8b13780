"""Every option of a sampler node reaches the sampler: at some values one sampler must become another."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from executor.schema import InputError
from nodes import sampler_choices as choices
from nodes.diffusion.sampling.noise import SeededNoise
from nodes.diffusion.sampling.prediction import ModelSampling, make_discrete, make_flow
from nodes.diffusion.sampling.samplers import choose_sampler
from nodes.diffusion.sampling.samplers.contract import SamplerChoice
from nodes.diffusion.sampling.schedules import karras, sgm_uniform

EPS, FLOW = make_discrete("eps", 0.00085, 0.012), make_flow(3.0)
MODEL: Any = SimpleNamespace(sampling=EPS)
SA = {"model": MODEL, "use_pece": False, "simple_order_2": False}


@dataclass
class Curved:
    """The posterior mean of a Gaussian with a small nonlinear term, so that no sampler is exact."""

    sampling: ModelSampling = EPS

    def __call__(self, x: Tensor, sigma: float) -> Tensor:
        return self.pair(x, sigma)[0]

    def pair(self, x: Tensor, sigma: float) -> tuple[Tensor, Tensor]:
        a = self.sampling.alpha(sigma)
        clean = 0.7 + a * 0.25 / (a * a * 0.25 + sigma**2) * (x - a * 0.7) + 0.05 * torch.tanh(x) * sigma / (1 + sigma)
        return clean, clean - 0.3


def levels(sampling: ModelSampling, steps: int = 8) -> Sequence[float]:
    return (karras if sampling is EPS else sgm_uniform)(sampling, steps).tolist()


def run(choice: SamplerChoice, sampling: ModelSampling = EPS, steps: int = 8, seed: int = 3) -> Tensor:
    sigmas = levels(sampling, steps)
    latent = torch.zeros(1, 4, 6, 6)
    noise = torch.randn(latent.shape, generator=torch.Generator().manual_seed(seed))
    x = sampling.noised(sigmas[0], noise, latent, from_scratch=True)
    return choice.function(Curved(sampling), x, sigmas, SeededNoise(x, sigmas, seed), lambda *_: None)


def distance(one: Tensor, other: Tensor) -> float:
    return float((one - other).abs().max() / other.abs().max())


SAME: list[tuple[str, SamplerChoice, str]] = [
    ("Euler ancestral as it stands", choices.sampler_euler_ancestral(), "euler_ancestral"),
    ("Euler ancestral without eta", choices.sampler_euler_ancestral(eta=0.0), "euler"),
    ("CFG++ as it stands", choices.sampler_euler_ancestral_cfg_pp(), "euler_ancestral_cfg_pp"),
    ("CFG++ without eta", choices.sampler_euler_ancestral_cfg_pp(eta=0.0), "euler_cfg_pp"),
    ("CFG++ by its other name", choices.sampler_euler_cfg_pp(version="regular"), "euler_cfg_pp"),
    ("LMS as it stands", choices.sampler_lms(), "lms"),
    ("LMS of order one", choices.sampler_lms(order=1), "euler"),
    ("2M SDE", choices.sampler_dpmpp_2m_sde(solver_type="midpoint", noise_device="cpu"), "dpmpp_2m_sde"),
    ("2M SDE with Heun", choices.sampler_dpmpp_2m_sde(solver_type="heun", noise_device="cpu"), "dpmpp_2m_sde_heun"),
    (
        "2M SDE without eta",
        choices.sampler_dpmpp_2m_sde(solver_type="midpoint", eta=0.0, noise_device="cpu"),
        "dpmpp_2m",
    ),
    ("3M SDE", choices.sampler_dpmpp_3m_sde(noise_device="cpu"), "dpmpp_3m_sde"),
    ("SDE", choices.sampler_dpmpp_sde(noise_device="cpu"), "dpmpp_sde"),
    ("2S ancestral", choices.sampler_dpmpp_2s_ancestral(), "dpmpp_2s_ancestral"),
    ("adaptive", choices.sampler_dpm_adaptative(), "dpm_adaptive"),
    ("ER-SDE", choices.sampler_er_sde(solver_type="ER-SDE"), "er_sde"),
    ("ER-SDE's ODE in one stage", choices.sampler_er_sde(solver_type="ODE", max_stage=1), "euler"),
    (
        "the reverse SDE in one stage",
        choices.sampler_er_sde(solver_type="Reverse-time SDE", max_stage=1),
        "euler_ancestral",
    ),
    ("SEEDS-2", choices.sampler_seeds_2(solver_type="phi_1"), "seeds_2"),
    ("SEEDS-2 at the end of the step", choices.sampler_seeds_2(solver_type="phi_2", r=1.0), "exp_heun_2_x0_sde"),
    ("that without noise", choices.sampler_seeds_2(solver_type="phi_2", r=1.0, eta=0.0), "exp_heun_2_x0"),
    ("SA-Solver", choices.sampler_sa_solver(**SA), "sa_solver"),
    ("SA-Solver PECE", choices.sampler_sa_solver(**SA | {"use_pece": True}), "sa_solver_pece"),
    ("SA-Solver, least", choices.sampler_sa_solver(**SA, eta=0.0, predictor_order=1, corrector_order=0), "euler"),
    ("LCM that stays", choices.sampler_lcm_upscale(upscale_method="bilinear"), "lcm"),
]  # fmt: skip


@pytest.mark.parametrize(("choice", "named"), [one[1:] for one in SAME], ids=[one[0] for one in SAME])
def test_with_these_options_it_is_that_sampler(choice: SamplerChoice, named: str) -> None:
    assert distance(run(choice), run(choose_sampler(named))) < 2e-5


@pytest.mark.parametrize("named", ["euler_ancestral", "dpmpp_2m_sde", "dpmpp_sde", "dpmpp_2s_ancestral", "seeds_2"])
def test_the_defaults_hold_for_flows_too(named: str) -> None:
    made = {
        "euler_ancestral": choices.sampler_euler_ancestral(),
        "dpmpp_2m_sde": choices.sampler_dpmpp_2m_sde(solver_type="midpoint", noise_device="cpu"),
        "dpmpp_sde": choices.sampler_dpmpp_sde(noise_device="cpu"),
        "dpmpp_2s_ancestral": choices.sampler_dpmpp_2s_ancestral(),
        "seeds_2": choices.sampler_seeds_2(solver_type="phi_1"),
    }[named]
    assert distance(run(made, FLOW), run(choose_sampler(named), FLOW)) < 1e-6


NOISY: dict[str, Callable[..., SamplerChoice]] = {
    "euler ancestral": choices.sampler_euler_ancestral,
    "euler ancestral cfg++": choices.sampler_euler_ancestral_cfg_pp,
    "2m sde": lambda **some: choices.sampler_dpmpp_2m_sde(solver_type="midpoint", noise_device="cpu", **some),
    "2m sde heun": lambda **some: choices.sampler_dpmpp_2m_sde(solver_type="heun", noise_device="cpu", **some),
    "3m sde": lambda **some: choices.sampler_dpmpp_3m_sde(noise_device="cpu", **some),
    "sde": lambda **some: choices.sampler_dpmpp_sde(noise_device="cpu", **some),
    "2s": choices.sampler_dpmpp_2s_ancestral,
    "er": lambda **some: choices.sampler_er_sde(solver_type="Reverse-time SDE", **some),
    "seeds": lambda **some: choices.sampler_seeds_2(solver_type="phi_1", **some),
    "sa": lambda **some: choices.sampler_sa_solver(**SA, **some),
}


@pytest.mark.parametrize("make", NOISY.values(), ids=NOISY)
def test_without_eta_the_seed_matters_no_more_than_for_the_start_and_all_agree(
    make: Callable[..., SamplerChoice],
) -> None:
    fine = run(choose_sampler("dpmpp_2m"), steps=120)
    if make is not NOISY["euler ancestral cfg++"]:  # guided otherwise, so it goes elsewhere
        assert distance(run(make(eta=0.0), steps=120), fine) < 0.02
    silent, loud = run(make(s_noise=0.0)), run(make())
    assert distance(silent, loud) > 0.01
    assert distance(run(make(eta=0.0, s_noise=0.0)), run(make(eta=0.0))) < 1e-6, "no noise to scale"
    assert distance(run(make(eta=0.5)), loud) > 0.005


@pytest.mark.parametrize(
    "options",
    [{"order": 2}, {"rtol": 0.001}, {"atol": 0.0001}, {"h_init": 0.5}, {"pcoeff": 0.3}, {"dcoeff": 0.2},
     {"icoeff": 0.5}, {"accept_safety": 0.99}, {"eta": 0.5}],
    ids=lambda options: next(iter(options)),
)  # fmt: skip
def test_each_option_of_the_adaptive_solver_changes_its_steps_and_not_its_goal(options: dict[str, Any]) -> None:
    changed, plain = run(choices.sampler_dpm_adaptative(**options)), run(choose_sampler("dpm_adaptive"))
    assert not torch.equal(changed, plain)
    if "eta" not in options:
        assert distance(changed, plain) < 0.05


def test_the_simplified_coefficients_come_near_the_full_ones_as_steps_shrink() -> None:
    for orders in ({"predictor_order": 2, "corrector_order": 0}, {"predictor_order": 1, "corrector_order": 2}):
        gaps = []
        for steps in (20, 80):
            full, simple = (
                run(choices.sampler_sa_solver(**SA | {"simple_order_2": mode}, eta=0.0, **orders), steps=steps)
                for mode in (False, True)
            )
            gaps.append(distance(simple, full))
        assert 0 < gaps[1] < gaps[0] / 4


def test_the_stochastic_interval_of_the_sa_solver_is_a_share_of_the_sampling() -> None:
    never = choices.sampler_sa_solver(**SA, sde_start_percent=0.0, sde_end_percent=0.0)
    silent = choices.sampler_sa_solver(**SA, eta=0.0)
    assert distance(run(never), run(silent)) < 0.05
    always = choices.sampler_sa_solver(**SA, sde_start_percent=0.0, sde_end_percent=1.0)
    assert distance(run(always), run(choices.sampler_sa_solver(**SA))) > 0.01


@pytest.mark.parametrize(
    ("ratio", "steps", "expected"), [(2.0, -1, [6, 8, 10, 12]), (2.0, 1, [6, 12, 12, 12]), (0.5, 2, [6, 4, 3, 3])]
)
def test_an_lcm_latent_grows_from_step_to_step(ratio: float, steps: int, expected: list[int]) -> None:
    choice = choices.sampler_lcm_upscale(scale_ratio=ratio, scale_steps=steps, upscale_method="bislerp")
    seen: list[int] = []
    sigmas = levels(EPS, 4)
    x = torch.randn(1, 4, 6, 6, generator=torch.Generator().manual_seed(0)) * sigmas[0]
    result = choice.function(
        Curved(), x, sigmas, SeededNoise(x, sigmas, 0), lambda _, denoised: seen.append(denoised.shape[-1])
    )
    assert seen == expected
    assert result.shape[-2:] == (expected[-1], expected[-1])


def test_where_noise_is_drawn_is_the_nodes_choice() -> None:
    for device, on_device in (("gpu", True), ("cpu", False)):
        assert choices.sampler_dpmpp_sde(noise_device=device).noise_on_device is on_device
        assert choices.sampler_dpmpp_3m_sde(noise_device=device).noise_on_device is on_device
        assert choices.sampler_dpmpp_2m_sde(solver_type="heun", noise_device=device).noise_on_device is on_device
    assert choose_sampler("dpmpp_sde_gpu").noise_on_device
    assert not choose_sampler("dpmpp_sde").noise_on_device


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (lambda: choices.sampler_dpmpp_sde(r=0.0, noise_device="cpu"), "r"),
        (lambda: choices.sampler_dpm_adaptative(h_init=0.0), "h_init"),
        (lambda: choices.sampler_dpm_adaptative(rtol=0.0, atol=0.0), "rtol"),
        (lambda: choices.sampler_euler_cfg_pp(version="alternative"), "version"),
    ],
)
def test_what_no_sampler_can_do_is_named(make: Callable[[], SamplerChoice], field: str) -> None:
    with pytest.raises(InputError, match=r"Choose|Raise") as error:
        make()
    assert error.value.input_name == field


@pytest.mark.parametrize("eta", [0.0, 0.4, 1.0])
def test_ddim_with_its_eta_is_the_ancestral_sampler(eta: float) -> None:
    """Song et al. 2020, equations 12 and 16, on the variance-preserving latent x / sqrt(1 + sigma^2)."""
    sigmas = levels(EPS)
    start = torch.randn(1, 4, 6, 6, generator=torch.Generator().manual_seed(3)) * sigmas[0]
    noise, model = SeededNoise(start, sigmas, 3), Curved()
    x = start / (1 + sigmas[0] ** 2) ** 0.5
    for sigma, after in pairwise(sigmas):
        abar, abar_next = 1 / (1 + sigma**2), 1 / (1 + after**2)
        clean = model(x / abar**0.5, sigma)
        eps = (x - abar**0.5 * clean) / (1 - abar) ** 0.5
        s = eta * ((1 - abar_next) / (1 - abar)) ** 0.5 * (1 - abar / abar_next) ** 0.5
        x = abar_next**0.5 * clean + max(0.0, 1 - abar_next - s**2) ** 0.5 * eps
        if after > 0:
            x = x + s * noise.normal()
    made = choices.sampler_euler_ancestral(eta=eta).function(
        Curved(), start, sigmas, SeededNoise(start, sigmas, 3), lambda *_: None
    )
    assert distance(made, x) < 1e-5
