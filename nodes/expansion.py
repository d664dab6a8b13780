"""Nodes that run in the place of a node: what a node function returns when its work is itself a graph.

Builds only; the executor runs it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from executor.context import executing, expansion_prefix
from executor.schema import NodeType
from nodes.marks import WireLink


@dataclass(slots=True)
class SubNode:
    """A node of a `SubGraph`."""

    id: str
    class_type: str
    inputs: dict[str, Any]
    """Links (of other nodes of the graph, or raw links) and literals; the latter may be any Python value. May be
    changed until the graph is returned, which is how loops are tied."""
    display_id: str | None = None
    """The node that an editor shows in its place, if not the one that expands."""

    def out(self, index: int = 0) -> WireLink:
        """The link to one of its outputs."""
        return [self.id, index]


class SubGraph:
    """A graph under construction. Its ids are new to the run, whichever node builds it and how often."""

    def __init__(self) -> None:
        self._nodes: dict[str, SubNode] = {}
        self._prefix = ""
        context = executing.get()
        if context is not None:
            self._prefix = expansion_prefix(context)

    def add(self, node: str | Callable[..., object], /, **inputs: Any) -> SubNode:
        """A new node, named by its class type or by its function.

        Raises TypeError for a function that is no node.
        """
        added = SubNode(f"{self._prefix}{len(self._nodes) + 1}", _class_type(node), inputs)
        self._nodes[added.id] = added
        return added

    def wire(self) -> dict[str, Any]:
        """The graph as a wire prompt."""
        return {node.id: _wire(node) for node in self._nodes.values()}


@dataclass(frozen=True, slots=True)
class Expanded:
    """Returned by a node in place of its result: a graph, and for each output of the node a value or a link into it."""

    graph: SubGraph
    outputs: tuple[Any, ...] = ()
    ui: Mapping[str, Any] | None = field(default=None)
    """As in `Shown`."""


def _class_type(node: str | Callable[..., object]) -> str:
    if isinstance(node, str):
        return node
    node_type = getattr(node, "node_type", None)
    if not isinstance(node_type, NodeType):
        raise TypeError(f"{node!r} is no node: declare it with @node, or give the name of a node's class.")
    return node_type.definition.class_type


def _wire(node: SubNode) -> dict[str, Any]:
    shown = {} if node.display_id is None else {"override_display_id": node.display_id}
    return {"class_type": node.class_type, "inputs": node.inputs, **shown}
