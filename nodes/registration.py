"""How node types come to be known under their names: one path for our own modules and for every pack.

Typed functions are gathered from modules by `typed_nodes`; `register` adds any node types to those that are known, and
is the only rule about who may take whose name. Keeps nothing itself, and imports no pack.
"""

from collections.abc import Iterable, Mapping, MutableMapping
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Final

from executor.schema import NodeType
from nodes.declare import collect

BUILT_IN: Final = "nodes"
"""The `python_module` of node types that come with Heddle."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where node types come from."""

    module: str = BUILT_IN
    """Their `python_module`, for example "custom_nodes.my_pack"."""
    digest: str = ""
    """Of the source of a pack: results of other source are not taken for its own. Ours is covered by our version."""


def typed_nodes(modules: Iterable[ModuleType], origin: Origin) -> dict[str, NodeType]:
    """Class type -> node type of every `@node` function that the modules define. Raises ValueError on a duplicate."""
    return {class_type: _from(origin, node_type) for class_type, node_type in collect(*modules).items()}


def register(known: MutableMapping[str, NodeType], offered: Mapping[str, NodeType]) -> tuple[str, ...]:
    """Add what is offered: a later pack replaces an earlier one, nobody replaces what is built in.

    The names that were refused.
    """
    refused = tuple(name for name in offered if name in known and known[name].definition.python_module == BUILT_IN)
    known.update((name, node_type) for name, node_type in offered.items() if name not in refused)
    return refused


def _from(origin: Origin, node_type: NodeType) -> NodeType:
    definition = node_type.definition
    version = f"{origin.digest} {definition.version}" if origin.digest else definition.version
    return replace(node_type, definition=replace(definition, python_module=origin.module, version=version))
