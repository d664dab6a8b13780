"""Nodes that alter what a model's UNet computes on its way. The model that comes in stays as it is."""

from dataclasses import replace
from typing import Annotated, Literal

from executor.schema import InputError, Widget
from nodes.declare import node
from nodes.diffusion.patches.caches import DeepCache, EasyCache, LazyCache
from nodes.diffusion.patches.contract import Alteration
from nodes.diffusion.patches.features import Downscaled, FreeU
from nodes.diffusion.patches.tokens import Merged, Scaled, Tiled
from nodes.diffusion.values import Model as ModelValue
from nodes.types import Model

Factor = Annotated[float, Widget("number", min=0.0, max=10.0, step=0.01)]
Percent = Annotated[float, Widget("number", min=0.0, max=1.0, step=0.001)]
Share = Annotated[float, Widget("number", min=0.0, max=1.0, step=0.01)]
Threshold = Annotated[float, Widget("number", min=0.0, max=3.0, step=0.01)]
Method = Literal["bicubic", "nearest-exact", "bilinear", "area", "bislerp"]


@node("FreeU", category="model_patches/unet")
def free_u(*, model: Model, b1: Factor = 1.1, b2: Factor = 1.2, s1: Factor = 0.9, s2: Factor = 0.2) -> Model:
    """Strengthen what the deep parts of the network say (b), and weaken the coarse part of what goes past them (s)."""
    return _free_u(model, (b1, b2), (s1, s2), by_structure=False)


@node("FreeU_V2", category="model_patches/unet")
def free_u_v2(*, model: Model, b1: Factor = 1.3, b2: Factor = 1.4, s1: Factor = 0.9, s2: Factor = 0.2) -> Model:
    """As FreeU, but strengthen the deep parts only where they have most to say."""
    return _free_u(model, (b1, b2), (s1, s2), by_structure=True)


@node("HyperTile", category="model_patches/unet")
def hyper_tile(
    *,
    model: Model,
    tile_size: Annotated[int, Widget("number", min=1, max=2048)] = 256,
    swap_size: Annotated[int, Widget("number", min=1, max=128)] = 2,
    max_depth: Annotated[int, Widget("number", min=0, max=10)] = 0,
    scale_depth: bool = False,
) -> Model:
    """Make large pictures faster: each part of the picture is compared with its own tile only."""
    return _altered(model, Tiled(tile_size, swap_size, max_depth, scale_depth))


@node("TomePatchModel", category="model_patches/unet")
def tome_patch_model(*, model: Model, ratio: Share = 0.3) -> Model:
    """Make pictures faster: parts that are nearly alike are computed once, up to this share of all of them."""
    return model if ratio == 0 else _altered(model, Merged(ratio))


@node("PatchModelAddDownscale", category="model_patches/unet",
      display_name="PatchModelAddDownscale (Kohya Deep Shrink)")  # fmt: skip
def patch_model_add_downscale(
    *,
    model: Model,
    block_number: Annotated[int, Widget("number", min=1, max=32, step=1)] = 3,
    downscale_factor: Annotated[float, Widget("number", min=0.1, max=9.0, step=0.001)] = 2.0,
    start_percent: Percent = 0.0,
    end_percent: Percent = 0.35,
    downscale_after_skip: bool = True,
    downscale_method: Method,
    upscale_method: Method,
) -> Model:
    """Let the first steps of a large picture work at the size that the model was trained for."""
    if downscale_factor == 1:
        return model
    methods = downscale_method, upscale_method
    return _altered(
        model,
        Downscaled(block_number, downscale_factor, start_percent, end_percent, downscale_after_skip, *methods),
    )


@node("UNetSelfAttentionMultiply", category="_for_testing/attention_experiments", experimental=True)
def unet_self_attention_multiply(
    *, model: Model, q: Factor = 1.0, k: Factor = 1.0, v: Factor = 1.0, out: Factor = 1.0
) -> Model:
    """Scale how the parts of a picture attend to each other."""
    return _scaled(model, False, (q, k, v, out))


@node("UNetCrossAttentionMultiply", category="_for_testing/attention_experiments", experimental=True)
def unet_cross_attention_multiply(
    *, model: Model, q: Factor = 1.0, k: Factor = 1.0, v: Factor = 1.0, out: Factor = 1.0
) -> Model:
    """Scale how the parts of a picture attend to the text."""
    return _scaled(model, True, (q, k, v, out))


@node("UNetTemporalAttentionMultiply", category="_for_testing/attention_experiments", experimental=True)
def unet_temporal_attention_multiply(
    *,
    model: Model,
    self_structural: Factor = 1.0,
    self_temporal: Factor = 1.0,
    cross_structural: Factor = 1.0,
    cross_temporal: Factor = 1.0,
) -> Model:
    """Scale the answers of attention: within a picture (structural), and between the pictures of a video (temporal).

    The models that Heddle loads paint single pictures, so that only the structural ones can be changed.
    """
    if not self_temporal == cross_temporal == 1:
        raise InputError(
            "self_temporal" if self_temporal != 1 else "cross_temporal",
            "This model paints single pictures and has no temporal attention. Leave both temporal factors at 1.",
        )
    return _scaled(_scaled(model, False, (1, 1, 1, self_structural)), True, (1, 1, 1, cross_structural))


@node("EasyCache", category="advanced/debug/model", display_name="EasyCache", experimental=True)
def easy_cache(
    *,
    model: Model,
    reuse_threshold: Threshold = 0.2,
    start_percent: Share = 0.15,
    end_percent: Share = 0.95,
    verbose: bool = False,
) -> Model:
    """Make pictures faster: skip the network in steps in which little would change. Higher thresholds skip more."""
    return _altered(model, EasyCache(reuse_threshold, start_percent, end_percent, verbose))


@node("LazyCache", category="advanced/debug/model", display_name="LazyCache", experimental=True)
def lazy_cache(
    *,
    model: Model,
    reuse_threshold: Threshold = 0.2,
    start_percent: Share = 0.15,
    end_percent: Share = 0.95,
    verbose: bool = False,
) -> Model:
    """As EasyCache, judged by what the sampler gets rather than by what the network says."""
    return _altered(model, LazyCache(reuse_threshold, start_percent, end_percent, verbose))


@node("DeepCache", category="model_patches/unet")
def deep_cache(
    *,
    model: Model,
    interval: Annotated[int, Widget("number", min=1, max=100)] = 3,
    block_number: Annotated[int, Widget("number", min=0, max=32)] = 1,
    start_percent: Percent = 0.0,
    end_percent: Percent = 1.0,
) -> Model:
    """Make pictures faster: compute the deep blocks of the network in every `interval`-th step only.

    The blocks up to `block_number` and those across from them are computed in each.
    """
    if interval == 1:
        return model
    return _altered(model, DeepCache(interval, block_number, start_percent, end_percent))


def _altered(model: ModelValue, alteration: Alteration) -> ModelValue:
    return replace(model, alterations=(*model.alterations, alteration))


def _free_u(model: ModelValue, b: tuple[float, float], s: tuple[float, float], *, by_structure: bool) -> ModelValue:
    return model if {*b, *s} == {1.0} else _altered(model, FreeU(b, s, by_structure))


def _scaled(model: ModelValue, crossed: bool, factors: tuple[float, float, float, float]) -> ModelValue:
    return model if set(factors) == {1.0} else _altered(model, Scaled(crossed, *factors))
