"""A V3 class (define_schema, execute, ...) as a `NodeType`.

The schema is read here once, and again when choices may have changed. Each call runs on a clone of the class that knows
what the schema asked to know of the run, and that nothing can be kept on.
"""

import functools
import importlib
import inspect
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, Final

from executor.context import executing
from executor.schema import Lane, NodeDefinition, NodeType, OutputSocket, Result
from nodes.packs import bridge, v1_inputs, v1_questions
from nodes.packs.calling import call_code, pack_code
from nodes.packs.v1_inputs import plain
from nodes.packs.v1_results import result_of
from nodes.packs.v3_nested import Nested, nested_inputs

log = logging.getLogger(__name__)

_QUESTIONS: Final = {"validate_inputs": "VALIDATE_INPUTS", "fingerprint_inputs": "IS_CHANGED"}
"""Class method -> the name of the same question in V1."""


def node_type(cls: Any, module: str, version: str) -> NodeType:
    """The class as a node type. Raises whatever its define_schema raises, or TypeError with a sentence."""
    node = importlib.import_module("comfy_api.latest._io.node")
    if not issubclass(cls, node.ComfyNode):
        raise TypeError(f"{cls.__name__} is given as a V3 node but is not derived from io.ComfyNode.")
    with pack_code():
        schema = cls.GET_SCHEMA()
    definition = _definition(cls, schema, module, version)
    nested = nested_inputs(definition)

    def clone(given: dict[str, Any]) -> Any:
        """The class for one call, which takes what it knows of the run out of what was given."""
        known = {resource: given.pop(name) for name, resource in definition.injected.items() if name in given}
        return node.locked_clone(cls, known)

    def call(**given: Any) -> Result | Awaitable[Result]:
        with pack_code():
            execute = clone(given).execute
            arguments = _arguments(definition, nested, given)
        return call_code(execute, arguments, lambda answer: result_of(told(answer), definition, _from_pack))

    def told(answer: Any) -> Any:
        output = node.NodeOutput.of(answer)
        if output.expand is not None and not schema.enable_expand:
            raise RuntimeError(
                f"{definition.class_type} wants to expand into other nodes, but its schema does not say "
                f"enable_expand=True. This is a mistake in {module}."
            )
        return output

    def needs(**given: Any) -> Sequence[str] | Awaitable[Sequence[str]]:
        with pack_code():
            question = clone(given).check_lazy_status
            arguments = _with_keys(nested, _arguments(definition, nested, given))
        return call_code(question, _named(question, arguments), v1_questions.names_of)

    asked = _questions(cls, node)
    without_hidden = replace(definition, injected={})
    return NodeType(
        definition,
        call,
        fingerprint=v1_questions.fingerprinting(asked, without_hidden),
        validate=v1_questions.validation(asked, without_hidden),
        needs=needs if node.overrides(cls, "check_lazy_status") else None,
        refresh=lambda: _again(cls, definition),
    )


def _definition(cls: Any, schema: Any, module: str, version: str) -> NodeDefinition:
    """All of it as plain values, because definitions cross to processes that know no class of a pack."""
    inputs = schema.get_v1_info(cls).input
    sockets = v1_inputs.sockets(inputs)
    names = [socket.name for socket in sockets]
    node = importlib.import_module("comfy_api.latest._io.node")
    checks, checks_types = v1_questions.checks(_questions(cls, node), names)
    hidden = v1_inputs.hidden(inputs)
    return NodeDefinition(
        class_type=str(plain(schema.node_id)),
        inputs=sockets,
        outputs=tuple(_output(output) for output in schema.outputs),
        category=str(plain(schema.category)),
        display_name=str(plain(schema.display_name or schema.node_id)),
        description=str(plain(schema.description or "")),
        is_output=bool(schema.is_output_node),
        # Unlike in V1, an input may be called as something that the node asks to know.
        injected={f"hidden {name}" if name in names else name: resource for name, resource in hidden.items()},
        version=version,
        lane=_lane(cls),
        input_is_list=bool(schema.is_input_list),
        python_module=module,
        deprecated=bool(schema.is_deprecated),
        experimental=bool(schema.is_experimental),
        api_node=bool(schema.is_api_node),
        search_aliases=tuple(plain(schema.search_aliases)),
        wording="V3",
        accepts="any" if schema.accept_all_inputs else "links" if _takes_more(cls.execute) else "declared",
        per_id=bool(schema.not_idempotent) or "UNIQUE_ID" in hidden.values(),
        checks=checks,
        checks_types=checks_types,
    )


def _output(output: Any) -> OutputSocket:
    template = getattr(output, "template", None)
    wire_type = v1_inputs.type_name(output.get_io_type())
    return OutputSocket(
        name=str(plain(output.display_name or wire_type)),
        type=wire_type,
        is_list=bool(output.is_output_list),
        tooltip=plain(output.tooltip),
        matches=None if template is None else str(plain(template.template_id)),
    )


def _again(cls: Any, known: NodeDefinition) -> NodeDefinition:
    """The definition as the schema has it now; if it cannot say, as it was."""
    try:
        with pack_code():
            return _definition(cls, cls.GET_SCHEMA(), known.python_module, str(known.version))
    except Exception as error:  # noqa: BLE001 - the pack's code; what it said before is better than nothing
        log.warning(
            "define_schema of %s (%s) failed: %s: %s",
            known.class_type, known.python_module, type(error).__name__, error,
        )  # fmt: skip
        return known


def _lane(cls: Any) -> Lane:
    if inspect.iscoroutinefunction(cls.execute):
        return "loop"
    return "thread" if getattr(cls, "LANE", None) == "thread" else "device"


def _questions(cls: Any, node: Any) -> Any:
    """Those that the class answers itself, under the names that they have in V1."""

    def asked(method: str) -> Callable[..., Any]:
        @functools.wraps(getattr(cls, method))
        def ask(**arguments: Any) -> Any:
            context = executing.get()
            known: dict[str, Any] = {"PROMPT": {}, "UNIQUE_ID": context.node_id if context else None}
            return getattr(node.locked_clone(cls, known), method)(**arguments)

        return ask

    return SimpleNamespace(
        **{name: asked(method) for method, name in _QUESTIONS.items() if node.overrides(cls, method)}
    )


def _arguments(definition: NodeDefinition, nested: Mapping[str, Nested], given: Mapping[str, Any]) -> dict[str, Any]:
    """The inputs as packs know them."""
    raw = {socket.name for socket in definition.inputs if socket.raw_link}

    def known(value: Any) -> Any:
        if definition.input_is_list and isinstance(value, list):
            return [*map(bridge.lend, value)]
        return bridge.lend(value)

    def inside(_path: str, value: Any) -> Any:
        return known(value)

    return {
        name: value if name in raw else nested[name].mapped(value, inside) if name in nested else known(value)
        for name, value in given.items()
    }


def _with_keys(nested: Mapping[str, Nested], arguments: Mapping[str, Any]) -> dict[str, Any]:
    """For check_lazy_status: each value inside of another input with the dotted name by which it can be asked for."""
    return {
        name: nested[name].mapped(value, lambda path, inner: (inner, path)) if name in nested else value
        for name, value in arguments.items()
    }


def _named(function: Callable[..., Any], arguments: Mapping[str, Any]) -> Mapping[str, Any]:
    """The arguments that the function has parameters for."""
    if _takes_more(function):
        return arguments
    parameters = inspect.signature(function).parameters
    return {name: value for name, value in arguments.items() if name in parameters}


def _takes_more(function: Callable[..., Any]) -> bool:
    parameters = inspect.signature(function).parameters.values()
    return any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters)


def _from_pack(value: Any, wire_type: str) -> Any:
    # What type a matching output has is known where it is linked; here the value must tell.
    return bridge.from_pack(value, "*" if wire_type.startswith("COMFY_") else wire_type)
