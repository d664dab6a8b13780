"""`@node`: a typed keyword-only function becomes a `NodeType`; `collect` gathers those of some modules.

The signature is the schema: parameter order, types, defaults and widgets come from it, outputs from the return
annotation, the description from the docstring. There is no registry; importing a module of nodes changes nothing
elsewhere. It knows nothing of the wire.
"""

import inspect
import types
import typing
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin

from executor.schema import (
    MISSING,
    Inject,
    InputSocket,
    Lane,
    NodeDefinition,
    NodeType,
    OutputSocket,
    Result,
    Widget,
)

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Socket:
    """In `Annotated`: the wire type of a value that only a link can carry."""

    type: str


@dataclass(frozen=True, slots=True)
class Shown:
    """Returned by a node that shows something: what the editor gets, and the outputs, if the node has any."""

    ui: Mapping[str, Any]
    """JSON-ready, for example {"images": [{"filename": ..., "subfolder": ..., "type": "output"}]}."""
    outputs: tuple[Any, ...] = ()


_PLAIN: Mapping[Any, tuple[str, Widget]] = types.MappingProxyType(
    {
        int: ("INT", Widget("number")),
        float: ("FLOAT", Widget("number")),
        str: ("STRING", Widget("text")),
        bool: ("BOOLEAN", Widget("toggle")),
    }
)


def node(
    class_type: str,
    *,
    category: str,
    display_name: str | None = None,
    is_output: bool = False,
    fingerprint: Callable[..., str] | None = None,
    version: int = 1,
    lane: Lane = "thread",
    deprecated: bool = False,
    experimental: bool = False,
) -> Callable[[F], F]:
    """Declare the decorated function as a node type. The function stays as it is and gets a `node_type` attribute.

    Raises TypeError at declaration if a parameter is positional, or has a type that no socket carries.
    """

    def declare(function: F) -> F:
        hints = typing.get_type_hints(function, include_extras=True)
        returned = hints.pop("return", None)
        inputs: list[InputSocket] = []
        injected: dict[str, str] = {}
        for parameter in inspect.signature(function).parameters.values():
            if parameter.kind is not inspect.Parameter.KEYWORD_ONLY:
                raise TypeError(f"{class_type}: parameter '{parameter.name}' must be keyword-only.")
            resource = _injected(hints[parameter.name])
            if resource:
                injected[parameter.name] = resource
            else:
                inputs.append(_input(class_type, parameter, hints[parameter.name]))
        definition = NodeDefinition(
            class_type=class_type,
            inputs=tuple(inputs),
            outputs=_outputs(class_type, returned),
            category=category,
            display_name=display_name or class_type,
            description=inspect.getdoc(function) or "",
            is_output=is_output,
            injected=injected,
            version=version,
            lane=lane,
            deprecated=deprecated,
            experimental=experimental,
        )
        setattr(function, "node_type", NodeType(definition, _normalised(function), fingerprint))  # noqa: B010
        return function

    return declare


def collect(*modules: ModuleType) -> dict[str, NodeType]:
    """Class type -> node type of every node function that the modules define. Raises ValueError on a duplicate."""
    collected: dict[str, NodeType] = {}
    for module in modules:
        for value in vars(module).values():
            node_type = getattr(value, "node_type", None)
            if not isinstance(node_type, NodeType) or value.__module__ != module.__name__:
                continue
            class_type = node_type.definition.class_type
            if class_type in collected:
                raise ValueError(f"Two nodes are called {class_type}; the second is in {module.__name__}.")
            collected[class_type] = node_type
    return collected


def _injected(hint: Any) -> str | None:
    kind, notes = _split(hint)
    return kind.__name__ if any(isinstance(note, Inject) for note in notes) else None


def _input(class_type: str, parameter: inspect.Parameter, hint: Any) -> InputSocket:
    optional = type(None) in get_args(hint) and get_origin(hint) in (types.UnionType, typing.Union)
    if optional:
        hint = typing.Union[tuple(one for one in get_args(hint) if one is not type(None))]  # noqa: UP007
    wire_type, widget = _wire(hint)
    if wire_type is None:
        raise TypeError(f"{class_type}: parameter '{parameter.name}' has a type that no socket carries: {hint}.")
    default = MISSING if parameter.default is inspect.Parameter.empty or optional else parameter.default
    return InputSocket(parameter.name, wire_type, widget, default, required=not optional)


def _wire(hint: Any) -> tuple[str | None, Widget | None]:
    """Wire type and widget of an annotation."""
    kind, notes = _split(hint)
    socket = next((note for note in notes if isinstance(note, Socket)), None)
    if socket:
        return socket.type, None
    widget = next((note for note in notes if isinstance(note, Widget)), None)
    if get_origin(kind) is Literal:
        return "COMBO", widget or Widget("combo", choices=get_args(kind))
    if kind not in _PLAIN:
        return None, None
    wire_type, plain = _PLAIN[kind]
    if widget and wire_type == "FLOAT":
        widget = _in_floats(widget)
    return ("COMBO" if widget and widget.kind == "combo" else wire_type), widget or plain


def _in_floats(widget: Widget) -> Widget:
    """The widget with bounds that read as floats. `typing` keeps one of two annotations that compare equal, and 0 and
    0.0 do, so which of them a declaration gets depends on what was imported before it."""
    low, high, step = (_as_float(bound) for bound in (widget.min, widget.max, widget.step))
    return replace(widget, min=low, max=high, step=step)


def _as_float(bound: float | None) -> float | None:
    """The bound as a float if that is the same number; the largest integers are none."""
    return bound if bound is None or float(bound) != bound else float(bound)


def _outputs(class_type: str, hint: Any) -> tuple[OutputSocket, ...]:
    """Sockets of a return annotation: none, one value, or the fields of a NamedTuple under their names."""
    kind, _ = _split(hint)
    if kind is type(None) or kind is None or kind is Shown:
        return ()
    if isinstance(kind, type) and issubclass(kind, tuple) and hasattr(kind, "_fields"):
        fields = typing.get_type_hints(kind, include_extras=True)
        return tuple(OutputSocket(name, _output_type(class_type, fields[name])) for name in kind._fields)
    wire_type = _output_type(class_type, hint)
    return (OutputSocket(wire_type, wire_type),)


def _output_type(class_type: str, hint: Any) -> str:
    wire_type, _ = _wire(hint)
    if wire_type is None:
        raise TypeError(f"{class_type}: returns a type that no socket carries: {hint}.")
    return wire_type


def _split(hint: Any) -> tuple[Any, tuple[Any, ...]]:
    """An annotation without its notes, and the notes."""
    if get_origin(hint) is Annotated:
        kind, *notes = get_args(hint)
        return kind, tuple(notes)
    return hint, ()


def _normalised(function: Callable[..., Any]) -> Callable[..., Result | Awaitable[Result]]:
    """The function with its return value as a `Result`; a coroutine function stays one."""
    if inspect.iscoroutinefunction(function):

        async def call_later(**inputs: Any) -> Result:
            return _result(await function(**inputs))

        return call_later

    def call(**inputs: Any) -> Result:
        return _result(function(**inputs))

    return call


def _result(value: Any) -> Result:
    if value is None:
        return Result()
    if isinstance(value, Shown):
        return Result(value.outputs, value.ui)
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return Result(tuple(value))
    return Result((value,))
