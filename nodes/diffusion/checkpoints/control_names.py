"""Tensor names of the original layouts for the parameters of diffusers' control networks and T2I adapters.

Only names, as in `names.py`, which has those that control networks share with the UNet that they were copied from.
"""

import re
from collections.abc import Iterable

from nodes.diffusion.checkpoints.names import unet_names

_ONLY_DIFFUSERS = ("task_embedding", "transformer_layes.", "spatial_ch_projs.", "control_add_embedding.")
"""Of union networks, which were only ever published with diffusers' names."""

_USUAL_LAYERS = 2


def control_names(parameters: Iterable[str]) -> dict[str, str]:
    """ControlNetModel (or ControlNetUnionModel) parameter -> original name, without prefix. KeyError for others."""
    found = list(parameters)
    blocks = 1 + max(
        (int(match[1]) for name in found if (match := re.match(r"controlnet_cond_embedding\.blocks\.(\d+)\.", name))),
        default=-1,
    )
    own = {name: made for name in found if (made := _own_name(name, blocks)) is not None}
    return own | unet_names(name for name in found if name not in own)


def adapter_names(names: Iterable[str]) -> dict[str, str]:
    """T2IAdapter parameter, without `adapter.` -> the name in a file, which may be the same, or count the blocks of all
    levels together."""
    found = list(names)
    if any(".resnets." in name for name in found):
        return {name: name for name in found}
    if any(".out_conv." in name for name in found):
        return {re.sub(r"^(body\.\d+)\.body\.", r"\1.resnets.", name): name for name in found}
    layers = _layers(found)
    return {_levelled(name, layers): name for name in found}


def _own_name(name: str, blocks: int) -> str | None:
    if name.startswith(_ONLY_DIFFUSERS):
        return name
    if match := re.fullmatch(r"controlnet_down_blocks\.(\d+)\.(\w+)", name):
        return f"zero_convs.{match[1]}.0.{match[2]}"
    if match := re.fullmatch(r"controlnet_mid_block\.(\w+)", name):
        return f"middle_block_out.0.{match[1]}"
    match = re.fullmatch(r"controlnet_cond_embedding\.(?:(conv_in|conv_out)|blocks\.(\d+))\.(\w+)", name)
    if match is None:
        return None
    end, block, leaf = match.groups()
    # An activation follows each convolution.
    place = 2 * (int(block) + 1) if end is None else 0 if end == "conv_in" else 2 * (blocks + 1)
    return f"input_hint_block.{place}.{leaf}"


def _layers(names: Iterable[str]) -> int:
    """Blocks in a level of a full adapter: the first that widens what it gets begins the second level."""
    wider = [int(match[1]) for name in names if (match := re.match(r"body\.(\d+)\.in_conv\.", name))]
    return max(1, min(wider, default=_USUAL_LAYERS))


def _levelled(name: str, layers: int) -> str:
    match = re.fullmatch(r"body\.(\d+)\.(.+)", name)
    if match is None:
        return name
    level, block = divmod(int(match[1]), layers)
    return f"body.{level}.{match[2]}" if match[2].startswith("in_conv.") else f"body.{level}.resnets.{block}.{match[2]}"
