"""A sampling run that is put together from parts is the same run as that of the plain sampler."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from nodes.conditioning import clip_text_encode, conditioning_set_area
from nodes.custom_sampling import (
    Sampled,
    add_noise,
    basic_guider,
    cfg_guider,
    disable_noise,
    dual_cfg_guider,
    k_sampler_select,
    random_noise,
    sampler_custom,
    sampler_custom_advanced,
)
from nodes.diffusion.memory.device import DeviceMemory
from nodes.diffusion.sampling.noise import initial_noise
from nodes.diffusion.values import Conditioning, Latent
from nodes.latent import empty_latent_image, set_latent_noise_mask
from nodes.loaders import Checkpoint
from nodes.sampling import k_sampler
from nodes.sigmas import basic_scheduler, split_sigmas

STEPS = 3
Texts = tuple[Conditioning, Conditioning]
Advanced = Callable[..., Sampled]


@pytest.fixture(scope="module")
def texts(checkpoint: Checkpoint, shared_memory: DeviceMemory) -> Texts:
    one, two = (clip_text_encode(text=text, clip=checkpoint.CLIP, memory=shared_memory) for text in ("a cube", ""))
    return one, two


@pytest.fixture(scope="module")
def empty() -> Latent:
    return empty_latent_image(width=64, height=64, batch_size=1)


@pytest.fixture
def advanced(
    checkpoint: Checkpoint, texts: Texts, empty: Latent, shared_memory: DeviceMemory, watcher: Any
) -> Advanced:
    """The advanced custom sampler with whatever is changed."""

    def sample(**changes: Any) -> Sampled:
        inputs: dict[str, Any] = {
            "noise": random_noise(noise_seed=1),
            "guider": cfg_guider(model=checkpoint.MODEL, positive=texts[0], negative=texts[1], cfg=4.0),
            "sampler": k_sampler_select(sampler_name="euler"),
            "sigmas": basic_scheduler(model=checkpoint.MODEL, scheduler="normal", steps=STEPS, denoise=1.0),
            "latent_image": empty,
        }
        return sampler_custom_advanced(**(inputs | changes), memory=shared_memory, progress=watcher)

    return sample


@pytest.fixture
def plain(
    checkpoint: Checkpoint, texts: Texts, empty: Latent, shared_memory: DeviceMemory, watcher: Any
) -> Callable[..., Tensor]:
    """The plain sampler's latent with whatever is changed."""

    def sample(**changes: Any) -> Tensor:
        inputs: dict[str, Any] = {
            "model": checkpoint.MODEL, "seed": 1, "steps": STEPS, "cfg": 4.0, "sampler_name": "euler",
            "scheduler": "normal", "positive": texts[0], "negative": texts[1], "latent_image": empty, "denoise": 1.0,
        }  # fmt: skip
        return k_sampler(**(inputs | changes), memory=shared_memory, progress=watcher).samples

    return sample


def test_the_parts_give_the_plain_samplers_latent(
    advanced: Advanced, plain: Callable[..., Tensor], watcher: Any
) -> None:
    made = advanced()
    assert watcher.steps == [(step, STEPS) for step in range(1, STEPS + 1)]
    assert torch.equal(made.output.samples, plain())
    assert torch.allclose(made.denoised_output.samples, made.output.samples, atol=1e-4)


@pytest.mark.parametrize("sampler_name", ["euler_ancestral", "dpmpp_sde", "ddim"])
def test_the_noise_of_samplers_and_masks_is_the_plain_samplers_too(
    advanced: Advanced, plain: Callable[..., Tensor], empty: Latent, sampler_name: str
) -> None:
    mask = torch.zeros(1, 64, 64)
    mask[..., 32:] = 1
    masked = set_latent_noise_mask(samples=empty, mask=mask)
    made = advanced(sampler=k_sampler_select(sampler_name=sampler_name), latent_image=masked).output
    assert torch.equal(made.samples, plain(sampler_name=sampler_name, latent_image=masked))
    assert made.noise_mask is mask


def test_the_model_and_texts_may_be_given_to_the_sampler_itself(
    advanced: Advanced, checkpoint: Checkpoint, texts: Texts, empty: Latent, shared_memory: DeviceMemory, watcher: Any
) -> None:
    def custom(**changes: Any) -> Tensor:
        inputs: dict[str, Any] = {
            "model": checkpoint.MODEL, "add_noise": True, "noise_seed": 1, "cfg": 4.0, "positive": texts[0],
            "negative": texts[1], "sampler": k_sampler_select(sampler_name="euler"), "latent_image": empty,
            "sigmas": basic_scheduler(model=checkpoint.MODEL, scheduler="normal", steps=STEPS, denoise=1.0),
        }  # fmt: skip
        return sampler_custom(**(inputs | changes), memory=shared_memory, progress=watcher).output.samples

    assert torch.equal(custom(), advanced().output.samples)
    assert torch.equal(custom(add_noise=False), advanced(noise=disable_noise()).output.samples)
    assert not torch.allclose(custom(add_noise=False), custom(), atol=0.01)


def test_a_schedule_may_be_split_between_two_samplers(advanced: Advanced, checkpoint: Checkpoint) -> None:
    sigmas = basic_scheduler(model=checkpoint.MODEL, scheduler="normal", steps=STEPS, denoise=1.0)
    high, low = split_sigmas(sigmas=sigmas, step=1)
    first = advanced(sigmas=high)
    whole = advanced(noise=disable_noise(), sigmas=low, latent_image=first.output).output
    assert torch.allclose(whole.samples, advanced().output.samples, atol=1e-3)
    s0, s1 = high.tolist()
    begun = initial_noise(first.output.samples, 1) * math.sqrt(1 + s0**2) / checkpoint.MODEL.latent_scale
    clean = (first.output.samples - begun * s1 / s0) / (1 - s1 / s0)
    assert torch.allclose(first.denoised_output.samples, clean, atol=1e-2), "Euler's step, solved for the clean latent"
    assert not torch.allclose(first.output.samples, clean, atol=0.1)


def test_without_steps_the_latent_is_handed_on(advanced: Advanced, empty: Latent) -> None:
    assert advanced(sigmas=torch.zeros(0)) == (empty, empty)


def test_the_basic_guider_follows_one_text(
    advanced: Advanced, plain: Callable[..., Tensor], checkpoint: Checkpoint, texts: Texts
) -> None:
    guider = basic_guider(model=checkpoint.MODEL, conditioning=texts[0])
    assert torch.equal(advanced(guider=guider).output.samples, plain(cfg=1.0))


def test_two_equal_texts_make_dual_guidance_the_plain_one(
    advanced: Advanced, checkpoint: Checkpoint, texts: Texts
) -> None:
    for style in ("regular", "nested"):
        guider = dual_cfg_guider(
            model=checkpoint.MODEL, cond1=texts[0], cond2=texts[0], negative=texts[1], cfg_conds=7.0,
            cfg_cond2_negative=4.0, style=style,
        )  # fmt: skip
        assert torch.allclose(advanced(guider=guider).output.samples, advanced().output.samples, atol=1e-3)


def test_an_area_outside_the_picture_is_named(advanced: Advanced, checkpoint: Checkpoint, texts: Texts) -> None:
    far = conditioning_set_area(conditioning=texts[0], width=64, height=64, x=64, y=0, strength=1.0)
    with pytest.raises(ValueError, match="outside the latent of 8 x 8 cells"):
        advanced(guider=basic_guider(model=checkpoint.MODEL, conditioning=far))


def test_noise_is_added_up_to_the_first_level(checkpoint: Checkpoint) -> None:
    latent, noise = Latent(torch.full((2, 4, 8, 8), 0.5)), random_noise(noise_seed=3)
    scale = checkpoint.MODEL.latent_scale
    for sigmas, level in (([2.0, 0.5], 1.5), ([2.0], 2.0)):
        noised = add_noise(model=checkpoint.MODEL, noise=noise, sigmas=torch.tensor(sigmas), latent_image=latent)
        expected = latent.samples + initial_noise(latent.samples, 3) * level / scale
        assert torch.allclose(noised.samples, expected, atol=1e-5)
    assert add_noise(model=checkpoint.MODEL, noise=noise, sigmas=torch.zeros(0), latent_image=latent) is latent


def test_a_picture_of_a_batch_keeps_its_noise_when_it_is_taken_out() -> None:
    whole = torch.zeros(4, 4, 8, 8)
    noise = initial_noise(whole, 5)
    assert torch.equal(initial_noise(whole[2:3], 5, (2,)), noise[2:3])
    assert torch.equal(initial_noise(whole[:2], 5, (3, 0)), noise[[3, 0]])
    assert not disable_noise().of(Latent(whole)).any()
