"""The parsed graph: nodes, links, their order and their cycles. Knows no wire format, no node type and no value.

Everything here is linear in nodes plus links and free of recursion, so that a chain of 20,000 nodes is an ordinary one.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any, NewType

import networkx

NodeId = NewType("NodeId", str)


@dataclass(frozen=True, slots=True)
class Link:
    """The value of output number `output` (from 0) of the node `source`."""

    source: NodeId
    output: int


@dataclass(frozen=True, slots=True)
class Node:
    """One node of a graph. Each input is a `Link` or a literal."""

    id: NodeId
    class_type: str
    inputs: Mapping[str, Any]

    def links(self) -> Iterator[Link]:
        """The inputs that are links, in the order of the inputs."""
        return (value for value in self.inputs.values() if isinstance(value, Link))


class CycleError(ValueError):
    """A graph that was to be ordered depends on itself. `path` begins and ends with the same node."""

    def __init__(self, path: Sequence[NodeId]) -> None:
        super().__init__(f"The nodes depend on each other in a circle: {' -> '.join(path)}.")
        self.path = tuple(path)


class Graph:
    """An immutable set of nodes.

    Invariant of a graph that `parse_prompt` hands out: every link resolves and there is no cycle.
    """

    def __init__(self, nodes: Iterable[Node]) -> None:
        self.nodes: Mapping[NodeId, Node] = MappingProxyType({node.id: node for node in nodes})

    @cached_property
    def consumers(self) -> Mapping[NodeId, tuple[NodeId, ...]]:
        """Who reads a node's outputs; every consumer once, in the order of the nodes."""
        found: dict[NodeId, dict[NodeId, None]] = {node_id: {} for node_id in self.nodes}
        for node in self.nodes.values():
            for link in node.links():
                found[link.source][node.id] = None
        return {node_id: tuple(readers) for node_id, readers in found.items()}

    def order(self, targets: Iterable[NodeId] | None = None) -> tuple[NodeId, ...]:
        """The targets (None: all nodes) and everything they need, sources before their consumers.

        Depth first, so that a branch is complete before the next one begins and its values are needed only briefly.
        The same graph always gives the same order. Raises CycleError.
        """
        done: dict[NodeId, None] = {}
        for target in self.nodes if targets is None else targets:
            if target not in done:
                self._visit(target, done)
        return tuple(done)

    def ancestors(self, targets: Iterable[NodeId]) -> frozenset[NodeId]:
        """The targets and every node that they need, directly or not. Cycles are no hindrance."""
        found = set(targets)
        waiting = list(found)
        while waiting:
            for link in self.nodes[waiting.pop()].links():
                if link.source not in found:
                    found.add(link.source)
                    waiting.append(link.source)
        return frozenset(found)

    def components(self) -> list[frozenset[NodeId]]:
        """The strongly connected components, consumers before their sources; without cycles each is a single node."""
        digraph: networkx.DiGraph[NodeId] = networkx.DiGraph()
        digraph.add_nodes_from(self.nodes)
        digraph.add_edges_from((link.source, node.id) for node in self.nodes.values() for link in node.links())
        return [frozenset(component) for component in networkx.strongly_connected_components(digraph)]

    def cycle_within(self, component: frozenset[NodeId]) -> tuple[NodeId, ...] | None:
        """A cycle through a strongly connected component as the path along which values would flow, from its first node
        (in the order of the graph) back to it; None for a single node that does not feed itself."""
        first = min(component, key=self._position.__getitem__)
        came_from: dict[NodeId, NodeId] = {}
        waiting = [first]
        for node_id in waiting:  # breadth first, against the flow: the shortest way round
            for link in self.nodes[node_id].links():
                if link.source == first:
                    return (first, *_walk(came_from, node_id, first))
                if link.source in component and link.source not in came_from:
                    came_from[link.source] = node_id
                    waiting.append(link.source)
        return None

    def only(self, node_ids: Iterable[NodeId]) -> "Graph":
        """The part of this graph with the given nodes, in this graph's order."""
        kept = frozenset(node_ids)
        return Graph(node for node in self.nodes.values() if node.id in kept)

    @cached_property
    def _position(self) -> Mapping[NodeId, int]:
        return {node_id: position for position, node_id in enumerate(self.nodes)}

    def _visit(self, target: NodeId, done: dict[NodeId, None]) -> None:
        path: dict[NodeId, None] = {}
        waiting = [target]
        while waiting:
            node_id = waiting[-1]
            if node_id in done:
                waiting.pop()
            elif node_id in path:  # all its sources are done: whatever was above it on the stack was one of them
                waiting.pop()
                del path[node_id]
                done[node_id] = None
            else:
                path[node_id] = None
                sources = [link.source for link in self.nodes[node_id].links() if link.source not in done]
                for source in sources:
                    if source in path:
                        circle = list(path)
                        raise CycleError([source, *reversed(circle[circle.index(source) :])])
                waiting.extend(reversed(sources))


def _walk(came_from: Mapping[NodeId, NodeId], start: NodeId, end: NodeId) -> Iterator[NodeId]:
    node_id = start
    while node_id != end:
        yield node_id
        node_id = came_from[node_id]
    yield end
