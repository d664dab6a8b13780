"""A model can be read in another way, and steered in another way, without being changed itself."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from executor.schema import InputError
from nodes import model_sampling as patches
from nodes.conditioning import clip_text_encode
from nodes.custom_sampling import k_sampler_select, perp_neg_guider, random_noise, sampler_custom_advanced
from nodes.diffusion.memory.device import DeviceMemory
from nodes.diffusion.sampling import steering
from nodes.diffusion.sampling.masks import differential
from nodes.diffusion.sampling.prediction import (
    ContinuousSampling,
    DiscreteSampling,
    FlowSampling,
    ModelSampling,
    make_discrete,
    make_flow,
)
from nodes.diffusion.sampling.schedules import SCHEDULERS
from nodes.diffusion.sampling.steering import Guided, Steering
from nodes.diffusion.values import Model
from nodes.latent import empty_latent_image, set_latent_noise_mask
from nodes.loaders import Checkpoint
from nodes.sigmas import align_your_steps_scheduler, basic_scheduler
from tests.nodes.conftest import Sample

EPS = make_discrete("eps", 0.00085, 0.012)


def sampling_of(model: Model, kind: type[Any]) -> Any:
    assert isinstance(model.sampling, kind)
    return model.sampling


@pytest.fixture
def model(checkpoint: Checkpoint) -> Model:
    return checkpoint.MODEL


def test_a_prediction_can_be_read_as_another_and_the_model_stays(model: Model) -> None:
    for name, prediction in (("eps", "eps"), ("v_prediction", "v"), ("x0", "x0")):
        made = patches.model_sampling_discrete(model=model, sampling=name)
        assert sampling_of(made, DiscreteSampling).prediction == prediction
        assert made.network is model.network
    assert sampling_of(model, DiscreteSampling).prediction == "eps"


def perfect(sampling: ModelSampling, clean: Tensor, noise: Tensor, sigma: float) -> Tensor:
    """What a network that knows everything predicts, in the words of each parametrization's paper."""
    prediction = getattr(sampling, "prediction", "flow")
    data = getattr(sampling, "sigma_data", 1.0)
    x = clean + sigma * noise
    match prediction:
        case "eps":
            return noise
        case "x0":
            return clean
        case "v":
            return (data * noise - sigma * clean / data) / math.sqrt(1 + (sigma / data) ** 2) * (1 / data)
        case "edm":
            c_skip = data**2 / (sigma**2 + data**2)
            return (clean - c_skip * x) * math.sqrt(sigma**2 + data**2) / (sigma * data)
    return noise - clean


@pytest.mark.parametrize(
    "sampling",
    [EPS, make_discrete("v", 0.00085, 0.012), DiscreteSampling("x0", EPS.table), ContinuousSampling("v", 0.03, 500.0),
     ContinuousSampling("eps", 0.002, 120.0), ContinuousSampling("edm", 0.002, 120.0, 0.5), make_flow(3.0)],
    ids=lambda one: f"{type(one).__name__} {getattr(one, 'prediction', '')}",
)  # fmt: skip
def test_a_perfect_prediction_gives_the_clean_latent(sampling: ModelSampling) -> None:
    clean, noise = torch.randn(2, 2, 4, 3, 3, generator=torch.Generator().manual_seed(0)).double()
    for sigma in (0.1, 0.7, 0.95):
        x = sampling.noised(sigma, noise, clean)
        made = sampling.denoised(perfect(sampling, clean, noise, sigma), x, torch.full((2,), sigma).double())
        assert torch.allclose(made, clean, atol=1e-5)


def test_a_latent_consistency_model_knows_fifty_levels_and_forgets_the_input_at_high_ones(model: Model) -> None:
    lcm = sampling_of(patches.model_sampling_discrete(model=model, sampling="lcm"), DiscreteSampling)
    full = sampling_of(model, DiscreteSampling)
    assert len(lcm.table) == 50
    assert torch.equal(lcm.table, full.table[19::20])
    assert lcm.timestep(torch.tensor([lcm.sigma_max, lcm.sigma_min])).tolist() == [999, 19]
    assert torch.allclose(lcm.sigma(torch.tensor([999.0, 19.0])), lcm.table[[-1, 0]])
    x, eps = torch.full((1, 4, 2, 2), 2.0), torch.full((1, 4, 2, 2), 0.5)
    t = 10.0 * 19
    c_skip, c_out = 0.25 / (t**2 + 0.25), t / math.sqrt(t**2 + 0.25)
    expected = c_skip * x + c_out * (x - lcm.sigma_min * eps)
    assert torch.allclose(lcm.denoised(eps, x, torch.tensor([lcm.sigma_min])), expected)
    for scheduler in SCHEDULERS.values():
        sigmas = scheduler(lcm, 4)
        assert torch.isfinite(sigmas).all()
        assert sigmas[-1] == 0


def test_zero_terminal_snr_keeps_the_first_level_and_leaves_no_signal_in_the_last(model: Model) -> None:
    from diffusers.schedulers.scheduling_ddim import rescale_zero_terminal_snr

    known = sampling_of(model, DiscreteSampling)
    made = sampling_of(patches.model_sampling_discrete(model=model, sampling="eps", zsnr=True), DiscreteSampling)
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2
    abar = torch.cumprod(1 - rescale_zero_terminal_snr(betas), dim=0)
    expected = ((1 - abar) / abar).sqrt()[:-1].float()
    assert torch.allclose(made.table[:-1], expected, rtol=1e-3)
    assert made.sigma_min == pytest.approx(known.sigma_min, rel=1e-5)
    assert made.sigma_max == pytest.approx(4518, rel=0.01)


def test_continuous_levels_are_told_to_the_network_as_their_papers_say(model: Model) -> None:
    edm = patches.model_sampling_continuous_edm(model=model, sampling="edm", sigma_max=80.0, sigma_min=0.002)
    one = sampling_of(edm, ContinuousSampling)
    assert (one.sigma_min, one.sigma_max, one.sigma_data) == (0.002, 80.0, 0.5)
    assert float(one.timestep(torch.tensor(2.0))) == pytest.approx(math.log(2) / 4)
    angle = patches.model_sampling_continuous_v(model=model, sampling="v_prediction", sigma_max=500.0, sigma_min=0.03)
    other = sampling_of(angle, ContinuousSampling)
    assert float(other.timestep(torch.tensor(1.0))) == pytest.approx(0.5)
    for sampling in (one, other):
        sigma = torch.tensor([0.1, 1.0, 20.0])
        assert torch.allclose(sampling.sigma(sampling.timestep(sigma)), sigma, rtol=1e-4)
        assert sampling.level_at(0.0) == pytest.approx(sampling.sigma_max)
        assert sampling.level_at(1.0) == pytest.approx(sampling.sigma_min)


def test_a_model_can_be_taken_for_a_flow(model: Model) -> None:
    shifted = sampling_of(patches.model_sampling_sd3(model=model, shift=3.0), FlowSampling)
    assert float(shifted.timestep(torch.tensor(0.5))) == 500
    assert shifted.level_at(0.5) == pytest.approx(0.75)
    aura = sampling_of(patches.model_sampling_aura_flow(model=model, shift=1.73), FlowSampling)
    assert float(aura.timestep(torch.tensor(0.5))) == 0.5


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (lambda model: patches.model_sampling_discrete(model=model, sampling="img_to_img"), "sampling"),
        (
            lambda model: patches.model_sampling_discrete(
                model=patches.model_sampling_sd3(model=model), sampling="eps"
            ),
            "model",
        ),
        (lambda model: patches.model_sampling_continuous_edm(model=model, sampling="eps", sigma_min=0.0), "sigma_min"),
        (lambda model: patches.model_sampling_continuous_v(model=model, sampling="", sigma_max=0.01), "sigma_min"),
        (lambda model: patches.model_sampling_sd3(model=model, shift=0.0), "shift"),
        (lambda model: patches.model_sampling_continuous_edm(model=model, sampling="cosmos_rflow"), "sampling"),
    ],
)
def test_an_impossible_reading_is_named(make: Callable[[Model], Model], field: str, model: Model) -> None:
    with pytest.raises(InputError) as error:
        make(model)
    assert error.value.input_name == field


def step(cfg: float = 7.0, seed: int = 0) -> Guided:
    x, positive, negative = torch.randn(3, 2, 4, 5, 5, generator=torch.Generator().manual_seed(seed))
    return Guided(3 * x, 3.0, positive, negative, cfg, EPS, positive)


def velocity(one: Guided, denoised: Tensor) -> Tensor:
    return (one.x - (1 + one.sigma**2) * denoised) / (one.sigma * math.sqrt(1 + one.sigma**2))


def test_rescaled_guidance_has_the_spread_of_the_positive_prediction() -> None:
    one = step()
    assert torch.allclose(steering.rescaled(0.0)(one), steering.plain(one), atol=1e-5)
    whole = velocity(one, steering.rescaled(1.0)(one)).std(dim=(1, 2, 3))
    assert torch.allclose(whole, velocity(one, one.positive).std(dim=(1, 2, 3)), rtol=1e-4)
    middle = steering.rescaled(0.5)(one)
    assert torch.allclose(middle, (steering.plain(one) + steering.rescaled(1.0)(one)) / 2, atol=1e-5)


def test_zero_star_ignores_how_long_the_negative_velocity_is() -> None:
    one = step()
    longer = Guided(one.x, 3.0, one.positive, one.x - 5 * (one.x - one.negative), 7.0, EPS, one.positive)
    assert torch.allclose(steering.zero_star(one), steering.zero_star(longer), atol=1e-3)
    assert not torch.allclose(steering.plain(one), steering.plain(longer), atol=0.1)


def test_projected_guidance_is_plain_where_nothing_is_cut() -> None:
    one = step()

    def steered(*options: float) -> Tensor:
        return steering.steer(Steering(before=(steering.projected(*options),)), one)

    assert torch.allclose(steered(1.0, 0.0, 0.0), steering.plain(one), atol=1e-4)
    change = steered(0.0, 0.0, 0.0) - one.positive
    along = (change * one.positive).sum(dim=(1, 2, 3)) / one.positive.square().sum(dim=(1, 2, 3))
    assert torch.allclose(along, torch.zeros(2), atol=1e-4), "nothing along the picture is left"
    norm = (steered(1.0, 2.0, 0.0) - one.positive).square().sum(dim=(1, 2, 3)).sqrt()
    assert torch.allclose(norm, torch.full((2,), 2.0 * (one.cfg - 1)), rtol=1e-3)


def test_momentum_carries_guidance_from_step_to_step_of_one_run() -> None:
    prepare = Steering(before=(steering.projected(1.0, 0.0, -0.5),))
    one = step()
    first = steering.steer(prepare, one)
    assert torch.allclose(first, steering.plain(one), atol=1e-4)
    assert not torch.allclose(steering.steer(prepare, one), first, atol=0.1)
    assert torch.allclose(steering.steer(prepare, step()), first, atol=1e-4), "another run begins anew"


def test_tangential_damping_keeps_what_both_predictions_share() -> None:
    one = step()
    same = Guided(one.x, 3.0, one.positive, one.positive, 7.0, EPS, one.positive)
    assert torch.allclose(steering.damped(same)[1], one.positive, atol=1e-4)
    positive, negative = steering.damped(one)
    assert positive is one.positive
    before, after = ((one.x - made).square().sum() for made in (one.negative, negative))
    assert after < before


def test_perp_neg_leaves_out_what_the_negative_shares_with_the_positive() -> None:
    one = step()
    empty, main = one.negative, one.positive - one.negative
    along = empty + 2 * main
    expected = empty + 7.0 * main
    assert torch.allclose(steering.perpendicular(one.positive, along, empty, 7.0, 1.0), expected, atol=1e-4)
    noise = torch.randn(main.shape, generator=torch.Generator().manual_seed(9))
    across = noise - (noise * main).sum((1, 2, 3), True) / main.square().sum((1, 2, 3), True) * main
    made = steering.perpendicular(one.positive, empty + across, empty, 7.0, 0.5)
    assert torch.allclose(made, expected - 7.0 * 0.5 * across, atol=1e-4)


def test_a_soft_mask_says_from_when_on_a_place_may_change() -> None:
    sigmas = SCHEDULERS["normal"](EPS, 10).tolist()
    mask = torch.linspace(0, 1, 11).reshape(1, 1, 1, 11)
    begun = [int(differential(1.0)(mask, sigma, sigmas, EPS).sum()) for sigma in sigmas[:-1]]
    assert begun[0] == 1, "only what is wholly masked changes from the start"
    assert begun[-1] == 11
    assert begun == sorted(begun)
    half = differential(0.5)(mask, sigmas[0], sigmas, EPS)
    assert torch.allclose(half, 0.5 * (mask >= 1).float() + 0.5 * mask)


PATCHES: dict[str, Callable[[Model], Model]] = {
    "rescale": lambda model: patches.rescale_cfg(model=model, multiplier=0.7),
    "zero star": lambda model: patches.cfg_zero_star(model=model).patched_model,
    "tcfg": lambda model: patches.tcfg(model=model).patched_model,
    "apg": lambda model: patches.apg(model=model, norm_threshold=0.5),
    "zsnr": lambda model: patches.model_sampling_discrete(model=model, sampling="v_prediction", zsnr=True),
    "lcm": lambda model: patches.model_sampling_discrete(model=model, sampling="lcm"),
    "edm": lambda model: patches.model_sampling_continuous_edm(model=model, sampling="edm"),
    "flow": lambda model: patches.model_sampling_sd3(model=model),
}


def test_a_patched_model_samples_otherwise_and_the_first_one_as_before(sample: Sample, model: Model) -> None:
    before = sample(model)
    made = {name: sample(patch(model)) for name, patch in PATCHES.items()}
    for name, one in made.items():
        assert torch.isfinite(one).all(), name
        assert not torch.allclose(one, before, atol=1e-3), name
    assert torch.equal(sample(model), before)
    both = patches.cfg_zero_star(model=PATCHES["rescale"](model)).patched_model
    assert both.steering.formula is not None
    assert len(both.steering.after) == 1


@pytest.mark.parametrize(("dtype", "epsilon"), [("fp32", 2.0**-23), ("bf16", 2.0**-8), ("fp16", 2.0**-10)])
def test_a_model_computes_in_the_type_that_it_is_told(dtype: Any, epsilon: float, sample: Sample, model: Model) -> None:
    before = sample(model)
    usual = model.network.dtype
    told = patches.model_compute_dtype(model=model, dtype=dtype)
    made = sample(told)
    assert model.network.dtype == told.compute
    assert torch.dist(made, before) < 30 * epsilon * before.norm()
    assert sample(patches.model_compute_dtype(model=told, dtype="default")).equal(before)
    assert model.network.dtype == usual


def test_a_hard_mask_is_the_same_for_differential_diffusion(sample: Sample, model: Model) -> None:
    mask = torch.zeros(1, 64, 64)
    mask[..., 32:] = 1
    latent = set_latent_noise_mask(samples=empty_latent_image(width=64, height=64, batch_size=1), mask=mask)
    patched = patches.differential_diffusion(model=model)
    # The threshold is 0 at the last level, where a place with mask 0 may change.
    hard = sample(patched, latent_image=latent, denoise=0.5)
    assert torch.isfinite(hard).all()
    soft = set_latent_noise_mask(samples=latent, mask=mask * 0.5 + 0.25)
    assert not torch.allclose(sample(patched, latent_image=soft), sample(model, latent_image=soft), atol=1e-3)


def test_perp_neg_with_an_empty_negative_is_plain_guidance(
    checkpoint: Checkpoint, shared_memory: DeviceMemory, watcher: Any, sample: Sample
) -> None:
    text, empty = (clip_text_encode(text=one, clip=checkpoint.CLIP, memory=shared_memory) for one in ("a cube", ""))
    guider = perp_neg_guider(
        model=checkpoint.MODEL, positive=text, negative=empty, empty_conditioning=empty, cfg=6.0, neg_scale=1.0
    )
    made = sampler_custom_advanced(
        noise=random_noise(noise_seed=1), guider=guider, sampler=k_sampler_select(sampler_name="euler"),
        sigmas=basic_scheduler(model=checkpoint.MODEL, scheduler="normal", steps=3, denoise=1.0),
        latent_image=empty_latent_image(width=64, height=64, batch_size=1), memory=shared_memory, progress=watcher,
    )  # fmt: skip
    assert torch.allclose(made.output.samples, sample(checkpoint.MODEL), atol=1e-3)


def test_the_published_levels_are_those_of_align_your_steps() -> None:
    published = {
        "SD1": [14.615, 6.475, 3.861, 2.697, 1.886, 1.396, 0.963, 0.652, 0.399, 0.152, 0.0],
        "SDXL": [14.615, 6.315, 3.771, 2.181, 1.342, 0.862, 0.555, 0.380, 0.234, 0.113, 0.0],
        "SVD": [700.0, 54.5, 15.886, 7.977, 4.248, 1.789, 0.981, 0.403, 0.173, 0.034, 0.0],
    }
    for family, sigmas in published.items():
        made = align_your_steps_scheduler(model_type=family, steps=10, denoise=1.0)
        assert torch.allclose(made, torch.tensor(sigmas), rtol=0.02)
    twice = align_your_steps_scheduler(model_type="SVD", steps=20, denoise=1.0)
    assert torch.allclose(twice[2:20:2], torch.tensor(published["SVD"][1:-1]), rtol=1e-4)
    assert float(twice[1]) == pytest.approx(math.sqrt(700 * 54.5), rel=1e-4)
    assert torch.equal(align_your_steps_scheduler(model_type="SVD", steps=20, denoise=0.5), twice[10:])
    assert len(align_your_steps_scheduler(model_type="SD1", steps=10, denoise=0.0)) == 0
