"""`comfy_execution.graph`: blockers, the prompt of a run, and how a class describes an input.

The lists by which ComfyUI decides what runs next are not here: `executor` decides that.
"""

from collections.abc import Mapping
from typing import Any

from comfy_execution.graph_utils import is_link
from executor.dynamic_prompt import DynamicPrompt
from executor.schema import ExecutionBlocker

__all__ = [
    "DependencyCycleError",
    "DynamicPrompt",
    "ExecutionBlocker",
    "ExecutionList",
    "NodeInputError",
    "NodeNotFoundError",
    "TopologicalSort",
    "get_input_info",
    "is_link",
]


class DependencyCycleError(Exception):
    """Nodes that wait for each other."""


class NodeInputError(Exception):
    """An input that a node cannot use."""


class NodeNotFoundError(Exception):
    """A node that the prompt does not have."""


class TopologicalSort:
    """A name to import and to compare with. Nothing here uses it."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        raise RuntimeError("Heddle's executor decides what runs next, and lets no node pack do it.")


class ExecutionList(TopologicalSort):
    """A name to import and to compare with. Nothing here uses it."""


def get_input_info(
    class_def: Any, input_name: str, valid_inputs: Mapping[str, Any] | None = None
) -> tuple[Any, str | None, dict[str, Any] | None]:
    """(type, "required", "optional" or "hidden", options) of an input of a V1-shaped class; three times None for a name
    that it has not."""
    described = class_def.INPUT_TYPES() if valid_inputs is None else valid_inputs
    for group in ("required", "optional", "hidden"):
        entry = described.get(group, {}).get(input_name)
        if entry is None:
            continue
        if isinstance(entry, str):
            return entry, group, {}
        options = entry[1] if len(entry) > 1 else {}
        return entry[0], group, options
    return None, None, None
