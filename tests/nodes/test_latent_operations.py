"""Latents are cut, joined and changed cell by cell."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from executor.schema import InputError
from nodes import latent_operations as nodes
from nodes.diffusion.sampling.prediction import make_discrete
from nodes.diffusion.sampling.steering import Guided, plain, steer
from nodes.diffusion.values import Latent, Model

SAMPLES = torch.arange(2 * 4 * 6 * 8, dtype=torch.float32).reshape(2, 4, 6, 8)
LATENT = Latent(SAMPLES)


@pytest.mark.parametrize(("dim", "axis", "first"), [("x", -1, 1), ("-x", -1, 2), ("y", -2, 1), ("-y", -2, 2)])
def test_latents_are_joined_along_a_side(dim: str, axis: int, first: int) -> None:
    other = Latent(-SAMPLES[:1])
    made = nodes.latent_concat(samples1=LATENT, samples2=other, dim=dim).samples
    parts = (SAMPLES, -SAMPLES[:1].repeat(2, 1, 1, 1))
    assert torch.equal(made, torch.cat(parts if first == 1 else parts[::-1], dim=axis))


@pytest.mark.parametrize(
    ("dim", "index", "amount", "expected"),
    [("x", 0, 3, SAMPLES[..., :3]), ("x", 6, 9, SAMPLES[..., 6:]), ("x", -2, 1, SAMPLES[..., 6:7]),
     ("y", 99, 1, SAMPLES[..., 5:, :]), ("y", -99, 2, SAMPLES[..., :2, :])],
)  # fmt: skip
def test_a_part_is_cut_out(dim: str, index: int, amount: int, expected: torch.Tensor) -> None:
    assert torch.equal(nodes.latent_cut(samples=LATENT, dim=dim, index=index, amount=amount).samples, expected)


def test_the_mask_is_cut_with_the_latent() -> None:
    mask = torch.zeros(1, 48, 64)
    mask[..., 32:] = 1
    made = nodes.latent_cut(samples=Latent(SAMPLES, mask), dim="x", index=4, amount=2)
    assert made.noise_mask is not None
    assert made.noise_mask.shape == (2, 6, 2)
    assert bool((made.noise_mask == 1).all())


def test_slices_become_a_batch() -> None:
    made = nodes.latent_cut_to_batch(samples=LATENT, dim="x", slice_size=3).samples
    assert torch.equal(
        made, torch.cat([SAMPLES[:1, ..., :3], SAMPLES[:1, ..., 3:6], SAMPLES[1:, ..., :3], SAMPLES[1:, ..., 3:6]])
    )
    assert nodes.latent_cut_to_batch(samples=LATENT, dim="y", slice_size=99).samples.shape == SAMPLES.shape


def test_a_batch_shares_its_noise_or_does_not() -> None:
    fixed = nodes.latent_batch_seed_behavior(samples=Latent(SAMPLES, batch_index=(3, 4)), seed_behavior="fixed")
    assert fixed.batch_index == (3, 3)
    assert nodes.latent_batch_seed_behavior(samples=LATENT).batch_index == (0, 0)
    assert nodes.latent_batch_seed_behavior(samples=fixed, seed_behavior="random").batch_index is None


def test_tone_mapping_shortens_the_longest_vectors_most_and_turns_none() -> None:
    samples = torch.randn(2, 4, 6, 8, generator=torch.Generator().manual_seed(0))
    samples[0, :, 0, 0] *= 50
    operation = nodes.latent_operation_tonemap_reinhard(multiplier=1.0)
    made = nodes.latent_apply_operation(samples=Latent(samples), operation=operation).samples
    share = made.norm(dim=1) / samples.norm(dim=1)
    assert float(share[0, 0, 0]) == float(share[0].min())
    assert torch.allclose(made / made.norm(dim=1, keepdim=True), samples / samples.norm(dim=1, keepdim=True), atol=1e-5)
    nearly_all = nodes.latent_operation_tonemap_reinhard(multiplier=100.0)(samples)
    assert torch.allclose(nearly_all, samples, rtol=0.05)


@pytest.mark.parametrize("radius", [1, 3, 31])
def test_sharpening_leaves_flat_latents_and_lengths_as_they_are(radius: int) -> None:
    operation = nodes.latent_operation_sharpen(sharpen_radius=radius)
    flat = torch.ones(1, 4, 6, 8) * torch.tensor([1.0, 2.0, -1.0, 0.5])[None, :, None, None]
    assert torch.allclose(operation(flat), flat, atol=1e-4)
    edge = flat.clone()
    edge[..., 4:] *= -1
    contrast = (operation(edge)[..., 4] - operation(edge)[..., 3]).abs().sum()
    assert contrast > (edge[..., 4] - edge[..., 3]).abs().sum()


def test_a_model_applies_an_operation_to_what_guidance_adds() -> None:
    base: Any = SimpleNamespace()
    model = Model(base, make_discrete("eps", 0.00085, 0.012), 0.18215, None)
    x, positive, negative = torch.randn(3, 1, 4, 4, 4, generator=torch.Generator().manual_seed(0))
    step = Guided(x, 2.0, positive, negative, 5.0, model.sampling, positive)
    halved = nodes.latent_apply_operation_cfg(model=model, operation=lambda latent: latent / 2)
    expected = negative + 2.5 * (positive - negative)
    assert torch.allclose(steer(halved.steering, step), expected, atol=1e-5)
    assert torch.equal(steer(model.steering, step), plain(step))


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (lambda: nodes.latent_concat(samples1=LATENT, samples2=Latent(SAMPLES[..., :3]), dim="y"), "samples2"),
        (lambda: nodes.latent_concat(samples1=LATENT, samples2=LATENT, dim="-t"), "dim"),
        (lambda: nodes.latent_cut(samples=LATENT, dim="t"), "dim"),
        (lambda: nodes.latent_operation_tonemap_reinhard(multiplier=0.0), "multiplier"),
    ],
)
def test_what_does_not_fit_is_named(make: Any, field: str) -> None:
    with pytest.raises(InputError) as error:
        make()
    assert error.value.input_name == field
