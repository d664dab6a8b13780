"""The saved values of a node, each given the name of its input.

A file may name its values; otherwise it lists them in the order of the definition's widgets, with entries between them
that belong to the editor only. Where a node type has gained or lost a widget since, the list is off by one: that is
noticed by the values' types and repaired if one repair makes all of them fit. What still does not fit is replaced by
the definition's default, with a warning; nothing is shifted silently.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from executor.dynamic import AUTOGROW, DYNAMIC_COMBO, grown_sockets, key_socket, option_sockets
from executor.schema import MISSING, FolderChoices, InputSocket, NodeDefinition, Widget
from executor.workflow.document import WorkflowNode

CONTROLS = ("fixed", "increment", "decrement", "randomize", "increment-wrap")
"""What the entry after a seed may say; older files have true or false."""

Take = Callable[["Entry"], Any]
"""Gives the saved value for an entry, or MISSING."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One place in a node's list of values: a widget's, or one that the editor keeps for itself."""

    socket: InputSocket
    sent: bool = True

    def fits(self, value: Any) -> bool:
        """Whether the value can be meant for this place; nothing at all always can."""
        if value is MISSING or value is None:
            return True
        return fits(self.socket, value) or (not self.sent and isinstance(value, bool))

    def is_choice(self, value: Any) -> bool:
        """False for a value that its combo does not offer; a weak sign, since files come and go."""
        choices = self.socket.widget.choices if self.socket.widget else ()
        return isinstance(choices, FolderChoices) or not choices or value is MISSING or value in choices


Found = Sequence[tuple[Entry, Any]]


@dataclass(frozen=True, slots=True)
class Values:
    """Input name -> value for every widget, and a sentence for each value that did not fit."""

    by_name: Mapping[str, Any]
    warnings: tuple[str, ...] = ()


def read_values(node: WorkflowNode, definition: NodeDefinition) -> Values:
    """The values of the node's widgets; a widget without a saved value has its default."""
    named = node.named or (node.values if isinstance(node.values, Mapping) else None)
    slots = [slot.name for slot in node.inputs]
    if named is not None:
        return _settle(node, _read(definition, slots, lambda entry: named.get(entry.socket.name, MISSING)))
    assert not isinstance(node.values, Mapping)
    saved = list(node.values)
    with_dummies = 0 < _dummies(definition) == len(saved) - _count(definition, slots)
    found, _ = _read_list(definition, slots, saved, with_dummies=with_dummies)
    if _misfits(found):
        repairs = [_read_list(definition, slots, other) for other in _repairs(saved)]
        # Of all readings in which every type fits, the one with the fewest unknown choices and values left over.
        fitting = [(_strangers(other), surplus, i) for i, (other, surplus) in enumerate(repairs) if not _misfits(other)]
        if fitting:
            found = repairs[min(fitting)[2]][0]
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


def _settle(node: WorkflowNode, found: Found) -> Values:
    values: dict[str, Any] = {}
    warnings: list[str] = []
    for entry, saved in found:
        socket = entry.socket
        if not entry.sent:
            continue
        value = default_of(socket) if saved is MISSING or saved is None else saved
        if not entry.fits(value):
            replacement = default_of(socket)
            with_default = "left out" if replacement is MISSING else f"replaced by {replacement!r}"
            warnings.append(
                f"Node {node.id} ({node.type}): the saved value {_short(value)} of '{socket.name}' does not"
                f" fit its type {socket.type}; it was {with_default}."
            )
            value = replacement
        if value is not MISSING:
            values[socket.name] = value
    return Values(values, tuple(warnings))


def _misfits(found: Found) -> bool:
    return any(not entry.fits(value) for entry, value in found)


def _strangers(found: Found) -> int:
    return sum(1 for entry, value in found if not entry.is_choice(value))


def _repairs(saved: Sequence[Any]) -> Iterator[list[Any]]:
    """The list as it would be if one value were missing from it, or one too many were in it; each place tried."""
    for place in range(len(saved)):
        yield [*saved[:place], MISSING, *saved[place:]]
        yield [*saved[:place], *saved[place + 1 :]]


def _read_list(
    definition: NodeDefinition, slots: Sequence[str], saved: Sequence[Any], *, with_dummies: bool = False
) -> tuple[Found, int]:
    """The values by position, and how many were left over."""
    remaining = iter(saved)

    def take(_: Entry) -> Any:
        return next(remaining, MISSING)

    found = _read(definition, slots, take, with_dummies=with_dummies)
    return found, sum(1 for _ in remaining)


def _read(definition: NodeDefinition, slots: Sequence[str], take: Take, *, with_dummies: bool = False) -> Found:
    """Ask `take` for every entry of a node's list of values, in order. `slots` are the names of its saved inputs."""
    found: list[tuple[Entry, Any]] = []

    def ask(socket: InputSocket, *, sent: bool = True) -> Any:
        entry = Entry(socket, sent)
        value = take(entry)
        found.append((entry, value))
        return value

    waiting = list(reversed(definition.inputs))
    while waiting:
        socket = waiting.pop()
        if socket.type == DYNAMIC_COMBO:
            waiting.extend(reversed(_option_of(socket, ask(key_socket(socket)))))
        elif socket.type == AUTOGROW:
            waiting.extend(reversed(grown_sockets(socket, slots)))
        elif socket.widget is not None:
            ask(socket)
            if socket.widget.control_after_generate or socket.widget.kind == "seed":
                ask(InputSocket("control_after_generate", "COMBO", Widget("combo", choices=CONTROLS)), sent=False)
                if socket.type == "COMBO":
                    ask(InputSocket("control_filter_list", "STRING", Widget("text")), sent=False)
        elif with_dummies and socket.options.get("forceInput"):
            ask(InputSocket(socket.name, "*"), sent=False)
    return found


def _option_of(socket: InputSocket, key: Any) -> list[InputSocket]:
    """The inputs that come with the saved key of a dynamic combo; those of its default if it has no such option."""
    sockets = option_sockets(socket, key)
    return (option_sockets(socket, default_of(key_socket(socket))) if sockets is None else sockets) or []


def _count(definition: NodeDefinition, slots: Sequence[str]) -> int:
    uploads = sum(1 for socket in definition.inputs if socket.widget and socket.widget.upload)
    return len(_read(definition, slots, lambda entry: MISSING)) + uploads  # noqa: ARG005 - a `Take`


def _dummies(definition: NodeDefinition) -> int:
    return sum(1 for socket in definition.inputs if socket.options.get("forceInput"))


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}..."
