"""`comfy_execution.graph_utils`: builds the graphs into which nodes expand."""

from collections.abc import Mapping
from typing import Any

from executor.context import executing, expansion_prefix
from executor.schema import ExecutionBlocker

__all__ = ["ExecutionBlocker", "GraphBuilder", "Node", "add_graph_prefix", "is_link"]


def is_link(obj: Any) -> bool:
    """Whether an input's value is a link, `[node id, output]`."""
    if not isinstance(obj, list) or len(obj) != 2:
        return False
    return isinstance(obj[0], str) and isinstance(obj[1], int | float) and not isinstance(obj[1], bool)


class GraphBuilder:
    """Nodes to run in the place of the one that is running, under ids that no other node has."""

    def __init__(self, prefix: str | None = None) -> None:
        self.prefix = GraphBuilder.alloc_prefix() if prefix is None else prefix
        self.nodes: dict[str, Node] = {}
        self.id_gen = 1

    @classmethod
    def alloc_prefix(
        cls, root: str | None = None, call_index: int | None = None, graph_index: int | None = None
    ) -> str:
        """`<node id>.<list index>.<graph index>.`, of the running call where nothing else is said; each graph of a call
        has the next index. Nothing outside of nodes."""
        context = executing.get()
        if context is None:
            return "" if root is None else f"{root}.{call_index or 0}.{graph_index or 0}."
        if root is None and call_index is None and graph_index is None:
            return expansion_prefix(context)
        if graph_index is None:
            graph_index = len(context.graphs)
            context.graphs.append(None)
        node_id = context.node_id if root is None else root
        return f"{node_id}.{context.list_index if call_index is None else call_index}.{graph_index}."

    def node(self, class_type: str, id: str | None = None, **kwargs: Any) -> "Node":
        """A new node with these inputs, or the one that has the id already."""
        if id is None:
            id = str(self.id_gen)
            self.id_gen += 1
        whole = self.prefix + id
        return self.nodes.setdefault(whole, Node(whole, class_type, kwargs))

    def lookup_node(self, id: str) -> "Node | None":
        """The node that was made under this id."""
        return self.nodes.get(self.prefix + id)

    def finalize(self) -> dict[str, dict[str, Any]]:
        """The graph, for `expand`."""
        return {node_id: node.serialize() for node_id, node in self.nodes.items()}

    def replace_node_output(self, node_id: str, index: int, new_value: Any) -> None:
        """Give every input that is linked to this output another value; None takes the input away."""
        link = [self.prefix + node_id, index]
        for node in self.nodes.values():
            for name, value in list(node.inputs.items()):
                if is_link(value) and value == link:
                    node.set_input(name, new_value)

    def remove_node(self, id: str) -> None:
        """Take a node away. Links to it stay as they are. Raises KeyError if there is none."""
        del self.nodes[self.prefix + id]


class Node:
    """A node of such a graph."""

    def __init__(self, id: str, class_type: str, inputs: Mapping[str, Any]) -> None:
        self.id = id
        self.class_type = class_type
        self.inputs = dict(inputs)
        self.override_display_id: str | None = None

    def out(self, index: int) -> list[Any]:
        """A link to one of its outputs."""
        return [self.id, index]

    def set_input(self, key: str, value: Any) -> None:
        """Give an input a value; None takes it away."""
        if value is None:
            self.inputs.pop(key, None)
        else:
            self.inputs[key] = value

    def get_input(self, key: str) -> Any:
        """An input's value; None if it has none."""
        return self.inputs.get(key)

    def set_override_display_id(self, override_display_id: str) -> None:
        """The node that an editor shows in its place."""
        self.override_display_id = override_display_id

    def serialize(self) -> dict[str, Any]:
        """The node in a wire prompt."""
        described: dict[str, Any] = {"class_type": self.class_type, "inputs": self.inputs}
        if self.override_display_id is not None:
            described["override_display_id"] = self.override_display_id
        return described


def add_graph_prefix(
    graph: Mapping[str, Mapping[str, Any]], outputs: tuple[Any, ...], prefix: str
) -> tuple[dict[str, dict[str, Any]], tuple[Any, ...]]:
    """The graph and the outputs of a node, with a prefix before every id and in every link."""

    def moved(value: Any) -> Any:
        return [prefix + value[0], value[1]] if is_link(value) else value

    nodes = {
        prefix + node_id: {**node, "inputs": {name: moved(value) for name, value in node.get("inputs", {}).items()}}
        for node_id, node in graph.items()
    }
    return nodes, tuple(moved(value) for value in outputs)
