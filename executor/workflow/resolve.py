"""Where a link really begins: followed through reroutes, bypassed nodes, and in and out of subgraphs.

Knows no definition: whatever it needs is in the document.
"""

from dataclasses import dataclass
from typing import Any

from executor.link_types import types_fit
from executor.schema import MISSING
from executor.workflow.document import BYPASSED, INPUT_RAIL, MUTED, Slot, WorkflowLink, WorkflowNode
from executor.workflow.scopes import Scope, matching

REROUTE = "Reroute"
PRIMITIVE = "PrimitiveNode"


@dataclass(frozen=True, slots=True)
class Output:
    """Output number `slot` of the node that runs under the id `node_id`."""

    node_id: str
    slot: int


@dataclass(frozen=True, slots=True)
class Literal:
    """A value, because the link ends at a widget: of a subgraph instance, or of a primitive node."""

    value: Any


def resolve(scope: Scope, link_id: str | None, wanted: str) -> Output | Literal | None:
    """What the link brings to an input of type `wanted`; None if it leads nowhere."""
    seen: set[tuple[str, str]] = set()
    while link_id is not None:
        link = scope.graph.links.get(link_id)
        if link is None or (scope.prefix, link.id) in seen:
            return None
        seen.add((scope.prefix, link.id))
        if link.origin == INPUT_RAIL:
            outside = _out_of(scope, link)
            if not isinstance(outside, tuple):
                return outside
            scope, link_id = outside
            continue
        node = scope.graph.nodes.get(link.origin)
        if node is None or node.mode == MUTED:
            return None
        if node.mode == BYPASSED:
            link_id = _through(node, link.origin_slot, wanted)
        elif node.id in scope.children:
            scope, link_id = _into(scope.children[node.id], node, link.origin_slot)
        elif node.type == REROUTE:
            link_id = node.inputs[0].link if node.inputs else None
        elif node.type == PRIMITIVE:
            values = list(node.values.values() if isinstance(node.values, dict) else node.values)
            return Literal(values[0]) if values else None
        else:
            return Output(f"{scope.prefix}{node.id}", link.origin_slot)
    return None


def _out_of(scope: Scope, link: WorkflowLink) -> tuple[Scope, str] | Literal | None:
    """Where an input rail is fed from: a link outside, or the instance's own value."""
    if scope.parent is None or scope.instance is None or not 0 <= link.origin_slot < len(scope.graph.inputs):
        return None
    wanted = scope.graph.inputs[link.origin_slot]
    index = matching(scope.instance.inputs, wanted)
    if index is not None and (outer := scope.instance.inputs[index].link) is not None:
        return scope.parent, outer
    value = scope.promoted(link.origin_slot)
    return None if value is MISSING else Literal(value)


def _into(inner: Scope, instance: WorkflowNode, slot: int) -> tuple[Scope, str | None]:
    index: int | None = slot
    if slot < len(instance.outputs):
        index = matching(inner.graph.outputs, instance.outputs[slot])
    link = inner.graph.to_rail(slot if index is None else index)
    return inner, link.id if link is not None else None


def _through(node: WorkflowNode, slot: int, wanted: str) -> str | None:
    """The link that a bypassed node passes on in place of its output `slot`."""
    inputs = node.inputs
    offered = node.outputs[slot].type if slot < len(node.outputs) else "*"
    if not inputs:
        return None
    if wanted in ("*", ""):
        return inputs[slot if slot < len(inputs) else 0].link
    if slot < len(inputs) and types_fit(inputs[slot].type, offered) and types_fit(inputs[slot].type, wanted):
        return inputs[slot].link
    chosen: Slot | None = next((entry for entry in inputs if entry.type == wanted), None)
    chosen = chosen or next((entry for entry in inputs if types_fit(entry.type, wanted)), None)
    return chosen.link if chosen is not None else None
