"""What is being executed around the code that asks: for code that nobody hands a `Progress`, such as node packs.

A context variable, so that nodes that run at the same time each see their own. Set by `call`; empty outside of nodes.
"""

from contextvars import ContextVar
from dataclasses import dataclass

from executor.progress import Progress


@dataclass(frozen=True, slots=True)
class ExecutingContext:
    """One call of one node."""

    job_id: str
    node_id: str
    list_index: int
    """Which of the calls that the node's lists make, from 0."""
    progress: Progress
    graphs: list[None]
    """One entry for each graph that this call has begun to build: makes the ids of expanded nodes unique."""


executing: ContextVar[ExecutingContext | None] = ContextVar("executing", default=None)
"""The call that the asking code is part of."""
