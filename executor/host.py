"""What runs borrow from the place that they run in, and what runs that are there at the same time share.

Holds; decides nothing. To be used on one event loop.
"""

import asyncio
from collections.abc import Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field

from executor.cache import Cache, Memo
from executor.schema import NodeDefinition, NodeType
from executor.signature import Signature


@dataclass(frozen=True, slots=True)
class Stay:
    """The time of one run on a host."""

    number: int
    alone: bool
    """Whether no other run was there when it began."""


@dataclass(slots=True)
class Host:
    """What the runs of one worker have in common."""

    node_types: Mapping[str, NodeType]
    definitions: Mapping[str, NodeDefinition]
    resources: Mapping[str, object]
    """Name -> object, for parameters that a node type declares as injected."""
    cache: Cache
    threads: Executor
    device: Executor
    """Has a single thread: device work is serial."""
    thread_count: int
    flights: dict[Signature, "asyncio.Future[Memo | None]"] = field(default_factory=dict)
    """What some run executes now. The future gets the memo, or None if there will be none to share."""
    _entered: int = 0
    _inside: int = 0

    def enter(self) -> Stay:
        """A run begins to prepare."""
        self._entered += 1
        stay = Stay(self._entered, alone=self._inside == 0)
        self._inside += 1
        return stay

    def leave(self) -> None:
        """A run has ended."""
        self._inside -= 1

    def is_shared(self, stay: Stay) -> bool:
        """Whether another run has been here since, so that it may have made, or be making, what this one needs."""
        return not stay.alone or self._entered != stay.number
