"""A network and its part of a source -> a `Network` with every parameter accounted for. Computes nothing."""

import re
from collections.abc import Mapping

import torch
from torch import nn

from nodes.diffusion.checkpoints.header import CheckpointError
from nodes.diffusion.checkpoints.source import Part
from nodes.diffusion.checkpoints.text_names import Take
from nodes.diffusion.memory.network import Network, Role
from nodes.diffusion.memory.packed import PACKED, Packed

FP8 = frozenset({torch.float8_e4m3fn, torch.float8_e5m2})

_FACTORS = ("scale_weight", "weight_scale")
"""Names of the factor beside a scaled fp8 weight, in the two conventions there are."""

_SHOWN = 3
"""How many tensor names a sentence lists before it only counts."""

_LEFTOVERS = re.compile(
    r"(^|\.)(position_ids|attn_mask|logit_scale|text_projection(\.weight)?|num_batches_tracked|scale_weight|scale_input|weight_scale|input_scale|scaled_fp8|comfy_quant)"
    r"$|^(loss|vision_model|visual|visual_projection|model_ema|conv_in\.weight_g)\."
)
"""Names, without prefix, of what training or a whole CLIP model leaves in files and no network here takes."""


def assemble(
    role: Role, module: nn.Module, part: Part, takes: Mapping[str, Take], storage: torch.dtype | None = None
) -> Network:
    """Linear and convolution weights that the file has in fp8 or packed stay so; with `storage` the others are kept in
    that type.

    Raises CheckpointError if a parameter has no tensor, or one with another number of elements.
    """
    parameters = {name: tuple(value.shape) for name, value in module.state_dict().items()}
    shapes = part.shapes
    missing = sorted({part.prefix + takes[name].name for name in parameters if takes[name].name not in shapes})
    if missing:
        raise CheckpointError(f"{part.source.title} is incomplete: {listed(missing)} missing.")
    # 1x1 convolutions and linear layers stand for each other, so only the sides other than 1 must agree.
    wrong = [
        (takes[name].name, takes[name].shape(shape))
        for name, shape in parameters.items()
        if _sides(shapes[takes[name].name]) != _sides(takes[name].shape(shape))
    ]
    if wrong:
        name, expected = wrong[0]
        raise CheckpointError(
            f"{part.source.title} does not fit its family: {part.prefix}{name} is {list(shapes[name])} where "
            f"{list(expected)} is expected ({len(wrong)} such tensors)."
        )
    tensors = part.read({takes[name].name for name in parameters})
    weights = {name: takes[name].of(tensors[takes[name].name]).reshape(shape) for name, shape in parameters.items()}
    return _stored(Network(role, module, weights), part, takes, storage)


def untaken(part: Part, takes: Mapping[str, Take]) -> list[str]:
    """The source's names of tensors in the part that no parameter takes, less what training leaves behind."""
    taken = {take.name for take in takes.values()}
    return [theirs for name, theirs in part.names.items() if name not in taken and not _LEFTOVERS.search(name)]


def listed(names: list[str]) -> str:
    """ "a, b, c and 4 more tensors are"; the sentence goes on with what they are."""
    shown = ", ".join(names[:_SHOWN])
    if len(names) > _SHOWN:
        return f"{shown} and {len(names) - _SHOWN} more tensors are"
    return f"{shown} {'are' if len(names) > 1 else 'is'}"


def _stored(network: Network, part: Part, takes: Mapping[str, Take], storage: torch.dtype | None) -> Network:
    """The network with its small weights kept as they are, and with the factors that a scaled file has for them."""
    kept: dict[str, torch.dtype] = {}
    factors: dict[str, str] = {}
    for name in _matrices(network.module):
        weight = network.weights[name]
        if isinstance(weight, Packed):
            kept[name] = PACKED
        elif weight.dtype in FP8:
            kept[name] = weight.dtype
            stem = takes[name].name.removesuffix("weight").removesuffix("in_proj_")
            factor = next((stem + one for one in _FACTORS if stem + one in part.names), None)
            if factor is not None:
                factors[name] = factor
        elif storage is not None:
            kept[name] = storage
    values = part.read(set(factors.values()))
    scales = {name: values[factor].float().reshape(()) for name, factor in factors.items()}
    return Network(network.role, network.module, network.weights, kept, scales)


def _matrices(module: nn.Module) -> list[str]:
    """Names of the weights that are multiplied: of linear layers and convolutions, never of norms and embeddings."""
    return [f"{name}.weight" for name, layer in module.named_modules() if isinstance(layer, nn.Linear | nn.Conv2d)]


def _sides(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(side for side in shape if side != 1)
