"""What is being executed around the code that asks: for code that nobody hands a `Progress`, such as node packs.

A context variable, so that nodes that run at the same time each see their own. Set by `call`; empty outside of nodes.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from executor.progress import Preview, Progress


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


@contextmanager
def asking(node_id: str) -> Iterator[None]:
    """While a node is asked something (VALIDATE_INPUTS, IS_CHANGED) and no job runs it."""
    token = executing.set(ExecutingContext("", node_id, 0, _Unheard(), []))
    try:
        yield
    finally:
        executing.reset(token)


class _Unheard:
    """The progress of a question, which nobody follows."""

    def step(self, value: int, total: int, preview: Callable[[], Preview] | None = None) -> None:
        """Nothing."""

    def text(self, text: str) -> None:
        """Nothing."""

    def check(self) -> None:
        """Nothing: no run has begun that could be asked to stop."""
