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

_NEW, _ON_PATH, _DONE = range(3)


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
    lazy: frozenset[str] = frozenset()
    """Inputs whose sources run only if the node asks for them."""
    raw: frozenset[str] = frozenset()
    """Linked inputs for which the node gets `[id, output]` in place of the value; their sources need not run."""

    def links(self) -> Iterator[Link]:
        """The inputs that are links, in the order of the inputs."""
        return (value for value in self.inputs.values() if isinstance(value, Link))

    def read_links(self) -> Iterator[Link]:
        """Those whose values the node may want."""
        return self._links_but(self.raw)

    def needed_links(self) -> Iterator[Link]:
        """Those whose values it wants in any case."""
        return self._links_but(self.raw | self.lazy)

    def _links_but(self, names: frozenset[str]) -> Iterator[Link]:
        if not names:
            return self.links()
        kept = (value for name, value in self.inputs.items() if name not in names)
        return (value for value in kept if isinstance(value, Link))


class CycleError(ValueError):
    """A graph that was to be ordered depends on itself. `path` begins and ends with the same node."""

    def __init__(self, path: Sequence[NodeId]) -> None:
        super().__init__(f"The nodes depend on each other in a circle: {' -> '.join(path)}.")
        self.path = tuple(path)


class Graph:
    """An immutable set of nodes. A link to a node outside of it is no edge of it.

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
                if link.source in found:
                    found[link.source][node.id] = None
        return {node_id: tuple(readers) for node_id, readers in found.items()}

    def order(self, targets: Iterable[NodeId] | None = None) -> tuple[NodeId, ...]:
        """The targets (None: all nodes) and everything they need, sources before their consumers.

        Depth first, so that a branch is complete before the next one begins and its values are needed only briefly.
        The same graph always gives the same order. Raises CycleError.
        """
        return self._whole_order if targets is None else self._order(targets)

    @property
    def has_cycle(self) -> bool:
        """Whether some node depends on itself."""
        try:
            self.order()
        except CycleError:
            return True
        return False

    @cached_property
    def _whole_order(self) -> tuple[NodeId, ...]:
        return self._order(self.nodes)

    def _order(self, targets: Iterable[NodeId]) -> tuple[NodeId, ...]:
        ids = tuple(self.nodes)
        position, sources = self._position, self._sources
        state = bytearray(len(ids))
        order: list[int] = []
        waiting = [position[target] for target in targets]
        waiting.reverse()
        while waiting:
            node = waiting[-1]
            if state[node] == _NEW:
                state[node] = _ON_PATH
                for source in reversed(sources[node]):
                    if state[source] == _ON_PATH:
                        raise CycleError(self.cycles()[0])
                    if state[source] == _NEW:
                        waiting.append(source)
                continue
            waiting.pop()
            if state[node] == _ON_PATH:  # whatever was above it on the stack was one of its sources
                state[node] = _DONE
                order.append(node)
        return tuple([ids[node] for node in order])

    def ancestors(self, targets: Iterable[NodeId]) -> frozenset[NodeId]:
        """The targets and every node that they need, directly or not. Cycles are no hindrance."""
        found = set(targets)
        waiting = list(found)
        while waiting:
            for link in self.nodes[waiting.pop()].links():
                if link.source not in found and link.source in self.nodes:
                    found.add(link.source)
                    waiting.append(link.source)
        return frozenset(found)

    def components(self) -> list[frozenset[NodeId]]:
        """The strongly connected components, consumers before their sources; without cycles each is a single node."""
        digraph: networkx.DiGraph[NodeId] = networkx.DiGraph()
        digraph.add_nodes_from(self.nodes)
        digraph.add_edges_from(
            (link.source, node.id) for node in self.nodes.values() for link in node.links() if link.source in self.nodes
        )
        return [frozenset(component) for component in networkx.strongly_connected_components(digraph)]

    def cycles(self) -> list[tuple[NodeId, ...]]:
        """One cycle for each group of nodes that depend on each other."""
        return [cycle for component in self.components() if (cycle := self.cycle_within(component)) is not None]

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
        if kept >= self.nodes.keys():
            return self
        return Graph(node for node in self.nodes.values() if node.id in kept)

    @cached_property
    def _position(self) -> Mapping[NodeId, int]:
        return {node_id: position for position, node_id in enumerate(self.nodes)}

    @cached_property
    def _sources(self) -> Sequence[Sequence[int]]:
        """For each node, by position, the positions of its sources. Numbers, since walks over ids miss the cache."""
        position = self._position
        return [
            [position[link.source] for link in node.links() if link.source in position] for node in self.nodes.values()
        ]


def _walk(came_from: Mapping[NodeId, NodeId], start: NodeId, end: NodeId) -> Iterator[NodeId]:
    node_id = start
    while node_id != end:
        yield node_id
        node_id = came_from[node_id]
    yield end
