"""A V1 class (INPUT_TYPES, RETURN_TYPES, FUNCTION, ...) as a `NodeType`.

Everything that the class says is read here once; what it does stays its own.
"""

import inspect
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from executor.context import executing
from executor.schema import Lane, NodeDefinition, NodeType, OutputSocket, Result
from nodes.packs import bridge, v1_inputs, v1_questions
from nodes.packs.calling import call_code, pack_code
from nodes.packs.instances import Instances
from nodes.packs.v1_results import result_of

log = logging.getLogger(__name__)


def node_type(
    class_type: str,
    cls: type,
    display_name: str | None,
    module: str,
    version: str,
    instances: Instances | None = None,
) -> NodeType:
    """The class as a node type. Raises whatever its INPUT_TYPES raises, or TypeError with a sentence."""

    def describe() -> NodeDefinition:
        return _definition(class_type, cls, display_name, module, version)

    definition = describe()
    objects = instances or Instances()

    def call(**inputs: Any) -> Result | Awaitable[Result]:
        with pack_code():
            function = getattr(_object(objects, cls), cls.FUNCTION)  # type: ignore[attr-defined]
            arguments = _arguments(definition, inputs)
        return call_code(function, arguments, lambda answer: result_of(answer, definition, bridge.from_pack))

    def needs(**inputs: Any) -> Sequence[str] | Awaitable[Sequence[str]]:
        with pack_code():
            function = _object(objects, cls).check_lazy_status
            arguments = _arguments(definition, inputs)
        return call_code(function, arguments, v1_questions.names_of)

    def refresh() -> NodeDefinition:
        try:
            return describe()
        except Exception as error:  # noqa: BLE001 - the pack's code; what it said before is better than nothing
            log.warning("INPUT_TYPES of %s (%s) failed: %s: %s", class_type, module, type(error).__name__, error)
            return definition

    return NodeType(
        definition,
        call,
        fingerprint=v1_questions.fingerprinting(cls, definition),
        validate=v1_questions.validation(cls, definition),
        needs=needs if callable(getattr(cls, "check_lazy_status", None)) else None,
        refresh=refresh,
    )


def _definition(class_type: str, cls: type, display_name: str | None, module: str, version: str) -> NodeDefinition:
    function = _function(class_type, cls)
    with pack_code():
        input_types = cls.INPUT_TYPES()  # type: ignore[attr-defined]
    if not isinstance(input_types, Mapping):
        raise TypeError(f"INPUT_TYPES returned a {type(input_types).__name__}, not a dict.")
    sockets = v1_inputs.sockets(input_types)
    hidden = v1_inputs.hidden(input_types)
    checks, checks_types = v1_questions.checks(cls, [socket.name for socket in sockets])
    return NodeDefinition(
        class_type=class_type,
        inputs=sockets,
        outputs=_outputs(cls),
        category=_text(cls, "CATEGORY"),
        display_name=display_name or class_type,
        description=_text(cls, "DESCRIPTION"),
        is_output=_flag(cls, "OUTPUT_NODE"),
        injected=hidden,
        version=version,
        lane=_lane(cls, function),
        input_is_list=_flag(cls, "INPUT_IS_LIST"),
        python_module=module,
        deprecated=_flag(cls, "DEPRECATED"),
        experimental=_flag(cls, "EXPERIMENTAL"),
        api_node=_flag(cls, "API_NODE"),
        search_aliases=tuple(str(alias) for alias in _sequence(getattr(cls, "SEARCH_ALIASES", ()))),
        accepts="any" if v1_inputs.takes_any_name(input_types) else "links" if _takes_more(function) else "declared",
        per_id=_flag(cls, "NOT_IDEMPOTENT") or "UNIQUE_ID" in hidden.values(),
        checks=checks,
        checks_types=checks_types,
        further_outputs=_answers_beyond(getattr(cls, "RETURN_TYPES", ())),
    )


def _function(class_type: str, cls: type) -> Callable[..., Any]:
    name = getattr(cls, "FUNCTION", None)
    if not isinstance(name, str):
        raise TypeError(f"{class_type} names no FUNCTION.")
    function = getattr(cls, name, None)
    if not callable(function):
        raise TypeError(f"{class_type} names the FUNCTION '{name}', but has no such method.")
    return function


def _outputs(cls: type) -> tuple[OutputSocket, ...]:
    types = _sequence(getattr(cls, "RETURN_TYPES", ()))
    names = _sequence(getattr(cls, "RETURN_NAMES", ()))
    lists = getattr(cls, "OUTPUT_IS_LIST", ())
    tooltips = _sequence(getattr(cls, "OUTPUT_TOOLTIPS", ()))
    listed = [lists] * len(types) if isinstance(lists, bool) else _sequence(lists)
    sockets = []
    for index, kind in enumerate(types):
        wire_type = v1_inputs.type_name(kind)
        name = names[index] if index < len(names) else None
        tooltip = tooltips[index] if index < len(tooltips) else None
        sockets.append(
            OutputSocket(
                name=str(name) if name else wire_type,
                type=wire_type,
                is_list=index < len(listed) and bool(listed[index]),
                tooltip=str(tooltip) if tooltip else None,
            )
        )
    return tuple(sockets)


def _answers_beyond(types: Any) -> bool:
    """Whether it is a tuple of a pack's own kind that has a type for every index, which lets the pack's code for the
    editor add outputs."""
    if type(types) in (tuple, list) or not isinstance(types, tuple | list):
        return False
    try:
        with pack_code():
            return types[len(types)] is not None
    except Exception:  # noqa: BLE001 a pack's code
        return False


def _lane(cls: type, function: Callable[..., Any]) -> Lane:
    if inspect.iscoroutinefunction(function):
        return "loop"
    return "thread" if getattr(cls, "LANE", None) == "thread" else "device"


def _takes_more(function: Callable[..., Any]) -> bool:
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # made in C, or by a decorator that hides it
        return False
    return any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters)


def _sequence(value: Any) -> Sequence[Any]:
    """A list or tuple as it is; one text, of which packs forget the comma, is a list of one."""
    if isinstance(value, str):
        return (value,)
    return tuple(value) if isinstance(value, list | tuple) else ()


def _flag(cls: type, name: str) -> bool:
    return bool(getattr(cls, name, False))


def _text(cls: type, name: str) -> str:
    value = getattr(cls, name, None)
    return "" if value is None else str(value)


def _object(instances: Instances, cls: type) -> Any:
    context = executing.get()
    return cls() if context is None else instances.of(cls, context.node_id)


def _arguments(definition: NodeDefinition, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """The inputs as packs know them; for a class that takes whole lists, the hidden ones are lists too."""
    raw = {socket.name for socket in definition.inputs if socket.raw_link}
    given: dict[str, Any] = {}
    for name, value in inputs.items():
        if name in definition.injected:
            given[name] = [value] if definition.input_is_list else value
        elif name in raw:
            given[name] = value
        else:
            given[name] = [*map(bridge.to_pack, value)] if definition.input_is_list else bridge.to_pack(value)
    return given
