"""Nodes that choose what runs, and show any value. They compute nothing."""

import json
from collections.abc import Sequence
from typing import Annotated, Any, Generic, NamedTuple, TypeVar

from executor.schema import Widget
from nodes.declare import Lazy, Shown, node
from nodes.types import AnyValue

Switch = TypeVar("Switch")


AnyChoice = Annotated[str, Widget("combo")]
"""The words to choose from are not declared: each node in a workflow has its own."""


class Chosen(NamedTuple):
    """A word, and its number."""

    STRING: str
    INDEX: int


class Switched(NamedTuple, Generic[Switch]):
    """The chosen value."""

    output: Switch


def chosen_branch(*, switch: bool) -> Sequence[str]:
    """The input that `comfy_switch` passes on."""
    return ("on_true" if switch else "on_false",)


@node("ComfySwitchNode", category="logic", display_name="Switch", experimental=True, needs=chosen_branch)
def comfy_switch(*, switch: bool, on_false: Lazy[Switch], on_true: Lazy[Switch]) -> Switched[Switch]:
    """Pass on one of two values. Only the nodes that make the chosen one are run."""
    return Switched(on_true if switch else on_false)


@node("PreviewAny", category="utils", display_name="Preview as Text", is_output=True)
def preview_any(*, source: AnyValue) -> str | Shown:
    """Show a value of any type as text, and pass the text on."""
    text = _as_text(source)
    return Shown({"text": [text]}, (text,))


@node("CustomCombo", category="utils", display_name="Custom Combo", experimental=True)
def custom_combo(*, choice: AnyChoice, index: Annotated[int, Widget("number", min=0)] | None = None) -> Chosen:
    """One of several words that the editor keeps with the node, and its number among them."""
    return Chosen(choice, index or 0)


def _as_text(value: Any) -> str:
    if not isinstance(value, dict | list | tuple):
        return str(value)
    try:
        return json.dumps(value, indent=2, ensure_ascii=False)
    except (TypeError, ValueError):  # it holds tensors or the like, or itself
        return str(value)
