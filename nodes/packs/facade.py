"""A class in ComfyUI's V1 shape for each of our node types: packs call built-in nodes as classes, and subclass them.

Made from the definition alone. Values cross `nodes.packs.bridge` on the way in and out; what a node has injected comes
from the run around the caller, or from the worker.
"""

import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any

from executor.context import executing
from executor.object_info import input_info
from executor.progress import Unwatched
from executor.schema import HIDDEN, MISSING, FolderChoices, InputSocket, NodeDefinition, NodeType, Result, RunInfo
from nodes.packs import bridge
from nodes.packs.facade_names import CHOICES, METHODS, ORDERS
from nodes.packs.surroundings import Surroundings

_SHOWN = {"prompt": "PROMPT", "extra_pnginfo": "EXTRA_PNGINFO"}
"""What `RunInfo` is made of, under the names of V1's hidden inputs."""


class Outputs(tuple[Any, ...]):
    """The outputs of a call: a tuple, as V1 methods return, which also answers as V3's NodeOutput does."""

    __slots__ = ()

    @property
    def args(self) -> tuple[Any, ...]:
        """The outputs."""
        return tuple(self)

    @property
    def result(self) -> tuple[Any, ...] | None:
        """The outputs; None if there are none."""
        return tuple(self) or None


def facade_class(node_type: NodeType, around: Surroundings) -> type:
    """The class. Its method has the name that packs know, and takes the inputs by position or by name."""
    definition = node_type.definition
    method = METHODS.get(definition.class_type, "execute")

    def call(self: object, *values: Any, **named: Any) -> Any:
        del self
        return call_node(node_type, around, values, named)

    def input_types(cls: type) -> dict[str, Any]:
        del cls
        return describe_inputs(definition, around)

    namespace: dict[str, Any] = {
        "__doc__": definition.description,
        "__module__": "nodes",
        "INPUT_TYPES": classmethod(input_types),
        "RETURN_TYPES": tuple(output.type for output in definition.outputs),
        "RETURN_NAMES": tuple(output.name for output in definition.outputs),
        "OUTPUT_IS_LIST": tuple(output.is_list for output in definition.outputs),
        "INPUT_IS_LIST": definition.input_is_list,
        "FUNCTION": method,
        "CATEGORY": definition.category,
        "OUTPUT_NODE": definition.is_output,
        "DESCRIPTION": definition.description,
        "DEPRECATED": definition.deprecated,
        "EXPERIMENTAL": definition.experimental,
        "RELATIVE_PYTHON_MODULE": definition.python_module,
        # Newer nodes are called on the class itself.
        method: call if definition.class_type in METHODS else classmethod(call),
    }
    sockets = {socket.name: socket for socket in definition.inputs}
    for attribute, name in CHOICES.get(definition.class_type, {}).items():
        namespace[attribute] = list(_choices(sockets[name], around))
    if node_type.fingerprint is not None:
        namespace["IS_CHANGED"] = classmethod(_changed(node_type.fingerprint, definition, around))
    return type(definition.class_type, (), namespace)


def missing_class(class_type: str) -> type:
    """A class in place of a node that Heddle does not have yet: it can be imported and made, and says so when used."""

    def refuse(*_: Any, **__: Any) -> Any:
        raise RuntimeError(f"A node pack wants to use the built-in node {class_type}, which Heddle does not have yet.")

    method = METHODS[class_type]
    return type(
        class_type,
        (),
        {
            "__doc__": "Not there yet.",
            "__module__": "nodes",
            "FUNCTION": method,
            method: refuse,
            "INPUT_TYPES": classmethod(refuse),
        },
    )


def describe_inputs(definition: NodeDefinition, around: Surroundings) -> dict[str, Any]:
    """What INPUT_TYPES returns: required, optional and hidden inputs, with the choices of this moment."""
    groups: dict[str, dict[str, Any]] = {"required": {}}
    for socket in definition.inputs:
        group = groups.setdefault("required" if socket.required else "optional", {})
        group[socket.name] = tuple(input_info(socket, _choices(socket, around)))
    hidden = {name: resource for name, resource in definition.injected.items() if resource in HIDDEN}
    if "RunInfo" in definition.injected.values():
        hidden |= _SHOWN
    return groups | ({"hidden": hidden} if hidden else {})


def call_node(node_type: NodeType, around: Surroundings, values: Sequence[Any], named: Mapping[str, Any]) -> Any:
    """What the node gives for values as packs have them: a tuple, or a dict with "ui" where it shows something. An
    awaitable of that if the node is a coroutine. Raises TypeError for arguments that do not fit."""
    definition = node_type.definition
    given = _bound(definition, values, named)
    sockets = {socket.name: socket for socket in definition.inputs}
    inputs = {
        name: _each(definition.input_is_list, value, partial(_taken, wire_type=_type_of(sockets.get(name))))
        for name, value in given.items()
        if name in sockets or (name not in definition.injected and name not in _SHOWN)
    }
    result = node_type.call(**inputs, **injected(definition, around, given))
    return _later(definition, result) if inspect.isawaitable(result) else _answer(definition, result)


def injected(definition: NodeDefinition, around: Surroundings, given: Mapping[str, Any]) -> dict[str, Any]:
    """Parameter -> resource, from `given` (hidden inputs), the run around the caller, or the worker. Raises LookupError
    for one that is in none of them."""
    context = executing.get()
    offered: dict[str, Any] = {
        **around.resources,
        "Progress": context.progress if context else Unwatched(),
        "RunInfo": RunInfo(
            given.get("prompt") or {},
            given.get("extra_pnginfo") or {},
            context.node_id if context else "",
            saves_metadata=not around.options.get("disable_metadata"),
        ),
        "UNIQUE_ID": context.node_id if context else None,
    }
    found = {}
    for parameter, resource in definition.injected.items():
        if parameter in given:
            found[parameter] = given[parameter]
        elif resource in offered:
            found[parameter] = offered[resource]
        elif resource in HIDDEN:
            found[parameter] = None
        else:
            raise LookupError(f"{definition.class_type} needs the resource '{resource}', which this call has not.")
    return found


def _bound(definition: NodeDefinition, values: Sequence[Any], named: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments by name."""
    class_type = definition.class_type
    order = list(ORDERS.get(class_type, tuple(socket.name for socket in definition.inputs)))
    hidden = [name for name, resource in definition.injected.items() if resource in HIDDEN]
    if "RunInfo" in definition.injected.values():
        hidden += list(_SHOWN)
    order += hidden
    if len(values) > len(order):
        raise TypeError(f"{class_type} takes {len(order)} arguments ({', '.join(order)}), not {len(values)}.")
    given = dict(zip(order, values, strict=False))
    for name, value in named.items():
        if name not in order and definition.accepts == "declared":
            raise TypeError(f"{class_type} has no input '{name}'; it has {', '.join(order)}.")
        if name in given:
            raise TypeError(f"{class_type} was given '{name}' by position and by name.")
        given[name] = value
    needed = [socket.name for socket in definition.inputs if socket.required and socket.default is MISSING]
    if missing := [name for name in needed if name not in given]:
        raise TypeError(f"{class_type} was not given {', '.join(missing)}.")
    optional = {socket.name for socket in definition.inputs if not socket.required}
    return {name: value for name, value in given.items() if value is not None or name not in optional}


def _type_of(socket: InputSocket | None) -> str:
    return socket.type if socket is not None else "*"


def _taken(value: Any, wire_type: str) -> Any:
    return bridge.from_pack(value, wire_type)


def _each(is_list: bool, value: Any, cross: Callable[[Any], Any]) -> Any:
    return [cross(one) for one in value] if is_list and isinstance(value, list | tuple) else cross(value)


async def _later(definition: NodeDefinition, result: Awaitable[Result]) -> Any:
    return _answer(definition, await result)


def _answer(definition: NodeDefinition, result: Any) -> Any:
    outputs = Outputs(
        _each(socket.is_list, value, bridge.to_pack)
        for socket, value in zip(definition.outputs, result.outputs, strict=True)
    )
    extra: dict[str, Any] = {}
    if result.ui is not None:
        extra["ui"] = dict(result.ui)
    if result.expand is not None:
        extra["expand"] = dict(result.expand)
    return {**extra, "result": outputs} if extra else outputs


def _choices(socket: InputSocket, around: Surroundings) -> Sequence[str | int | float]:
    choices = socket.widget.choices if socket.widget is not None else ()
    return around.folders.list(choices.listed_by) if isinstance(choices, FolderChoices) else choices


def _changed(fingerprint: Callable[..., Any], definition: NodeDefinition, around: Surroundings) -> Callable[..., Any]:
    """IS_CHANGED: the node's fingerprint of those inputs that it looks at."""
    wanted = inspect.signature(fingerprint).parameters
    order = [socket.name for socket in definition.inputs]

    def is_changed(cls: type, *values: Any, **named: Any) -> Any:
        del cls
        inputs = dict(zip(order, values, strict=False)) | named
        resources = {
            name: around.resources[resource]
            for name, resource in definition.injected.items()
            if resource in around.resources
        }
        known = {**resources, **inputs}
        return fingerprint(**{name: known[name] for name in wanted if name in known})

    return is_changed
