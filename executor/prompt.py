"""The door: a wire prompt (parsed JSON) becomes a `Graph`, and everything that is wrong with it becomes an error.

Nothing here raises for bad input, and no check stops at its first find. Behind this module there are no raw
dictionaries and no `["4", 0]`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from executor.folders import Folders
from executor.graph import Graph, Link, Node, NodeId
from executor.link_types import RawNode, as_link
from executor.prompt_checks import Validator, custom_errors
from executor.prompt_input import InputParser
from executor.schema import NodeDefinition
from executor.worker import PromptError, Validation

DETAIL_LINES = 20
"""How many errors the summary of a prompt lists."""

_LONGEST_PACK = 80


@dataclass(frozen=True, slots=True)
class Parsed:
    """The verdict on a prompt, and the graph of all that its valid outputs need (empty if there are none)."""

    graph: Graph
    validation: Validation


def parse_prompt(
    raw: object,
    definitions: Mapping[str, NodeDefinition],
    folders: Folders,
    targets: Sequence[str] | None = None,
    validators: Mapping[str, Validator] = MappingProxyType({}),
) -> Parsed:
    """Check a wire prompt and parse what may run of it. To be called on a thread: it lists folders and asks nodes.

    Only nodes that a wanted output needs are checked, since no other will run; but a node that is malformed or of an
    unknown type refuses the whole prompt wherever it stands, for nobody can tell whether it was an output.
    `targets` are the ids of the output nodes that are wanted; None means all. `validators` are the `NodeType.validate`
    of the node types that have one; a node of which something is wrong already is not asked.

    A raw link makes nobody wait: the node wants to know where the link comes from, and to compute what is there would
    be wasted if it expands into something else instead. It is an edge all the same, as it is for the peer: what stands
    behind it is checked, is there for expansions to link to, spoils the output if it is broken, and closes circles.
    """
    if raw is None:
        return _refused(PromptError("no_prompt", "No prompt was given", "The request holds no 'prompt' object."))
    if not isinstance(raw, Mapping):
        details = f"A prompt is an object of nodes by id, not a {type(raw).__name__}."
        return _refused(PromptError("invalid_prompt", "The prompt is not an object", details))
    nodes, malformed = _read_nodes(raw, definitions)
    outputs = tuple(
        node_id
        for node_id, node in nodes.items()
        if node.definition is not None and node.definition.is_output and (targets is None or node_id in targets)
    )
    if not outputs and not malformed:
        wanted = "none of the wanted nodes" if targets is not None else "no node of it"
        return _refused(
            PromptError("prompt_no_outputs", "Prompt has no outputs", f"Add a node that saves or shows; {wanted} does.")
        )
    parser = InputParser(nodes, definitions, folders)
    candidates, errors = _parse_nodes(nodes, outputs, parser)
    if validators:
        bad = {NodeId(error.node_id or "") for error in (*malformed, *errors)}
        errors += custom_errors(candidates, bad, definitions, validators, parser.type_of)
    position = {node_id: i for i, node_id in enumerate(nodes)}
    errors.sort(key=lambda error: position[NodeId(error.node_id or "")])  # stable: a node's errors keep their order
    broken, cycles = _trace(candidates, outputs, malformed + errors)
    if malformed:
        return _refused(replace(malformed[0], node_id=None, class_type=None), *broken)
    failed = {output for error in (*broken, *cycles) for output in error.dependent_outputs}
    good = tuple(output for output in outputs if output not in failed)
    errors = [*broken, *cycles]
    if not good:
        return _refused(_summary(errors), *errors)
    runnable = candidates.only(candidates.ancestors(good))
    return Parsed(_with_raw_links(runnable, parser.raw_links), Validation(tuple(good), tuple(errors)))


def stale_types(validation: Validation) -> frozenset[str]:
    """The node types that were refused a value which is not among their choices: perhaps only because these were
    listed before the file came, so that it is worth asking `NodeType.refresh` and parsing once more."""
    return frozenset(
        error.class_type for error in validation.errors if error.type == "value_not_in_list" and error.class_type
    )


def _refused(*errors: PromptError) -> Parsed:
    return Parsed(Graph(()), Validation((), errors))


def _summary(errors: Sequence[PromptError]) -> PromptError:
    lines = [f"{error.class_type} {error.node_id}: {error.message}: {error.details}" for error in errors]
    if len(lines) > DETAIL_LINES:
        lines[DETAIL_LINES:] = [f"and {len(lines) - DETAIL_LINES} more"]
    return PromptError("prompt_outputs_failed_validation", "Prompt outputs failed validation", "\n".join(lines))


def _read_nodes(
    raw: Mapping[Any, Any], definitions: Mapping[str, NodeDefinition]
) -> tuple[dict[NodeId, RawNode], list[PromptError]]:
    """Every entry of the prompt as a node, and an error for each that is not one or whose type is unknown."""
    nodes: dict[NodeId, RawNode] = {}
    errors: list[PromptError] = []
    for key, entry in raw.items():
        node_id = NodeId(str(key))
        is_object = isinstance(entry, Mapping)
        class_type = entry.get("class_type") if is_object else None
        inputs = (entry.get("inputs") or {}) if is_object else {}
        known = definitions.get(class_type) if isinstance(class_type, str) else None
        if not is_object:
            error = PromptError("invalid_prompt", "A node is not an object", f"Node ID '#{node_id}'")
        elif not isinstance(class_type, str) or not class_type:
            error = PromptError("invalid_prompt", "A node has no class_type", f"Node ID '#{node_id}'")
        elif not isinstance(inputs, Mapping):
            error = PromptError("invalid_prompt", "The inputs of a node are not an object", f"Node ID '#{node_id}'")
        elif known is None:
            meta = entry.get("_meta")
            title = meta.get("title") if isinstance(meta, Mapping) else None
            error = PromptError(
                "missing_node_type",
                f"Node type '{class_type}' is not known here; {_remedy(meta)}.",
                f"Node ID '#{node_id}'",
                {"node_id": node_id, "class_type": class_type, "node_title": title or class_type},
            )
        else:
            nodes[node_id] = RawNode(known, class_type, inputs)
            continue
        name = class_type if isinstance(class_type, str) else ""
        errors.append(replace(error, node_id=node_id, class_type=name))
        nodes[node_id] = RawNode(None, name, inputs if isinstance(inputs, Mapping) else {})
    return nodes, errors


def _remedy(meta: object) -> str:
    """For a node of an unknown type, of which the document may have told the pack."""
    told = meta if isinstance(meta, Mapping) else {}
    pack = told.get("cnr_id") or told.get("aux_id")
    if pack == "comfy-core":
        return "it is one of ComfyUI's that Heddle does not have, so replace the node"
    which = f"the pack '{pack[:_LONGEST_PACK]}'" if isinstance(pack, str) else "the pack that has it"
    return f"install {which} or replace the node"


def _parse_nodes(
    nodes: Mapping[NodeId, RawNode], outputs: Sequence[NodeId], parser: InputParser
) -> tuple[Graph, list[PromptError]]:
    """Every node that the outputs need, with all its links that lead somewhere, and all errors of its inputs."""
    parsed: dict[NodeId, Node] = {}
    errors: list[PromptError] = []
    waiting = list(outputs)
    seen = set(outputs)
    while waiting:
        node_id = waiting.pop()
        node = nodes[node_id]
        inputs: Mapping[str, Any]
        lazy: frozenset[str] = frozenset()
        found: list[PromptError] = []
        if node.definition is None:
            inputs = {name: link for name, value in node.inputs.items() if (link := as_link(value)) is not None}
        else:
            inputs, lazy, found = parser.parse(node_id, node.definition)
            errors += [replace(error, node_id=node_id, class_type=node.class_type) for error in found]
        if found or node.definition is None:  # else every link leads somewhere
            inputs = {
                name: value for name, value in inputs.items() if not isinstance(value, Link) or value.source in nodes
            }
        parsed[node_id] = Node(node_id, node.class_type, inputs, lazy)
        for link in parsed[node_id].links():
            if link.source not in seen:
                seen.add(link.source)
                waiting.append(link.source)
    return Graph(parsed[node_id] for node_id in nodes if node_id in parsed), errors


def _with_raw_links(graph: Graph, raw_links: Mapping[NodeId, Sequence[str]]) -> Graph:
    """The graph with these inputs marked as raw links."""
    if not raw_links:
        return graph
    raw = {node_id: frozenset(names) for node_id, names in raw_links.items()}
    nodes = graph.nodes.values()
    return Graph(
        replace(node, raw=raw[node.id], lazy=node.lazy - raw[node.id]) if node.id in raw else node for node in nodes
    )


def _trace(
    graph: Graph, outputs: Sequence[NodeId], errors: Sequence[PromptError]
) -> tuple[list[PromptError], list[PromptError]]:
    """The errors, each with the outputs that depend on it; and one more for each cycle."""
    if not errors and not graph.has_cycle:  # nearly always, and much sooner known
        return [], []
    bit = {output: 1 << i for i, output in enumerate(outputs)}
    reached: dict[NodeId, int] = {}
    cycles: list[tuple[NodeId, ...]] = []
    for component in graph.components():  # consumers first, so what they lead to is known
        mask = 0
        for node_id in component:
            mask |= bit.get(node_id, 0)
            for reader in graph.consumers[node_id]:
                mask |= reached.get(reader, 0)
        reached |= dict.fromkeys(component, mask)
        if (path := graph.cycle_within(component)) is not None:
            cycles.append(path)
    traced = [replace(error, dependent_outputs=_outputs_of(reached, error, bit)) for error in errors]
    circular = [_cycle_error(graph, path) for path in cycles]
    return traced, [replace(error, dependent_outputs=_outputs_of(reached, error, bit)) for error in circular]


def _outputs_of(reached: Mapping[NodeId, int], error: PromptError, bit: Mapping[NodeId, int]) -> tuple[str, ...]:
    mask = reached.get(NodeId(error.node_id or ""), 0)
    return tuple(output for output, own in bit.items() if own & mask) if mask else ()


def _cycle_error(graph: Graph, path: Sequence[NodeId]) -> PromptError:
    return PromptError(
        "dependency_cycle",
        "Nodes depend on each other in a circle; remove one of these links",
        " -> ".join(path),
        {"cycle_nodes": list(path[:-1])},
        node_id=path[0],
        class_type=graph.nodes[path[0]].class_type,
    )


def iter_node_errors(validation: Validation) -> Iterator[PromptError]:
    """The errors that belong to nodes, without the one about the prompt as a whole."""
    return (error for error in validation.errors if error.node_id is not None)
