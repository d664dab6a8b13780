"""How the values that flow on links are kept on disk: which types, and in what parts. Opens no file.

Networks (MODEL, CLIP, VAE) are absent on purpose: their weights are in the user's files already. So is what a node
makes in no time (SAMPLER, NOISE, GUIDER).
"""

from collections.abc import Mapping
from dataclasses import fields
from types import MappingProxyType
from typing import Any

import torch
from safetensors.torch import load, save
from torch import Tensor

from executor.codec import Codec, Codecs, Unstorable
from nodes.diffusion.values import Area, Condition, Latent, PictureSize, Seen, VisionOutput

STORED_DTYPES = frozenset(
    {
        torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.float8_e4m3fn, torch.float8_e5m2,
        torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool, torch.complex64,
    }
)  # fmt: skip


def make_codecs() -> Codecs:
    """The table of all types that are worth keeping."""
    return MappingProxyType(
        {
            Tensor: Codec("tensor", tensor_parts, tensor_of),
            Latent: _dataclass_codec("latent", Latent),
            Condition: _dataclass_codec("condition", Condition),
            Area: _dataclass_codec("area", Area),
            PictureSize: _dataclass_codec("picture_size", PictureSize),
            Seen: _dataclass_codec("seen", Seen),
            VisionOutput: _dataclass_codec("vision_output", VisionOutput),
        }
    )


def tensor_parts(tensor: Tensor) -> tuple[tuple[int, ...], bytes]:
    """The order of the dimensions in memory, and a safetensors file of the tensor in that order.

    The order is kept because sums over the same numbers in another order differ in their last bits. Raises Unstorable
    for a tensor that would not come back as it is: one that is not plain, on a device, or part of a computation.
    """
    plain = tensor.layout == torch.strided and not (tensor.is_conj() or tensor.is_neg() or tensor.requires_grad)
    if not plain or tensor.device.type != "cpu" or tensor.dtype not in STORED_DTYPES:
        raise Unstorable(f"A tensor of {tensor.dtype} on {tensor.device} is not kept.")
    strides = tensor.stride()
    order = tuple(sorted(range(tensor.dim()), key=lambda dimension: -strides[dimension]))
    return order, save({"tensor": tensor.permute(order).contiguous()})


def tensor_of(parts: tuple[tuple[int, ...], bytes]) -> Tensor:
    """The tensor again, with memory of its own, which torch aligns as it does that of any other."""
    order, content = parts
    stored = load(content)["tensor"].clone()
    return stored.permute(tuple(order.index(dimension) for dimension in range(len(order))))


def _dataclass_codec(name: str, kind: type[Any]) -> Codec:
    """Field by field: a value is kept if all that it holds can be."""
    names = [field.name for field in fields(kind)]

    def take_apart(value: Any) -> Mapping[str, Any]:
        return {field: getattr(value, field) for field in names}

    return Codec(name, take_apart, lambda parts: kind(**parts))
