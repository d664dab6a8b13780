"""Where the nodes of a run come from: those of the prompt from themselves, expanded ones from a node of the prompt.

It answers what the wire calls display node, parent node and real node, and knows no message.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from executor.events import Origin

LONGEST_ID: Final = 64
"""An id of an expanded node begins with that of its parent, so those of a loop grow with each round, and what is said
of all of them with the square. Longer ones are told by a short name of their own."""


class Lineage:
    """All nodes of one run."""

    def __init__(self, prompt: Mapping[str, Any]) -> None:
        self._prompt = prompt
        self._origins: dict[str, Origin] = {}
        self._short: dict[str, str] = {}

    def __len__(self) -> int:
        return len(self._prompt) + len(self._origins)

    def add(self, nodes: Mapping[str, Origin]) -> None:
        """The run made these nodes. Everything else is asked by their names."""
        for node_id, origin in nodes.items():
            if len(node_id) > LONGEST_ID:
                self._short[node_id] = f"{origin.real_id}.~{len(self._short)}"
            self._origins[self.name(node_id)] = replace(origin, parent_id=self.name(origin.parent_id))

    def name(self, node_id: str) -> str:
        """The name by which clients hear of a node: its id, unless that is too long."""
        return self._short.get(node_id, node_id)

    def shown(self, node_id: str) -> str:
        """The node that an editor shows in its place."""
        origin = self._origins.get(node_id)
        return origin.display_id if origin is not None else node_id

    def real(self, node_id: str) -> str:
        """The node of the prompt that it descends from."""
        origin = self._origins.get(node_id)
        return origin.real_id if origin is not None else node_id

    def is_inner(self, node_id: str) -> bool:
        """Whether the run made it."""
        return node_id in self._origins

    def class_of(self, node_id: str | None) -> str:
        """Its class_type, "" if nobody knows it."""
        origin = self._origins.get(node_id or "")
        if origin is not None:
            return origin.class_type
        node = self._prompt.get(node_id or "")
        class_type = node.get("class_type") if isinstance(node, dict) else None
        return class_type if isinstance(class_type, str) else ""

    def meta(self, node_id: str) -> dict[str, Any]:
        """As the history names it."""
        shown, parent, real = self._names(node_id)
        return {"node_id": node_id, "display_node": shown, "parent_node": parent, "real_node_id": real}

    def progress_meta(self, node_id: str) -> dict[str, Any]:
        """As messages of progress name it."""
        shown, parent, real = self._names(node_id)
        return {"node_id": node_id, "display_node_id": shown, "parent_node_id": parent, "real_node_id": real}

    def _names(self, node_id: str) -> tuple[str, str | None, str]:
        origin = self._origins.get(node_id)
        return (node_id, None, node_id) if origin is None else (origin.display_id, origin.parent_id, origin.real_id)
