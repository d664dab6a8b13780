"""What a running node may report, and what it must check. Knows nothing of who listens."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol


class Interrupted(Exception):
    """The run was asked to stop. Raised inside a node by `Progress`; nodes let it pass."""


@dataclass(frozen=True, slots=True)
class Preview:
    """An encoded small picture of unfinished work."""

    image: bytes
    media_type: Literal["image/jpeg", "image/png"]


class Progress(Protocol):
    """Handed to a node that asks for `Injected[Progress]`. May be called from any thread."""

    def step(self, value: int, total: int, preview: Callable[[], Preview] | None = None) -> None:
        """Report `value` of `total` steps done. Calls `preview` only if someone will look. Raises Interrupted."""
        ...

    def text(self, text: str) -> None:
        """Show a line of text on the node while it works."""
        ...

    def check(self) -> None:
        """Raise Interrupted if the run was asked to stop."""
        ...


class Unwatched:
    """The `Progress` of work outside of a run: nobody looks, and nobody stops it."""

    def step(self, value: int, total: int, preview: Callable[[], Preview] | None = None) -> None:
        """Tell nobody."""

    def text(self, text: str) -> None:
        """Tell nobody."""

    def check(self) -> None:
        """Go on."""
