"""`comfy_execution.utils`: which node the asking code is part of."""

import contextvars
from types import TracebackType
from typing import Any, NamedTuple

from executor.context import ExecutingContext, executing
from executor.progress import Unwatched


class ExecutionContext(NamedTuple):
    """One call of one node."""

    prompt_id: str
    node_id: str
    list_index: int | None


def get_executing_context() -> ExecutionContext | None:
    """The call around the asking code; None outside of nodes."""
    context = executing.get()
    return None if context is None else ExecutionContext(context.job_id, context.node_id, context.list_index)


class CurrentNodeContext:
    """Lets the code inside pass for a call of another node."""

    def __init__(self, prompt_id: str, node_id: str, list_index: int | None = None) -> None:
        outer = executing.get()
        progress = outer.progress if outer else Unwatched()
        self._context = ExecutingContext(prompt_id, node_id, list_index or 0, progress, [])
        self._token: contextvars.Token[ExecutingContext | None] | None = None

    def __enter__(self) -> "CurrentNodeContext":
        self._token = executing.set(self._context)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._token is not None:
            executing.reset(self._token)


def is_class(obj: Any) -> bool:
    """Whether it is a class and not an object of one."""
    return isinstance(obj, type)
