"""Which networks a state dict holds, from its names."""

from collections.abc import Mapping
from typing import Any

from nodes.packs.bridge.missing import refuse

_PREFIXES = ("model.diffusion_model.", "model.model.", "net.")


def unet_prefix_from_state_dict(state_dict: Mapping[str, Any]) -> str:
    """What the names of the denoising network begin with."""
    counts = {prefix: sum(name.startswith(prefix) for name in state_dict) for prefix in _PREFIXES}
    best = max(counts, key=lambda prefix: counts[prefix])
    return best if counts[best] > 5 else "model."


def count_blocks(state_dict_keys: Any, prefix_string: str) -> int:
    """How many blocks there are: `prefix_string` has `{}` for the number."""
    count = 0
    while any(name.startswith(prefix_string.format(count)) for name in state_dict_keys):
        count += 1
    return count


def detect_unet_config(state_dict: Any, key_prefix: str, metadata: Any = None) -> Any:
    """Sizes of a network. Raises Unsupported: ours are read where files are opened."""
    raise refuse("Networks that node packs hold in memory are")


def model_config_from_unet(state_dict: Any, unet_key_prefix: str, *_: Any, **__: Any) -> Any:
    """The family of a network. Raises Unsupported: it is detected where files are opened."""
    raise refuse("Networks that node packs hold in memory are")


def convert_diffusers_mmdit(state_dict: Any, output_prefix: str = "") -> Any:
    """A network in diffusers' layout in the original one. Raises Unsupported."""
    raise refuse("Networks that node packs hold in memory are")
