"""The saved values of a node, each given the name of its input.

A file may name its values; otherwise it lists them in the order of the definition's widgets, with entries between them
that belong to the editor only. Where a node type has gained or lost a widget since, the list is off by one: that is
noticed by the values' types and repaired if one repair makes all of them fit. What still does not fit is replaced by
the definition's default, with a warning; nothing is shifted silently.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from executor.object_info import input_from_info
from executor.schema import MISSING, FolderChoices, InputSocket, NodeDefinition
from executor.workflow.document import WorkflowNode

DYNAMIC_COMBO = "COMFY_DYNAMICCOMBO_V3"

Take = Callable[[InputSocket | None], Any]
"""Gives the next saved value for a widget (None: for an entry that is the editor's own), or MISSING."""


@dataclass(frozen=True, slots=True)
class Values:
    """Input name -> value for every widget, and a sentence for each value that did not fit."""

    by_name: Mapping[str, Any]
    warnings: tuple[str, ...] = ()


def read_values(node: WorkflowNode, definition: NodeDefinition) -> Values:
    """The values of the node's widgets; a widget without a saved value has its default."""
    named = node.named or (node.values if isinstance(node.values, Mapping) else None)
    if named is not None:
        found = [(socket, named.get(socket.name, MISSING)) for socket in _named_sockets(definition, named)]
        return _settle(node, found)
    assert not isinstance(node.values, Mapping)
    saved = list(node.values)
    with_dummies = _dummies(definition) > 0 and _count(definition) + _dummies(definition) == len(saved)
    found = _read(definition, saved, with_dummies)
    if _misfits(found):
        found = next((other for other in _repairs(definition, saved) if not _misfits(other)), found)
    return _settle(node, found)


def default_of(socket: InputSocket) -> Any:
    """The value of a widget that nobody set: its default, else its first choice, else what an empty widget shows."""
    if socket.default is not MISSING:
        return socket.default
    if socket.widget is not None and socket.widget.choices and not isinstance(socket.widget.choices, FolderChoices):
        return socket.widget.choices[0]
    return {"INT": 0, "FLOAT": 0.0, "STRING": "", "BOOLEAN": False}.get(socket.type, MISSING)


def fits(socket: InputSocket, value: Any) -> bool:
    """Whether a saved value can be meant for this widget, going by its type.

    A choice need not be among those at hand: the file of a model may only be missing here.
    """
    match socket.type:
        case "INT":
            return isinstance(value, int | float) and not isinstance(value, bool) and value == value // 1
        case "FLOAT":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case "BOOLEAN":
            return isinstance(value, bool)
        case "STRING":
            return isinstance(value, str)
        case "COMBO":
            choices = socket.widget.choices if socket.widget else ()
            if isinstance(value, list):
                return bool(socket.options.get("multiselect") or socket.options.get("multi_select"))
            if isinstance(choices, FolderChoices) or not choices or all(isinstance(one, str) for one in choices):
                return isinstance(value, str)
            return value in choices
    return True


def _settle(node: WorkflowNode, found: Sequence[tuple[InputSocket, Any]]) -> Values:
    values: dict[str, Any] = {}
    warnings: list[str] = []
    for socket, saved in found:
        value = default_of(socket) if saved is MISSING or saved is None else saved
        if value is not MISSING and not fits(socket, value):
            replacement = default_of(socket)
            with_default = "left out" if replacement is MISSING else f"replaced by {replacement!r}"
            warnings.append(
                f"Node {node.id} ({node.type}): the saved value {_short(value)} of '{socket.name}' is not a"
                f" {socket.type}; it was {with_default}."
            )
            value = replacement
        if value is not MISSING:
            values[socket.name] = value
    return Values(values, tuple(warnings))


def _misfits(found: Sequence[tuple[InputSocket, Any]]) -> bool:
    return any(value is not MISSING and value is not None and not fits(socket, value) for socket, value in found)


def _repairs(definition: NodeDefinition, saved: Sequence[Any]) -> Iterator[list[tuple[InputSocket, Any]]]:
    """The list read as if one widget's value were missing from it, or one too many were in it; each place tried."""
    for place in range(len(saved)):
        yield _read(definition, [*saved[:place], MISSING, *saved[place:]], with_dummies=False)
        yield _read(definition, [*saved[:place], *saved[place + 1 :]], with_dummies=False)


def _read(definition: NodeDefinition, saved: Sequence[Any], with_dummies: bool) -> list[tuple[InputSocket, Any]]:
    found: list[tuple[InputSocket, Any]] = []
    remaining = iter(saved)

    def take(socket: InputSocket | None) -> Any:
        value = next(remaining, MISSING)
        if socket is not None:
            found.append((socket, value))
        return value

    _unfold(definition.inputs, take, with_dummies)
    return found


def _named_sockets(definition: NodeDefinition, named: Mapping[str, Any]) -> list[InputSocket]:
    found: list[InputSocket] = []

    def take(socket: InputSocket | None) -> Any:
        if socket is None:
            return MISSING
        found.append(socket)
        return named.get(socket.name, MISSING)

    _unfold(definition.inputs, take, with_dummies=False)
    return found


def _unfold(sockets: Sequence[InputSocket], take: Take, with_dummies: bool) -> None:
    """Ask `take` for every entry of a node's list of values, in order."""
    for socket in sockets:
        if socket.type == DYNAMIC_COMBO:
            key = take(_key_socket(socket))
            _unfold(_option_sockets(socket, key), take, with_dummies)
        elif socket.widget is not None:
            take(socket)
            if socket.widget.control_after_generate or socket.widget.kind == "seed":
                take(None)
                if socket.type == "COMBO":
                    take(None)
        elif with_dummies and socket.options.get("forceInput"):
            take(None)


def _options_of(socket: InputSocket) -> list[Mapping[str, Any]]:
    options = socket.options.get("options")
    return [option for option in options if isinstance(option, Mapping)] if isinstance(options, list | tuple) else []


def _key_socket(socket: InputSocket) -> InputSocket:
    keys = [str(option.get("key")) for option in _options_of(socket)]
    return input_from_info(socket.name, ["COMBO", {"options": keys}], required=socket.required)


def _option_sockets(socket: InputSocket, key: Any) -> list[InputSocket]:
    """The inputs that the chosen option of a dynamic combo brings, named `parent.child`."""
    options = _options_of(socket)
    chosen = next((option for option in options if option.get("key") == key), options[0] if options else {})
    groups = chosen.get("inputs") or {}
    return [
        input_from_info(f"{socket.name}.{name}", entry, required=group == "required")
        for group in ("required", "optional")
        for name, entry in (groups.get(group) or {}).items()
    ]


def _count(definition: NodeDefinition) -> int:
    count = 0

    def take(socket: InputSocket | None) -> Any:  # noqa: ARG001 - a `Take`
        nonlocal count
        count += 1
        return MISSING

    _unfold(definition.inputs, take, with_dummies=False)
    uploads = (socket for socket in definition.inputs if socket.widget and socket.widget.upload)
    return count + sum(1 for _ in uploads)


def _dummies(definition: NodeDefinition) -> int:
    return sum(1 for socket in definition.inputs if socket.options.get("forceInput"))


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}..."
