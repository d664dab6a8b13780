"""Annotations -> input sockets, and how a value from the wire becomes what the function was promised.

Its TypeErrors are the ends of sentences, which `declare` begins with the node and the parameter.
"""

import dataclasses
import re
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin

from executor.object_info import input_info
from executor.schema import MISSING, FolderChoices, InputError, InputSocket, Widget
from nodes.marks import Autogrow, LazyMark, RawLinkMark, Socket, Tooltip, WireLink, WireOptions

Note = TypeVar("Note")
Receive = Callable[[Any], Any]

_PLAIN: Mapping[Any, tuple[str, Widget]] = types.MappingProxyType(
    {
        int: ("INT", Widget("number")),
        float: ("FLOAT", Widget("number")),
        str: ("STRING", Widget("text")),
        bool: ("BOOLEAN", Widget("toggle")),
    }
)


@dataclass(frozen=True, slots=True)
class Annotation:
    """An annotation without its layers: `Annotated`, `| None`, `list[...]`."""

    kind: Any
    notes: tuple[Any, ...]
    optional: bool
    is_list: bool

    def note(self, kind: type[Note]) -> Note | None:
        """The note of this kind, if there is one."""
        return next((note for note in self.notes if isinstance(note, kind)), None)


@dataclass(frozen=True, slots=True)
class Wire:
    """What an annotation means on the wire."""

    type: str
    widget: Widget | None = None
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])
    receive: Receive | None = None
    """Wire value -> what the function gets, if they differ."""
    matches: str | None = None


@dataclass(frozen=True, slots=True)
class Input:
    """A socket, and what becomes of its value."""

    socket: InputSocket
    wire: Wire
    is_list: bool


def read_annotation(hint: Any, beside: tuple[Any, ...] = (WireLink,)) -> Annotation:
    """`hint` without its layers. Members of a union that are in `beside` do not count."""
    notes: tuple[Any, ...] = ()
    optional = is_list = False
    while True:
        origin = get_origin(hint)
        if origin is Annotated:
            hint, *more = get_args(hint)
            notes = (*more, *notes)
        elif origin is list and not is_list:
            is_list = True
            (hint,) = get_args(hint)
        elif _is_union(origin) and any(one in (types.NoneType, *beside) for one in get_args(hint)):
            optional = optional or types.NoneType in get_args(hint)
            rest = tuple(one for one in get_args(hint) if one not in (types.NoneType, *beside))
            hint = typing.Union[rest] if rest else types.NoneType  # noqa: UP007
        else:
            return Annotation(hint, notes, optional, is_list)


def read_input(name: str, hint: Any, default: Any = MISSING) -> Input:
    """The input that a parameter, or a field of a dynamic combo's option, declares. Raises TypeError."""
    annotation = read_annotation(hint)
    wire = read_wire(annotation, name)
    tooltip, further = annotation.note(Tooltip), annotation.note(WireOptions)
    if default is not MISSING and default is not None and (annotation.is_list or wire.options):
        raise TypeError("can have no default but None: it is a list, or a socket that changes.")
    socket = InputSocket(
        name,
        wire.type,
        wire.widget,
        MISSING if default is None else default,
        required=not annotation.optional,
        lazy=annotation.note(LazyMark) is not None,
        raw_link=annotation.note(RawLinkMark) is not None,
        tooltip=tooltip.text if tooltip else None,
        options={**wire.options, **(further.options if further else {})},
    )
    return Input(socket, wire, annotation.is_list)


def read_wire(annotation: Annotation, name: str = "") -> Wire:
    """Wire type and widget of an annotation; `name` is the input's. Raises TypeError."""
    kind, widget = annotation.kind, annotation.note(Widget)
    if isinstance(kind, TypeVar):
        return _matched(kind)
    if socket := annotation.note(Socket):
        return Wire(socket.type)
    if autogrow := annotation.note(Autogrow):
        return _growing(autogrow, get_args(kind)[1])
    if get_origin(kind) is Literal:
        return Wire("COMBO", widget or Widget("combo", choices=get_args(kind)))
    members = get_args(kind) if _is_union(get_origin(kind)) else (kind,)
    if all(_is_option(one) for one in members):
        return _dynamic_combo(name, members)
    if len(members) > 1:
        return Wire(",".join(read_wire(read_annotation(one)).type for one in members))
    if kind not in _PLAIN:
        raise TypeError(f"has a type that no socket carries: {kind}.")
    wire_type, plain = _PLAIN[kind]
    if widget and wire_type == "FLOAT":
        widget = _in_floats(widget)
    return Wire("COMBO" if widget and widget.kind == "combo" else wire_type, widget or plain)


def only(name: str) -> Receive:
    """For a parameter that takes one value, in a node that takes lists."""

    def receive(values: list[Any]) -> Any:
        if len(values) != 1:
            raise InputError(name, f"Input '{name}' takes one value, not a list of {len(values)}; connect one.")
        return values[0]

    return receive


def _matched(variable: TypeVar) -> Wire:
    """Inputs and outputs of one type variable have one type, whichever that is."""
    allowed = variable.__constraints__ or ((variable.__bound__,) if variable.__bound__ else ())
    template = {
        "template_id": re.sub(r"(?<=.)(?=[A-Z])", "_", variable.__name__).lower(),
        "allowed_types": ",".join(read_wire(read_annotation(one)).type for one in allowed) or "*",
    }
    return Wire("COMFY_MATCHTYPE_V3", options={"template": template}, matches=template["template_id"])


def _growing(autogrow: Autogrow, hint: Any) -> Wire:
    element = read_input(autogrow.prefix or "value", hint)
    template: dict[str, Any] = {"input": _section([element])}
    if autogrow.names:
        template |= {"names": list(autogrow.names), "min": autogrow.min}
    else:
        template |= {"prefix": autogrow.prefix, "min": autogrow.min, "max": autogrow.max}
    receive = element.wire.receive
    each = None if receive is None else lambda given: {name: receive(value) for name, value in given.items()}
    return Wire("COMFY_AUTOGROW_V3", options={"template": template}, receive=each)


def _dynamic_combo(name: str, members: tuple[Any, ...]) -> Wire:
    """Each member is a dataclass with the inputs of one option, and the option's name in its `key`."""
    inputs: dict[str, list[Input]] = {}
    for member in members:
        hints = typing.get_type_hints(member, include_extras=True)
        inputs[member.key] = [
            read_input(one.name, hints[one.name], MISSING if one.default is dataclasses.MISSING else one.default)
            for one in dataclasses.fields(member)
        ]

    def receive(value: Mapping[str, Any]) -> Any:
        key = value[name]
        option = next(member for member in members if member.key == key)
        # Those without a default are always given, but not to a validation, which knows no links.
        unknown = {one.name: None for one in dataclasses.fields(option) if one.default is dataclasses.MISSING}
        return option(**unknown | received({one.socket.name: one for one in inputs[key]}, value, {name}))

    options = [{"key": key, "inputs": _section(fields)} for key, fields in inputs.items()]
    return Wire("COMFY_DYNAMICCOMBO_V3", options={"options": options}, receive=receive)


def received(inputs: Mapping[str, Input], given: Mapping[str, Any], without: set[str] | None = None) -> dict[str, Any]:
    """Values from the wire, nested as the executor nests them, as the function was promised them."""
    values: dict[str, Any] = {}
    for name, value in given.items():
        if name not in (without or ()):
            receive = inputs[name].wire.receive if name in inputs else None
            values[name] = value if receive is None or value is None else receive(value)
    return values


def _section(inputs: list[Input]) -> dict[str, Any]:
    """Nested inputs as `/object_info` words them."""
    described: dict[str, Any] = {"required": {}}
    for one in inputs:
        described.setdefault("required" if one.socket.required else "optional", {})[one.socket.name] = _info(one.socket)
    return described


def _info(socket: InputSocket) -> list[Any]:
    choices = socket.widget.choices if socket.widget else ()
    if isinstance(choices, FolderChoices):
        raise TypeError(f"cannot offer '{socket.name}': an input inside of another cannot choose a file.")
    kind, options = input_info(socket, choices)
    return ["COMBO", {**options, "multiselect": False, "options": kind}] if isinstance(kind, list) else [kind, options]


def _is_union(origin: Any) -> bool:
    return origin in (types.UnionType, typing.Union)


def _is_option(kind: Any) -> bool:
    return dataclasses.is_dataclass(kind) and isinstance(getattr(kind, "key", None), str)


def _in_floats(widget: Widget) -> Widget:
    """The widget with bounds that read as floats. `typing` keeps one of two annotations that compare equal, and 0 and
    0.0 do, so which of them a declaration gets depends on what was imported before it."""
    low, high, step = (_as_float(bound) for bound in (widget.min, widget.max, widget.step))
    return replace(widget, min=low, max=high, step=step)


def _as_float(bound: float | None) -> float | None:
    """The bound as a float if that is the same number; the largest integers are none."""
    return bound if bound is None or float(bound) != bound else float(bound)
