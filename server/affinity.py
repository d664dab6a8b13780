"""Which of several workers has most of what a job needs in its memory already. A guess that costs nothing if wrong.

It compares nodes by class and literals, not by signature: the server knows no fingerprints, and what matters most are
loaders, which have no links. Decides nothing about who is free.
"""

from collections.abc import Mapping
from typing import Any, Final

from executor.schema import FolderChoices, NodeDefinition
from server.wire import encode

Traits = Mapping[int, int]
"""Digest of a node -> how much it counts."""

LOADER: Final = 100
"""A node that opens a file of a model folder counts as much as so many others."""
_REMEMBERED: Final = 8192


def traits_of(prompt: Mapping[str, Any], definitions: Mapping[str, NodeDefinition]) -> Traits:
    """What `prompt` would leave in the memory of the worker that runs it."""
    found: dict[int, int] = {}
    for node in prompt.values():
        if isinstance(node, dict):
            class_type = str(node.get("class_type"))
            digest = hash((class_type, encode(_literals(node.get("inputs")))))
            found[digest] = LOADER if _opens_a_model(definitions.get(class_type)) else 1
    return found


class Remembered:
    """The traits of the jobs that one worker ran, newest last."""

    def __init__(self) -> None:
        self._traits: dict[int, None] = {}

    def add(self, traits: Traits) -> None:
        """A job with these begins to run there."""
        for digest in traits:
            self._traits.pop(digest, None)
            self._traits[digest] = None
        while len(self._traits) > _REMEMBERED:
            del self._traits[next(iter(self._traits))]

    def share(self, traits: Traits) -> int:
        """How much of these it has seen; nothing if they have loaders, and it has seen none of those. So a job with
        another model goes to a worker that does nothing, even if it has the same empty latent as one that works."""
        seen = [weight for digest, weight in traits.items() if digest in self._traits]
        return 0 if LOADER in traits.values() and LOADER not in seen else sum(seen)

    def clear(self) -> None:
        """Its memory is gone."""
        self._traits.clear()


def _literals(inputs: object) -> dict[str, Any]:
    given = inputs if isinstance(inputs, dict) else {}
    return {name: given[name] for name in sorted(given) if not _is_link(given[name])}


def _is_link(value: object) -> bool:
    return isinstance(value, list) and len(value) == 2 and isinstance(value[0], str)


def _opens_a_model(definition: NodeDefinition | None) -> bool:
    widgets = (socket.widget for socket in definition.inputs) if definition is not None else ()
    choices = [widget.choices for widget in widgets if widget is not None]
    return any(isinstance(choice, FolderChoices) and choice.folder != "input" for choice in choices)
