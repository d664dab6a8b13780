"""Subgraphs unfolded: one `Scope` for the root and for each instance of a definition, however deeply nested.

An instance's own values stand here: they replace those of the widgets inside that its inputs lead to.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from executor.schema import MISSING
from executor.workflow.document import Document, Slot, WorkflowError, WorkflowGraph, WorkflowNode

MOST_SCOPES = 10_000
"""More instances than this are a mistake in the file, or a trap: nesting multiplies."""


@dataclass(eq=False, slots=True)
class Scope:
    """One place where nodes are: the root graph, or the inside of one instance."""

    graph: WorkflowGraph
    prefix: str = ""
    """Put before the node ids inside: "12:7:" for the instance 7 in the instance 12."""
    parent: "Scope | None" = None
    instance: WorkflowNode | None = None
    definition_ids: frozenset[str] = frozenset()
    children: dict[str, "Scope"] = field(default_factory=dict["str", "Scope"])
    """The inside of each instance, by the instance's id."""
    values: dict[tuple[str, str], Any] = field(default_factory=dict[tuple[str, str], Any])
    """(node id, input name) -> the value that an instance gives to a widget in here that no input leads to."""

    def promoted(self, input_index: int) -> Any:
        """The value that this scope's instance gives to its input `input_index`; MISSING if it leaves it alone."""
        assert self.instance is not None
        assert self.parent is not None
        name = self.graph.inputs[input_index].name
        return self.parent.values.get((self.instance.id, name), MISSING)


def unfold(document: Document) -> list[Scope]:
    """All scopes, the root first. The inside of a muted or bypassed instance is not among them, at any depth.

    Raises WorkflowError if a definition contains itself or there are too many instances.
    """
    scopes = [Scope(document.root)]
    for scope in scopes:  # grows while it is walked
        for node in scope.graph.nodes.values():
            definition = document.definitions.get(node.type)
            if definition is None or not node.runs:
                continue
            if node.type in scope.definition_ids:
                raise WorkflowError(f"The subgraph of node {scope.prefix}{node.id} contains itself.")
            if len(scopes) >= MOST_SCOPES:
                raise WorkflowError(f"The workflow has more than {MOST_SCOPES} subgraph instances.")
            child = Scope(definition, f"{scope.prefix}{node.id}:", scope, node, scope.definition_ids | {node.type})
            scope.children[node.id] = child
            scopes.append(child)
    for scope in reversed(scopes):  # the inside first: whether an input leads to a widget is known from there
        _give_values(scope)
    return scopes


def matching(slots: tuple[Slot, ...], wanted: Slot) -> int | None:
    """The index of the slot with the same name and type, else the same name. Positions in files are not reliable."""
    alike = [index for index, slot in enumerate(slots) if slot.name == wanted.name]
    return next((index for index in alike if slots[index].type == wanted.type), alike[0] if alike else None)


def leads_to_widget(scope: Scope, input_index: int) -> bool:
    """Whether an input of the scope's definition ends at a widget, directly or through further instances."""
    for link in scope.graph.from_rail(input_index):
        node = scope.graph.nodes.get(link.target)
        slot = next((slot for slot in node.inputs if slot.link == link.id), None) if node is not None else None
        if slot is None:
            continue
        inner = scope.children.get(link.target)
        if inner is None:
            if slot.is_widget:
                return True
        elif (index := matching(inner.graph.inputs, slot)) is not None and leads_to_widget(inner, index):
            return True
    return False


def _give_values(scope: Scope) -> None:
    if scope.instance is None or scope.parent is None:
        return
    node, given = scope.instance, scope.parent.values
    proxies = list(_proxies(node))
    if node.named or isinstance(node.values, Mapping):
        named = node.named or node.values
        assert isinstance(named, Mapping)
        for slot in scope.graph.inputs:
            if slot.name in named:
                given.setdefault((node.id, slot.name), named[slot.name])
    elif proxies:
        for (inner_id, name), value in zip(proxies, node.values, strict=False):
            _give_proxy(scope, inner_id, name, value)
    else:
        assert not isinstance(node.values, Mapping)
        names = [slot.name for index, slot in enumerate(scope.graph.inputs) if leads_to_widget(scope, index)]
        for name, value in zip(names, node.values, strict=False):
            given.setdefault((node.id, name), value)


def _give_proxy(scope: Scope, inner_id: str, name: str, value: Any) -> None:
    """A value that an older file shows on the instance: it belongs to an input, if one leads there, else inside."""
    assert scope.instance is not None
    assert scope.parent is not None
    if inner_id == "-1":
        scope.parent.values.setdefault((scope.instance.id, name), value)
        return
    for index, slot in enumerate(scope.graph.inputs):
        for link in scope.graph.from_rail(index):
            node = scope.graph.nodes.get(link.target)
            if link.target == inner_id and node and any(s.link == link.id and s.name == name for s in node.inputs):
                scope.parent.values.setdefault((scope.instance.id, slot.name), value)
                return
    scope.values[inner_id, name] = value


def _proxies(node: WorkflowNode) -> Iterator[tuple[str, str]]:
    entries = node.properties.get("proxyWidgets")
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, list) and len(entry) >= 2:
            yield str(entry[0]), str(entry[1])
