"""Writes the wire prompt of an editor document.

Gives no value to an input that the document leaves without one: that is for `executor.prompt` to report.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from random import Random
from typing import Any

from executor.schema import MISSING, NodeDefinition
from executor.workflow.document import WorkflowNode, read_document
from executor.workflow.resolve import PRIMITIVE, REROUTE, Literal, Output, resolve
from executor.workflow.scopes import Scope, unfold
from executor.workflow.texts import choose_alternatives, fill_prefix
from executor.workflow.widgets import fits, read_values

VIRTUAL = frozenset({"Note", "MarkdownNote", REROUTE, PRIMITIVE})
"""Nodes of the editor only, which never run."""


@dataclass(frozen=True, slots=True)
class Converted:
    """A wire prompt, and a sentence for each thing of the document that did not fit."""

    prompt: dict[str, dict[str, Any]]
    warnings: tuple[str, ...] = ()


@dataclass(slots=True)
class _Conversion:
    definitions: Mapping[str, NodeDefinition]
    random: Random
    prompt: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    warnings: list[str] = field(default_factory=list[str])


def to_prompt(
    document: object,
    definitions: Mapping[str, NodeDefinition],
    *,
    random: Random | None = None,
    now: datetime | None = None,
) -> Converted:
    """The prompt that runs the document. `random` picks among `{a|b}` alternatives in texts; `now` fills in dates.

    Raises WorkflowError if `document` (parsed JSON) is no editor document, or its subgraphs have no end.
    """
    conversion = _Conversion(definitions, random or Random())
    for scope in unfold(read_document(document)):
        for node in scope.graph.nodes.values():
            if node.runs and node.type not in VIRTUAL and node.id not in scope.children:
                _write_node(conversion, scope, node)
    _drop_dangling(conversion.prompt)
    _fill_prefixes(conversion, now or datetime.now())
    return Converted(conversion.prompt, tuple(conversion.warnings))


def _write_node(conversion: _Conversion, scope: Scope, node: WorkflowNode) -> None:
    definition = conversion.definitions.get(node.type)
    inputs: dict[str, Any] = {}
    if definition is None:
        conversion.warnings.append(f"Node {scope.prefix}{node.id}: the type '{node.type}' is not known here.")
        values = node.named or (node.values if isinstance(node.values, Mapping) else {})
        inputs |= {name: _wire(value) for name, value in values.items()}
    else:
        read = read_values(node, definition)
        conversion.warnings += read.warnings
        for name, own in read.by_name.items():
            inputs[name] = _wire(_text(conversion, definition, name, scope.values.get((node.id, name), own)))
    for slot in node.inputs:
        source = resolve(scope, slot.link, slot.type)
        if isinstance(source, Output):
            inputs[slot.name] = [source.node_id, source.slot]
        elif isinstance(source, Literal):
            _write_literal(conversion, f"{scope.prefix}{node.id}", definition, slot.name, source.value, inputs)
    meta = {"title": node.title or (definition.display_name if definition else node.type)}
    meta |= {key: str(node.properties[key]) for key in ("cnr_id", "aux_id", "ver") if node.properties.get(key)}
    conversion.prompt[f"{scope.prefix}{node.id}"] = {"inputs": inputs, "class_type": node.type, "_meta": meta}


def _write_literal(
    conversion: _Conversion,
    node_id: str,
    definition: NodeDefinition | None,
    name: str,
    value: Any,
    inputs: dict[str, Any],
) -> None:
    """A value from a subgraph instance or a primitive node, unless it cannot be meant for this input."""
    if definition is not None and definition.input(name.partition(".")[0]) is None:
        return  # the node type has lost this widget since
    socket = definition.input(name) if definition else None
    if value is None or (socket is not None and not fits(socket, value)):
        kept = f"its own value {inputs[name]!r} was kept" if name in inputs else "it has none"
        conversion.warnings.append(f"Node {node_id}: '{name}' was given {value!r}, which does not fit; {kept}.")
        return
    inputs[name] = _wire(_text(conversion, definition, name, value))


def _text(conversion: _Conversion, definition: NodeDefinition | None, name: str, value: Any) -> Any:
    socket = definition.input(name) if definition else None
    if isinstance(value, str) and socket is not None and socket.widget is not None and socket.widget.dynamic_prompts:
        return choose_alternatives(value, conversion.random)
    return value


def _wire(value: Any) -> Any:
    """A list would be taken for a link, so it goes wrapped."""
    return {"__value__": value} if isinstance(value, list) else value


def _drop_dangling(prompt: dict[str, dict[str, Any]]) -> None:
    for node in prompt.values():
        for name, value in list(node["inputs"].items()):
            if isinstance(value, list) and value[0] not in prompt:
                del node["inputs"][name]


def _fill_prefixes(conversion: _Conversion, now: datetime) -> None:
    """Names of saved files may quote other nodes' values, so they are filled in when all nodes are written."""

    def value_of(node_name: str, input_name: str) -> Any:
        for node in conversion.prompt.values():
            if node_name in (node["_meta"]["title"], node["class_type"]):
                value = node["inputs"].get(input_name, MISSING)
                return MISSING if isinstance(value, list | dict) else value
        return MISSING

    for node in conversion.prompt.values():
        prefix = node["inputs"].get("filename_prefix")
        if isinstance(prefix, str):
            node["inputs"]["filename_prefix"] = fill_prefix(prefix, value_of, now)
