"""The door for the nodes that a node expands into: a wire prompt made by code becomes nodes of the running graph.

More lenient than `prompt`, since this is code speaking to code: a literal may be any Python value, and no bound, choice
or link type is enforced. Everything that is wrong is collected; none is raised.
"""

from collections.abc import Container, Mapping
from typing import Any

from executor.dynamic import is_dynamic, unfold
from executor.graph import Link, Node, NodeId
from executor.literal import converted, unwrap
from executor.schema import MISSING, InputSocket, NodeDefinition
from executor.worker import PromptError


def expanded_nodes(
    raw: Mapping[Any, Any], definitions: Mapping[str, NodeDefinition], known_ids: Container[str]
) -> tuple[list[Node], list[PromptError]]:
    """The nodes of `Result.expand`, in its order, and what is wrong with it (then it should not run).

    `known_ids` are the nodes that the run has already: links may lead to them, and no new node may have such an id.
    A list of a text and a number is a link here; other lists are literals. Literals of the wire's plain types are
    converted where nothing is lost. Inputs that are left out get the default of a required socket; a required one
    without a default is left to the node's code, which may have one. `_meta` and `override_display_id` are not read.
    """
    door = _Door(raw, definitions, known_ids)
    nodes: list[Node] = []
    for key, entry in raw.items():
        node = door.read(str(key), entry)
        if node is not None:
            nodes.append(node)
    return nodes, door.errors


class _Door:
    """Reads the nodes of one expansion."""

    def __init__(
        self, raw: Mapping[Any, Any], definitions: Mapping[str, NodeDefinition], known_ids: Container[str]
    ) -> None:
        self.errors: list[PromptError] = []
        self._definitions = definitions
        self._known_ids = known_ids
        self._types = {str(key): _class_type(entry) for key, entry in raw.items()}

    def read(self, node_id: str, entry: Any) -> Node | None:
        """The node, or None after telling what is wrong."""
        class_type = _class_type(entry)
        inputs = entry.get("inputs") or {} if isinstance(entry, Mapping) else None
        definition = self._definitions.get(class_type)
        if not class_type or not isinstance(inputs, Mapping):
            kind, message = "invalid_prompt", f"The expanded node '{node_id}' is none"
            details = "it needs a class_type and its inputs by name; only the author of the node that expands can help."
        elif definition is None:
            kind, details = "missing_node_type", f"Node ID '#{node_id}'"
            message = f"Node type '{class_type}' is not known here; install the pack that has it."
        elif node_id in self._known_ids:
            kind, message = "invalid_prompt", f"The id of the expanded node '{node_id}' ({class_type}) is taken"
            details = f"the run has a node '{node_id}' already; the node that expands must give new ids."
        else:
            return self._node(NodeId(node_id), definition, inputs)
        self.errors.append(PromptError(kind, message, details, node_id=node_id, class_type=class_type))
        return None

    def _node(self, node_id: NodeId, definition: NodeDefinition, raw: Mapping[Any, Any]) -> Node:
        sockets: tuple[InputSocket, ...] | list[InputSocket] = definition.inputs
        loose: tuple[str, ...] = ()
        if is_dynamic(definition):
            unfolded = unfold(definition.inputs, {name: value for name, value in raw.items() if value is not None})
            sockets, loose = unfolded.sockets, tuple(f"{name}." for name in unfolded.unsettled)
        declared = {socket.name: socket for socket in sockets}
        inputs: dict[str, Any] = {}
        for name, socket in declared.items():
            value = raw.get(name, MISSING)
            if value is MISSING or (value is None and socket.widget is not None):
                if socket.required and socket.default is not MISSING:
                    inputs[name] = socket.default
            elif (link := expansion_link(value)) is None:
                inputs[name] = converted(socket.type, unwrap(value))
            else:
                inputs[name] = self._checked(node_id, definition.class_type, name, link)
        for name, value in raw.items():
            if name in declared or not isinstance(name, str):
                continue
            link = expansion_link(value)
            if link is None and (definition.accepts == "any" or name.startswith(loose)):
                inputs[name] = unwrap(value)
            elif link is not None and (definition.accepts != "declared" or name.startswith(loose)):
                inputs[name] = self._checked(node_id, definition.class_type, name, link)
        lazy = [name for name, socket in declared.items() if socket.lazy and isinstance(inputs.get(name), Link)]
        raw_links = [
            name for name, socket in declared.items() if socket.raw_link and isinstance(inputs.get(name), Link)
        ]
        return Node(node_id, definition.class_type, inputs, frozenset(lazy).difference(raw_links), frozenset(raw_links))

    def _checked(self, node_id: str, class_type: str, name: str, link: Link) -> Link:
        details = None
        if link.source not in self._types:
            if link.source not in self._known_ids:
                details = f"there is no node '{link.source}' in the expansion or in the run; link to one that there is"
        elif (source := self._definitions.get(self._types[link.source])) and source.output(link.output) is None:
            count = len(source.outputs)
            details = f"node '{link.source}' ({source.class_type}) has {count} outputs, so there is no [{link.output}]"
        if details is not None:
            error = PromptError(
                "bad_linked_input",
                f"The expanded node '{node_id}' ({class_type}) has a link to nowhere",
                f'{name}: {details}; a list that is no link goes as {{"__value__": [...]}}.',
                {"input_name": name, "received_value": [link.source, link.output]},
                node_id=node_id,
                class_type=class_type,
            )
            self.errors.append(error)
        return link


def expansion_link(value: Any) -> Link | None:
    """The link that a value of an expansion is, or None.

    Stricter than at the door for clients: `[64, 64]` may be a literal where any Python value may be one.
    """
    match value:
        case [str() as source, int() | float() as output] if isinstance(value, list) and not isinstance(output, bool):
            if output == output // 1 and 0 <= output < 2**31:
                return Link(NodeId(source), int(output))
    return None


def _class_type(entry: Any) -> str:
    class_type = entry.get("class_type") if isinstance(entry, Mapping) else None
    return class_type if isinstance(class_type, str) else ""
