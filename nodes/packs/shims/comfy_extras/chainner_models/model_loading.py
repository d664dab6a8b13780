"""Upscaling networks from state dicts. None can be made yet."""

from typing import Any

from nodes.packs.bridge.missing import refuse


def load_state_dict(state_dict: Any) -> Any:
    """A network. Raises Unsupported."""
    raise refuse("Upscaling models are")
