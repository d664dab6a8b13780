"""Nodes that merge models and text encoders. What comes in stays as it is; sums are computed when somebody samples."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Annotated, Any, TypeVar

from executor.schema import InputSocket, Widget
from nodes.coding import naming
from nodes.declare import node
from nodes.diffusion.checkpoints.names import unet_names
from nodes.diffusion.values import Model as ModelValue
from nodes.diffusion.weights.merge import Shares, merged_encoders, merged_models
from nodes.types import Clip, Model

CATEGORY = "advanced/model_merging"
SPECIFIC = "advanced/model_merging/model_specific"
Ratio = Annotated[float, Widget("number", min=0.0, max=1.0, step=0.01)]
Multiplier = Annotated[float, Widget("number", min=-10.0, max=10.0, step=0.01)]


@node("ModelMergeSimple", category=CATEGORY)
def model_merge_simple(*, model1: Model, model2: Model, ratio: Ratio = 1.0) -> Model:
    """model1 ratio + model2 (1 - ratio)."""
    with naming("model2"):
        return merged_models(model1, model2, lambda _: Shares(ratio, 1 - ratio))


@node("ModelMergeAdd", category=CATEGORY)
def model_merge_add(*, model1: Model, model2: Model) -> Model:
    """model1 + model2."""
    with naming("model2"):
        return merged_models(model1, model2, lambda _: Shares(1, 1))


@node("ModelMergeSubtract", category=CATEGORY)
def model_merge_subtract(*, model1: Model, model2: Model, multiplier: Multiplier = 1.0) -> Model:
    """(model1 - model2) multiplier: what one learned and the other did not."""
    with naming("model2"):
        return merged_models(model1, model2, lambda _: Shares(multiplier, -multiplier))


@node("ModelMergeBlocks", category=CATEGORY)
def model_merge_blocks(
    *,
    model1: Model,
    model2: Model,
    input: Ratio = 1.0,  # noqa: A002 the socket's name
    middle: Ratio = 1.0,
    out: Ratio = 1.0,
) -> Model:
    """model1 ratio + model2 (1 - ratio), with a ratio for each third of the network; what is in none has the first."""
    return by_blocks(model1, model2, {"input": input, "middle": middle, "out": out})


@node("CLIPMergeSimple", category=CATEGORY)
def clip_merge_simple(*, clip1: Clip, clip2: Clip, ratio: Ratio = 1.0) -> Clip:
    """clip1 ratio + clip2 (1 - ratio)."""
    with naming("clip2"):
        return merged_encoders(clip1, clip2, lambda _: Shares(ratio, 1 - ratio))


@node("CLIPMergeAdd", category=CATEGORY)
def clip_merge_add(*, clip1: Clip, clip2: Clip) -> Clip:
    """clip1 + clip2."""
    with naming("clip2"):
        return merged_encoders(clip1, clip2, lambda _: Shares(1, 1))


@node("CLIPMergeSubtract", category=CATEGORY)
def clip_merge_subtract(*, clip1: Clip, clip2: Clip, multiplier: Multiplier = 1.0) -> Clip:
    """(clip1 - clip2) multiplier."""
    with naming("clip2"):
        return merged_encoders(clip1, clip2, lambda _: Shares(multiplier, -multiplier))


def by_blocks(model1: ModelValue, model2: ModelValue, ratios: dict[str, float]) -> ModelValue:
    """Each weight with the ratio of the longest beginning of its original name; with the first one if there is none."""
    originals = unet_names(model1.network.weights)

    def share_of(name: str) -> Shares:
        fitting = [begins for begins in ratios if originals[name].startswith(begins)]
        ratio = ratios[max(fitting, key=len, default=next(iter(ratios)))]
        return Shares(ratio, 1 - ratio)

    with naming("model2"):
        return merged_models(model1, model2, share_of)


F = TypeVar("F", bound=Callable[..., Any])

SD_BLOCKS = (
    "time_embed.", "label_emb.",
    *(f"input_blocks.{index}." for index in range(12)),
    *(f"middle_block.{index}." for index in range(3)),
    *(f"output_blocks.{index}." for index in range(12)),
    "out.",
)  # fmt: skip
SDXL_BLOCKS = (
    "time_embed.", "label_emb.",
    *(f"input_blocks.{index}" for index in range(9)),
    *(f"middle_block.{index}" for index in range(3)),
    *(f"output_blocks.{index}" for index in range(9)),
    "out.",
)  # fmt: skip


def with_ratios(names: Sequence[str]) -> Callable[[F], F]:
    """Give a node function that takes `**ratios` a socket for each name, which no parameter could have."""
    widget = Widget("number", min=0.0, max=1.0, step=0.01)
    sockets = tuple(InputSocket(name, "FLOAT", widget, 1.0) for name in names)

    def give(function: F) -> F:
        made: Any = function
        definition = made.node_type.definition
        definition = replace(definition, inputs=(*definition.inputs, *sockets), accepts="declared")
        made.node_type = replace(made.node_type, definition=definition)
        return function

    return give


@with_ratios(SD_BLOCKS)
@node("ModelMergeSD1", category=SPECIFIC)
def model_merge_sd1(*, model1: Model, model2: Model, **ratios: float) -> Model:
    """model1 ratio + model2 (1 - ratio), with a ratio for each block of an SD 1.x UNet."""
    return by_blocks(model1, model2, {name: ratios.get(name, 1.0) for name in SD_BLOCKS})


@with_ratios(SD_BLOCKS)
@node("ModelMergeSD2", category=SPECIFIC)
def model_merge_sd2(*, model1: Model, model2: Model, **ratios: float) -> Model:
    """model1 ratio + model2 (1 - ratio), with a ratio for each block of an SD 2.x UNet."""
    return by_blocks(model1, model2, {name: ratios.get(name, 1.0) for name in SD_BLOCKS})


@with_ratios(SDXL_BLOCKS)
@node("ModelMergeSDXL", category=SPECIFIC)
def model_merge_sdxl(*, model1: Model, model2: Model, **ratios: float) -> Model:
    """model1 ratio + model2 (1 - ratio), with a ratio for each block of an SDXL UNet."""
    return by_blocks(model1, model2, {name: ratios.get(name, 1.0) for name in SDXL_BLOCKS})
