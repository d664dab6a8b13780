"""What a node expands into: wire nodes become nodes of the run, signed by what they do and not by their ids.

Decides only; `run` takes the outcome in. A node that it makes is an ordinary one from then on, and may expand itself.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from executor.dynamic_prompt import DynamicPrompt, Origin
from executor.expansion_prompt import expanded_nodes, expansion_link
from executor.graph import Graph, Link, NodeId
from executor.schema import NodeDefinition, Result


class BadExpansion(Exception):
    """A node expanded into something that cannot run. The text says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Expansion:
    """What one execution of a node asks the run to do in its place."""

    graph: Graph
    order: tuple[NodeId, ...]
    """Sources before consumers. Links that lead out of it lead to nodes of the run."""
    raw: Mapping[str, Mapping[str, Any]]
    origins: Mapping[str, Origin]
    results: tuple[Result, ...]
    """Of the node's calls, with a `Link` for each output that is one."""
    outputs: tuple[NodeId, ...]
    """The new nodes that show or save something, and run for that."""

    def result_links(self) -> list[Link]:
        """What the node's own outputs are made of."""
        return [value for result in self.results for value in result.outputs if isinstance(value, Link)]


def expand(
    node_id: NodeId,
    prompt: DynamicPrompt,
    results: Sequence[Result],
    known: Mapping[NodeId, object],
    definitions: Mapping[str, NodeDefinition],
) -> Expansion:
    """The expansion that the results of a node's calls describe together. `known` has the ids of the run's nodes; only
    those that the node itself made at an earlier execution, whose result nobody kept, may come again.

    Raises BadExpansion, and CycleError if the new nodes depend on each other in a circle.
    """
    raw: dict[str, Mapping[str, Any]] = {}
    for result in results:
        for key, entry in (result.expand or {}).items():
            if key in raw:
                raise BadExpansion(f"It expands into a node '{key}', but the run has one of this id already.")
            raw[str(key)] = entry
    earlier = {key for key in raw if (made := prompt.origin(key)) is not None and made.parent_id == node_id}
    if earlier:
        known = {other: node for other, node in known.items() if other not in earlier}
    nodes, errors = expanded_nodes(raw, definitions, known)
    if errors:
        raise BadExpansion(f"What it expands into cannot run: {errors[0].message}: {errors[0].details}")
    graph = Graph(nodes)
    origin = prompt.origin(node_id)
    display, real = (origin.display_id, origin.real_id) if origin else (node_id, node_id)
    shown_as = {node.id: raw[node.id].get("override_display_id") for node in nodes}
    origins: dict[str, Origin] = {
        # A loop shows the nodes of a turn as those of the turn before, which are shown as others themselves.
        node.id: Origin(node.class_type, node_id, prompt.get_display_node_id(str(shown_as[node.id] or display)), real)
        for node in nodes
    }
    linked = tuple(_with_links(result, graph, known) for result in results)
    outputs = tuple(node.id for node in nodes if definitions[node.class_type].is_output)
    return Expansion(graph, graph.order(), raw, origins, linked, outputs)


def _with_links(result: Result, graph: Graph, known: Mapping[NodeId, object]) -> Result:
    if result.expand is None:
        return result
    return replace(result, outputs=tuple(_link(value, graph, known) or value for value in result.outputs))


def _link(value: Any, graph: Graph, known: Mapping[NodeId, object]) -> Link | None:
    link = expansion_link(value)
    return link if link is not None and (link.source in graph.nodes or link.source in known) else None
