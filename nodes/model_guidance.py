"""Nodes that put something before, in the place of, or after plain guidance. The model that comes in stays as it is."""

from dataclasses import replace
from typing import Annotated

from executor.schema import Widget
from nodes.declare import node
from nodes.diffusion.patches.perturbed import AttentionSeen, away_from_the_perpendicular, perturbed, self_attentive
from nodes.diffusion.sampling import corrections
from nodes.diffusion.sampling.steering import Formula
from nodes.diffusion.values import Model as ModelValue
from nodes.marks import WireOptions
from nodes.model_sampling import Patched
from nodes.types import Conditioning, Model

Strength = Annotated[float, Widget("number", min=0.0, max=100.0, step=0.01)]
Scale = Annotated[float, Widget("number", min=0.0, max=10.0, step=0.01)]
AS_NUMBER = WireOptions({"display": "number"})
LeastCfg = Annotated[float, Widget("number", min=0.0, max=100.0, step=0.5, round=0.01)]


@node("PerturbedAttentionGuidance", category="model_patches/unet")
def perturbed_attention_guidance(
    *, model: Model, scale: Annotated[float, Widget("number", min=0.0, max=100.0, step=0.01, round=0.01)] = 3.0
) -> Model:
    """Steer away from what the model would paint if it did not see how a picture hangs together (PAG).

    It asks the network once more in every step; good values of cfg are lower than without it.
    """
    return model if scale == 0 else _after(model, perturbed(scale))


@node("SelfAttentionGuidance", category="_for_testing", display_name="Self-Attention Guidance", experimental=True)
def self_attention_guidance(
    *,
    model: Model,
    scale: Annotated[float, Widget("number", min=-2.0, max=5.0, step=0.01)] = 0.5,
    blur_sigma: Annotated[float, Widget("number", min=0.0, max=10.0, step=0.1)] = 2.0,
) -> Model:
    """Steer away from a picture that is blurred where the model looks closest (SAG).

    It asks the network once more in every step that knows a negative.
    """
    if scale == 0:
        return model
    seeing = replace(model, alterations=(*model.alterations, AttentionSeen()))
    return _after(seeing, self_attentive(scale, blur_sigma))


@node("PerpNeg", category="_for_testing", display_name="Perp-Neg (DEPRECATED by PerpNegGuider)",
      deprecated=True, experimental=True)  # fmt: skip
def perp_neg(*, model: Model, empty_conditioning: Conditioning, neg_scale: Strength = 1.0) -> Model:
    """Steer away only from what of the negative is no part of the positive. PerpNegGuider does the same."""
    return _instead(model, away_from_the_perpendicular(empty_conditioning, neg_scale))


@node("CFGNorm", category="advanced/guidance", experimental=True)
def cfg_norm(*, model: Model, strength: Strength = 1.0) -> Patched:
    """Let guidance make no place of the picture stronger than the positive prediction has it."""
    return Patched(_after(model, corrections.normed(strength)))


@node("RenormCFG", category="advanced/model")
def renorm_cfg(*, model: Model, cfg_trunc: Strength = 100, renorm_cfg: Strength = 1.0) -> Model:
    """Guide only below the noise level `cfg_trunc`, and let the result get no longer than the positive prediction.

    `renorm_cfg` times as long, to be precise; 0 sets no bound.
    """
    return _instead(model, corrections.renormed(cfg_trunc, renorm_cfg))


@node("Mahiro", category="_for_testing", display_name="Mahiro CFG", experimental=True)
def mahiro(*, model: Model) -> Patched:
    """Steer by where the positive points to rather than by how it differs from the negative."""
    return Patched(_after(model, corrections.directed))


@node("Epsilon Scaling", category="model_patches/unet")
def epsilon_scaling(
    *, model: Model, scaling_factor: Annotated[float, Widget("number", min=0.5, max=1.5, step=0.001), AS_NUMBER] = 1.005
) -> Model:
    """Divide the predicted noise by a factor, since sampling meets a little more noise than training did."""
    return model if scaling_factor == 1 else _after(model, corrections.epsilon_scaled(scaling_factor))


@node("TemporalScoreRescaling", category="model_patches/unet", display_name="TSR - Temporal Score Rescaling")
def temporal_score_rescaling(
    *,
    model: Model,
    tsr_k: Annotated[float, Widget("number", min=0.01, max=100.0, step=0.001), AS_NUMBER] = 0.95,
    tsr_sigma: Annotated[float, Widget("number", min=0.01, max=100.0, step=0.001), AS_NUMBER] = 1.0,
) -> Patched:
    """Make results more alike (k above 1) or more diverse (below 1); `tsr_sigma` says how early it begins to act."""
    return Patched(model if tsr_k == 1 else _after(model, corrections.temperature_scaled(tsr_k, tsr_sigma)))


@node("FreSca", category="_for_testing", display_name="FreSca", experimental=True)
def fresca(
    *,
    model: Model,
    scale_low: Annotated[float, Widget("number", min=0, max=10, step=0.01)] = 1.0,
    scale_high: Annotated[float, Widget("number", min=0, max=10, step=0.01)] = 1.25,
    freq_cutoff: Annotated[int, Widget("number", min=1, max=10000, step=1)] = 20,
) -> Model:
    """Scale the coarse and the fine part of what guidance adds; `freq_cutoff` is where fine begins."""
    if scale_low == scale_high == 1:
        return model
    prepare = corrections.frequency_scaled(scale_low, scale_high, freq_cutoff)
    return replace(model, steering=replace(model.steering, before=(*model.steering.before, prepare)))


@node("VideoLinearCFGGuidance", category="sampling/video_models")
def video_linear_cfg_guidance(*, model: Model, min_cfg: LeastCfg = 1.0) -> Model:
    """Let cfg rise over the pictures of a batch, from `min_cfg` to the chosen one."""
    return _instead(model, corrections.graded(min_cfg, triangle=False))


@node("VideoTriangleCFGGuidance", category="sampling/video_models")
def video_triangle_cfg_guidance(*, model: Model, min_cfg: LeastCfg = 1.0) -> Model:
    """Let cfg rise and fall over the pictures of a batch; it is `min_cfg` at both ends."""
    return _instead(model, corrections.graded(min_cfg, triangle=True))


def _after(model: ModelValue, formula: Formula) -> ModelValue:
    return replace(model, steering=replace(model.steering, after=(*model.steering.after, formula)))


def _instead(model: ModelValue, formula: Formula) -> ModelValue:
    return replace(model, steering=replace(model.steering, formula=formula))
