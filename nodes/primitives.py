"""Nodes that hold one value, so that several inputs can share it."""

from typing import Annotated

from executor.schema import Widget
from nodes.declare import node

LARGEST = 2**63 - 1

AnyInt = Annotated[int, Widget("number", min=-LARGEST, max=LARGEST, control_after_generate=True)]
AnyFloat = Annotated[float, Widget("number", min=-LARGEST, max=LARGEST, step=0.1)]
Lines = Annotated[str, Widget("text", multiline=True)]


@node("PrimitiveString", category="utils/primitive", display_name="String")
def primitive_string(*, value: str) -> str:
    """A line of text."""
    return value


@node("PrimitiveStringMultiline", category="utils/primitive", display_name="String (Multiline)")
def primitive_string_multiline(*, value: Lines) -> str:
    """Text of several lines."""
    return value


@node("PrimitiveInt", category="utils/primitive", display_name="Int")
def primitive_int(*, value: AnyInt) -> int:
    """A whole number."""
    return value


@node("PrimitiveFloat", category="utils/primitive", display_name="Float")
def primitive_float(*, value: AnyFloat) -> float:
    """A number."""
    return value


@node("PrimitiveBoolean", category="utils/primitive", display_name="Boolean")
def primitive_boolean(*, value: bool) -> bool:
    """True or false."""
    return value
