"""The editor document (version 0.4, schema 1) as typed data: nodes, links, subgraph definitions.

Reads only what running a workflow needs; positions, groups and colours are the editor's. Tolerates every shape that
saved files have: links as arrays or objects, ids as numbers or texts, slots without types.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

INPUT_RAIL = "-10"
OUTPUT_RAIL = "-20"

MUTED = 2
BYPASSED = 4


class WorkflowError(ValueError):
    """A document that cannot be converted at all. The text is for the user."""


@dataclass(frozen=True, slots=True)
class Slot:
    """An input or output of a node or of a subgraph definition."""

    name: str
    type: str
    link: str | None = None
    """Id of the link that feeds it (inputs only)."""
    is_widget: bool = False


@dataclass(frozen=True, slots=True)
class WorkflowNode:
    """A node of the document. Its values are as saved: a list by position, an object by name, or nothing."""

    id: str
    type: str
    mode: int
    title: str | None
    inputs: tuple[Slot, ...]
    outputs: tuple[Slot, ...]
    values: Sequence[Any] | Mapping[str, Any]
    named: Mapping[str, Any]
    properties: Mapping[str, Any]

    @property
    def runs(self) -> bool:
        """Whether the node is neither muted nor bypassed."""
        return self.mode not in (MUTED, BYPASSED)


@dataclass(frozen=True, slots=True)
class WorkflowLink:
    """A link; its ends may be the rails of a subgraph."""

    id: str
    origin: str
    origin_slot: int
    target: str
    target_slot: int


@dataclass(frozen=True, slots=True)
class WorkflowGraph:
    """The root graph, or the inside of a subgraph definition with its input and output rail."""

    nodes: Mapping[str, WorkflowNode]
    links: Mapping[str, WorkflowLink]
    inputs: tuple[Slot, ...] = ()
    outputs: tuple[Slot, ...] = ()

    def from_rail(self, slot: int) -> Iterator[WorkflowLink]:
        """The links that begin at input `slot` of the definition."""
        return (link for link in self.links.values() if link.origin == INPUT_RAIL and link.origin_slot == slot)

    def to_rail(self, slot: int) -> WorkflowLink | None:
        """The link that ends at output `slot` of the definition."""
        ends = (link for link in self.links.values() if link.target == OUTPUT_RAIL and link.target_slot == slot)
        return next(ends, None)


@dataclass(frozen=True, slots=True)
class Document:
    """A whole file."""

    root: WorkflowGraph
    definitions: Mapping[str, WorkflowGraph] = field(default_factory=dict[str, WorkflowGraph])
    """Subgraph definitions by id; nested ones too."""


def is_api_prompt(document: object) -> bool:
    """Whether parsed JSON is a wire prompt: nodes by id, each with a class_type and inputs."""
    return (
        isinstance(document, Mapping)
        and bool(document)
        and all(
            isinstance(node, Mapping)
            and isinstance(node.get("class_type"), str)
            and isinstance(node.get("inputs", {}), Mapping)
            for node in document.values()
        )
    )


def is_workflow(document: object) -> bool:
    """Whether parsed JSON is an editor document."""
    return isinstance(document, Mapping) and isinstance(document.get("nodes"), list)


def read_document(raw: object) -> Document:
    """The document in parsed JSON. Raises WorkflowError if it is none."""
    if not isinstance(raw, Mapping) or not is_workflow(raw):
        raise WorkflowError("This is no editor workflow: it has no list of nodes.")
    definitions: dict[str, WorkflowGraph] = {}
    waiting = [raw]
    while waiting:  # definitions may hold definitions
        for entry in _objects(_mapping(waiting.pop().get("definitions")).get("subgraphs")):
            definition_id = str(entry.get("id"))
            if definition_id not in definitions:
                definitions[definition_id] = _graph(entry)
                waiting.append(entry)
    return Document(_graph(raw), definitions)


def _graph(raw: Mapping[str, Any]) -> WorkflowGraph:
    nodes = [
        _node(entry) for entry in _objects(raw.get("nodes")) if "id" in entry and isinstance(entry.get("type"), str)
    ]
    entries = raw.get("links")
    links = [link for entry in (entries if isinstance(entries, list) else ()) if (link := _link(entry)) is not None]
    return WorkflowGraph(
        nodes={node.id: node for node in nodes},
        links={link.id: link for link in reversed(links)},  # of two links with one id the first wins
        inputs=tuple(_slots(raw.get("inputs"))),
        outputs=tuple(_slots(raw.get("outputs"))),
    )


def _node(raw: Mapping[str, Any]) -> WorkflowNode:
    values = raw.get("widgets_values")
    mode = raw.get("mode")
    title = raw.get("title")
    return WorkflowNode(
        id=str(raw["id"]),
        type=raw["type"],
        mode=mode if isinstance(mode, int) else 0,
        title=title if isinstance(title, str) else None,
        inputs=tuple(_slots(raw.get("inputs"))),
        outputs=tuple(_slots(raw.get("outputs"))),
        values=values if isinstance(values, list | dict) else (),
        named=_mapping(raw.get("widgets_values_named")),
        properties=_mapping(raw.get("properties")),
    )


def _slots(raw: Any) -> Iterator[Slot]:
    for entry in _objects(raw):
        kind = entry.get("type")
        link = entry.get("link")
        yield Slot(
            name=str(entry.get("name", "")),
            type=kind if isinstance(kind, str) else "*",
            link=None if link is None else str(link),
            is_widget=isinstance(entry.get("widget"), Mapping),
        )


def _link(raw: Any) -> WorkflowLink | None:
    match raw:
        case [link_id, origin, int() as origin_slot, target, int() as target_slot, *_]:
            return WorkflowLink(str(link_id), str(origin), origin_slot, str(target), target_slot)
        case {
            "id": link_id,
            "origin_id": origin,
            "origin_slot": int() as origin_slot,
            "target_id": target,
            "target_slot": int() as target_slot,
        }:
            return WorkflowLink(str(link_id), str(origin), origin_slot, str(target), target_slot)
    return None


def _objects(raw: Any) -> Iterator[Mapping[str, Any]]:
    return (entry for entry in raw if isinstance(entry, Mapping)) if isinstance(raw, list | tuple) else iter(())


def _mapping(raw: Any) -> Mapping[str, Any]:
    return raw if isinstance(raw, Mapping) else {}
