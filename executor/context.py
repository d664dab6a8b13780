"""What is being executed around the code that asks: for code that nobody hands a `Progress`, such as node packs.

A context variable, so that nodes that run at the same time each see their own. Set by `call`; empty outside of nodes.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from executor.progress import Progress, Unwatched

LONGEST_ID = 64
"""Longer ids of nodes are not repeated in those of the nodes that they expand into."""


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
    preview_method: str = "auto"
    """How those who look on want to see unfinished work: none, auto, latent2rgb or taesd."""


executing: ContextVar[ExecutingContext | None] = ContextVar("executing", default=None)
"""The call that the asking code is part of."""


def expansion_prefix(context: ExecutingContext) -> str:
    """What the ids of the next graph begin with that this call builds: new to the run, the same in every run.

    `<node id>.<list index>.<graph index>.`; a long id, as loops make by expanding again and again, is shortened.
    """
    context.graphs.append(None)
    return f"{id_root(context.node_id)}.{context.list_index}.{len(context.graphs) - 1}."


def id_root(node_id: str) -> str:
    """What ids of nodes begin with that the node expands into."""
    if len(node_id) <= LONGEST_ID:
        return node_id
    return f"{node_id.partition('.')[0]}.~{hashlib.sha256(node_id.encode()).hexdigest()[:16]}"


@contextmanager
def asking(node_id: str) -> Iterator[None]:
    """While a node is asked something (VALIDATE_INPUTS, IS_CHANGED) and no job runs it."""
    token = executing.set(ExecutingContext("", node_id, 0, Unwatched(), []))
    try:
        yield
    finally:
        executing.reset(token)
