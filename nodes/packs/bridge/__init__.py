"""Between our values and those that node packs know: latents as dicts, conditionings as lists, models as patchers.

`to_pack` goes by the Python type of a value, `from_pack` by the type of the output that it left a pack through. What
went to a pack and comes back unchanged is the same object again, so that sharing and caching hold.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from nodes.diffusion import values
from nodes.diffusion.sampling.guidance import CfgGuider, DualCfgGuider, PerpNegGuider
from nodes.diffusion.sampling.noise import Noise
from nodes.diffusion.sampling.samplers.contract import SamplerChoice
from nodes.packs.bridge import conditions, guiders, latents, wrappers

__all__ = ["from_pack", "lend", "to_pack"]

_TENSORS = frozenset({"IMAGE", "MASK", "SIGMAS"})
_WRAPPED = frozenset(
    {"MODEL", "CLIP", "VAE", "CONTROL_NET", "CLIP_VISION", "CLIP_VISION_OUTPUT", "SAMPLER", "NOISE", "GUIDER"}
)


def to_pack(value: Any) -> Any:
    """`value` as packs know it; anything that they know already is returned as it is."""
    match value:
        case values.Latent():
            return latents.to_dict(value)
        case tuple() if value and all(isinstance(one, values.Condition) for one in value):
            return conditions.to_list(value)
        case values.Model() | values.TextEncoder() | values.VAE() | values.ControlNet() | SamplerChoice() | Noise():
            return wrappers.wrap(value)
        case values.ClipVision() | values.VisionOutput():
            return wrappers.wrap(value)
        case CfgGuider() | DualCfgGuider() | PerpNegGuider() | guiders.PackGuider():
            return guiders.to_guider(value)
    return value


def lend(value: Any) -> Any:
    """As `to_pack`, for an input of a pack's node: tensors are copies, because packs write into what they are given,
    and what is remembered for others must stay as it was made. A copy costs less than a look for changes."""
    known = to_pack(value)
    with torch.inference_mode(mode=False):  # so that packs may also train on it
        if isinstance(known, Tensor):
            return known.clone()
        if type(known) is dict and any(isinstance(part, Tensor) for part in known.values()):
            return {name: part.clone() if isinstance(part, Tensor) else part for name, part in known.items()}
    return known


def from_pack(value: Any, wire_type: str) -> Any:
    """`value` as our nodes know it, for an output of type `wire_type`.

    Where that leaves it open (`*`, or a union), our wrappers, latent dicts and conditioning lists are recognised. What
    does not look like its type passes unchanged: an output that a pack leaves empty is None.
    """
    wire_type = str(wire_type)
    if "*" in wire_type or "," in wire_type:
        wire_type = _recognised(value)
    if wire_type == "LATENT" and latents.looks_like_one(value):
        return latents.of_dict(value)
    if wire_type == "CONDITIONING" and isinstance(value, list | tuple):
        return conditions.of_list(value)
    if wire_type in _TENSORS and isinstance(value, Tensor):
        return value.to("cpu", torch.float32)
    if wire_type in _WRAPPED and value is not None:
        return wrappers.unwrap(value, wire_type)
    return value


def _recognised(value: Any) -> str:
    """The wire type of a value that is unmistakable, or `*`."""
    if isinstance(value, Mapping):
        return "LATENT" if latents.looks_like_one(value) else "*"
    if isinstance(value, list):
        return "CONDITIONING" if value and all(conditions.looks_like_one(one) for one in value) else "*"
    return wrappers.wire_type_of(value) or "*"
