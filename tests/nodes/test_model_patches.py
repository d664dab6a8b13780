"""Guidance and network patches as nodes: each acts, none at neutral strength, and no branch disturbs another."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
import torch

from executor.schema import InputError
from nodes import model_guidance as guidance
from nodes import model_unet as unet
from nodes.diffusion.patches.perturbed import IdentityAttention
from nodes.diffusion.values import Model
from nodes.latent import empty_latent_image
from nodes.loaders import Checkpoint
from tests.nodes.conftest import Sample

Patch = Callable[[Model], Any]
BICUBIC = {"downscale_method": "bicubic", "upscale_method": "bicubic"}

PATCHES: dict[str, Patch] = {
    "PAG": lambda model: guidance.perturbed_attention_guidance(model=model),
    "SAG": lambda model: guidance.self_attention_guidance(model=model),
    "CFGNorm": lambda model: guidance.cfg_norm(model=model).patched_model,
    "RenormCFG": lambda model: guidance.renorm_cfg(model=model),
    "Mahiro": lambda model: guidance.mahiro(model=model).patched_model,
    "Epsilon Scaling": lambda model: guidance.epsilon_scaling(model=model, scaling_factor=1.1),
    "TSR": lambda model: guidance.temporal_score_rescaling(model=model, tsr_k=0.5).patched_model,
    "FreSca": lambda model: guidance.fresca(model=model, freq_cutoff=2),
    "linear cfg": lambda model: guidance.video_linear_cfg_guidance(model=model),
    "triangle cfg": lambda model: guidance.video_triangle_cfg_guidance(model=model),
    "FreeU": lambda model: unet.free_u(model=model),
    "FreeU_V2": lambda model: unet.free_u_v2(model=model),
    "Deep Shrink": lambda model: unet.patch_model_add_downscale(model=model, block_number=1, **BICUBIC),
    "self-attention": lambda model: unet.unet_self_attention_multiply(model=model, q=0.5),
    "attention to the text": lambda model: unet.unet_cross_attention_multiply(model=model, v=0.5),
    "structural attention": lambda model: unet.unet_temporal_attention_multiply(model=model, self_structural=0.5),
    "EasyCache": lambda model: unet.easy_cache(model=model, reuse_threshold=3.0, start_percent=0.0, end_percent=1.0),
    "LazyCache": lambda model: unet.lazy_cache(model=model, reuse_threshold=3.0, start_percent=0.0, end_percent=1.0),
    "DeepCache": lambda model: unet.deep_cache(model=model),
}

NEUTRAL: dict[str, Patch] = {
    "PAG": lambda model: guidance.perturbed_attention_guidance(model=model, scale=0.0),
    "SAG": lambda model: guidance.self_attention_guidance(model=model, scale=0.0),
    "Epsilon Scaling": lambda model: guidance.epsilon_scaling(model=model, scaling_factor=1.0),
    "TSR": lambda model: guidance.temporal_score_rescaling(model=model, tsr_k=1.0).patched_model,
    "FreSca": lambda model: guidance.fresca(model=model, scale_low=1.0, scale_high=1.0),
    "FreeU": lambda model: unet.free_u(model=model, b1=1.0, b2=1.0, s1=1.0, s2=1.0),
    "FreeU_V2": lambda model: unet.free_u_v2(model=model, b1=1.0, b2=1.0, s1=1.0, s2=1.0),
    "HyperTile": lambda model: unet.hyper_tile(model=model, tile_size=2048, max_depth=3),
    "token merging": lambda model: unet.tome_patch_model(model=model, ratio=0.0),
    "token merging without large maps": lambda model: unet.tome_patch_model(model=model, ratio=0.5),
    "Deep Shrink": lambda model: unet.patch_model_add_downscale(model=model, downscale_factor=1.0, **BICUBIC),
    "self-attention": lambda model: unet.unet_self_attention_multiply(model=model),
    "attention to the text": lambda model: unet.unet_cross_attention_multiply(model=model),
    "all attention": lambda model: unet.unet_temporal_attention_multiply(model=model),
    "EasyCache": lambda model: unet.easy_cache(model=model, reuse_threshold=0.0),
    "LazyCache": lambda model: unet.lazy_cache(model=model, reuse_threshold=0.0),
    "DeepCache": lambda model: unet.deep_cache(model=model, interval=1),
}


@pytest.fixture
def model(checkpoint: Checkpoint) -> Model:
    return checkpoint.MODEL


def test_each_patch_changes_the_picture_and_leaves_the_model_as_it_was(sample: Sample, model: Model) -> None:
    latent = empty_latent_image(width=64, height=64, batch_size=3)
    before = sample(model, latent_image=latent)
    for name, patch in PATCHES.items():
        made = sample(patch(model), latent_image=latent)
        assert torch.isfinite(made).all(), name
        assert not torch.allclose(made, before, atol=1e-3), name
    assert torch.equal(sample(model, latent_image=latent), before)


def test_tiles_are_at_least_32_pixels_wide(sample: Sample, model: Model) -> None:
    tiled = unet.hyper_tile(model=model, tile_size=1, max_depth=1)
    large = empty_latent_image(width=128, height=128, batch_size=1)
    assert torch.equal(sample(tiled), sample(model))
    assert not torch.allclose(sample(tiled, latent_image=large), sample(model, latent_image=large), atol=1e-3)


def test_no_patch_changes_a_bit_at_neutral_strength(sample: Sample, model: Model) -> None:
    for cfg in (6.0, 1.0):
        before = sample(model, cfg=cfg)
        for name, patch in NEUTRAL.items():
            assert torch.equal(sample(patch(model), cfg=cfg), before), name


def test_patches_act_together(sample: Sample, model: Model) -> None:
    together = model
    for name in ("PAG", "FreeU", "FreSca", "Deep Shrink", "DeepCache", "SAG"):
        together = PATCHES[name](together)
    made = sample(together, steps=4)
    assert torch.isfinite(made).all()
    for name in ("PAG", "FreeU", "FreSca", "Deep Shrink", "DeepCache", "SAG"):
        assert not torch.allclose(made, sample(PATCHES[name](model), steps=4), atol=1e-3), name


def test_branches_that_are_sampled_at_once_do_not_disturb_each_other(sample: Sample, model: Model) -> None:
    branches = [model, *(PATCHES[name](model) for name in ("FreeU", "PAG", "DeepCache"))]
    alone = [sample(one, steps=5) for one in branches]
    with ThreadPoolExecutor(len(branches)) as pool:
        at_once = list(pool.map(lambda one: sample(one, steps=5), branches))
    for one, other in zip(alone, at_once, strict=True):
        assert torch.equal(one, other)


def test_at_cfg_1_only_what_reads_the_negative_predicts_it(sample: Sample, model: Model) -> None:
    rows: list[int] = []
    # The walk goes by the parts of a network, so its first convolution hears of every batch.
    handle = model.network.module.conv_in.register_forward_pre_hook(lambda _, given: rows.append(len(given[0])))
    try:
        for name, expected in (("Epsilon Scaling", [1]), ("PAG", [1, 1]), ("CFGNorm", [2]), ("FreeU", [1])):
            rows.clear()
            sample(PATCHES[name](model), cfg=1.0, steps=1)
            assert rows == expected, name
    finally:
        handle.remove()


def test_a_perturbed_pass_is_one_of_the_whole_conditioning(sample: Sample, model: Model) -> None:
    """PAG of a model whose middle block attends to itself only, and so answers with its values anyway, is nothing."""

    already = replace(model, alterations=(IdentityAttention(),))
    made = sample(guidance.perturbed_attention_guidance(model=already, scale=3.0))
    assert torch.allclose(made, sample(already), atol=1e-2)


def test_temporal_attention_is_refused_where_there_is_none(model: Model) -> None:
    for name in ("self_temporal", "cross_temporal"):
        with pytest.raises(InputError, match="no temporal attention"):
            unet.unet_temporal_attention_multiply(model=model, **{name: 0.5})
