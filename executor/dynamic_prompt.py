"""The prompt of a run as its nodes may look at it: the nodes that were sent, and those that nodes expanded into.

Injected as `DynamicPrompt`, and as ComfyUI's hidden input DYNPROMPT. Wire dictionaries on purpose: node packs read and
copy them. It decides nothing; the run tells it what was added.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a node that a run made itself comes from."""

    class_type: str
    parent_id: str
    """The node that expanded into it."""
    display_id: str
    """The node that an editor shows in its place."""
    real_id: str
    """The node of the prompt that it descends from."""


class DynamicPrompt:
    """The nodes of one run, as wire dictionaries by id."""

    def __init__(self, original_prompt: Mapping[str, Any]) -> None:
        self._original = original_prompt
        self._added: dict[str, Mapping[str, Any]] = {}
        self._origins: dict[str, Origin] = {}

    def add(self, nodes: Mapping[str, Mapping[str, Any]], origins: Mapping[str, Origin]) -> None:
        """Take in the nodes that one node expanded into."""
        self._added |= nodes
        self._origins |= origins

    def get_original_prompt(self) -> Mapping[str, Any]:
        """What was sent."""
        return self._original

    def has_node(self, node_id: str) -> bool:
        """Whether the run has such a node now."""
        return node_id in self._added or node_id in self._original

    def get_node(self, node_id: str) -> Mapping[str, Any]:
        """The node with its class_type and inputs. Raises KeyError with a sentence."""
        node: Mapping[str, Any] | None = self._added.get(node_id) or self._original.get(node_id)
        if node is None:
            raise KeyError(f"There is no node '{node_id}' in this run.")
        return node

    def all_node_ids(self) -> set[str]:
        """Of both kinds of nodes."""
        return {*self._original, *self._added}

    def get_parent_node_id(self, node_id: str) -> str | None:
        """The node that expanded into this one; None for a node that was sent."""
        origin = self._origins.get(node_id)
        return origin.parent_id if origin else None

    def get_display_node_id(self, node_id: str) -> str:
        """The node that an editor shows in its place."""
        origin = self._origins.get(node_id)
        return origin.display_id if origin else node_id

    def get_real_node_id(self, node_id: str) -> str:
        """The node of the original prompt that it descends from."""
        origin = self._origins.get(node_id)
        return origin.real_id if origin else node_id

    def origin(self, node_id: str) -> Origin | None:
        """All three at once; None for a node that was sent."""
        return self._origins.get(node_id)
