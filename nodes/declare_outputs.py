"""Return annotations -> output sockets, and return values -> a `Result`.

What a function returns beside plain values (`Shown`, `Expanded`, `ExecutionBlocker`) is part of its annotation, as a
member of a union, and is no socket.
"""

import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_origin

from executor.schema import ExecutionBlocker, OutputSocket, Result
from nodes.declare_inputs import Annotation, read_annotation, read_wire
from nodes.expansion import Expanded
from nodes.marks import Tooltip


@dataclass(frozen=True, slots=True)
class Shown:
    """Returned by a node that shows something: what the editor gets, and the outputs, if the node has any."""

    ui: Mapping[str, Any]
    """JSON-ready, for example {"images": [{"filename": ..., "subfolder": ..., "type": "output"}]}."""
    outputs: tuple[Any, ...] = ()


_BESIDE = (Shown, Expanded, ExecutionBlocker)


@dataclass(frozen=True, slots=True)
class Outputs:
    """What a function promises to return."""

    sockets: tuple[OutputSocket, ...]
    named: bool
    """The function returns a NamedTuple, whose fields are the sockets."""

    def result(self, value: Any) -> Result:
        """What the function returned, for the executor."""
        if isinstance(value, Shown):
            return Result(value.outputs, value.ui)
        if isinstance(value, Expanded):
            return Result(value.outputs, value.ui, value.graph.wire())
        if isinstance(value, ExecutionBlocker):
            return Result((value,) * len(self.sockets))
        if self.named:
            return Result(tuple(value))
        return Result() if value is None and not self.sockets else Result((value,))


def read_outputs(hint: Any) -> Outputs:
    """Outputs of a return annotation: none, one value, or the fields of a NamedTuple under their names. Raises
    TypeError."""
    annotation = read_annotation(hint, _BESIDE)
    kind = get_origin(annotation.kind) or annotation.kind
    if kind in (None, types.NoneType, *_BESIDE):
        return Outputs((), named=False)
    if isinstance(kind, type) and issubclass(kind, tuple) and hasattr(kind, "_fields"):
        fields = typing.get_type_hints(kind, include_extras=True)
        return Outputs(
            tuple(_output(name, read_annotation(fields[name], _BESIDE)) for name in kind._fields), named=True
        )
    return Outputs((_output(None, annotation),), named=False)


def _output(name: str | None, annotation: Annotation) -> OutputSocket:
    wire = read_wire(annotation)
    tooltip = annotation.note(Tooltip)
    return OutputSocket(
        name or wire.type, wire.type, annotation.is_list, tooltip.text if tooltip else None, wire.matches
    )
