"""The Event union: all that a run ever says. The server translates it, the command line prints it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from executor.progress import Preview


@dataclass(frozen=True, slots=True)
class RunStarted:
    """The plan is made: `reused` nodes have memos, `run` nodes will execute, in that order unless branches overlap."""

    run: tuple[str, ...]
    reused: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NodeStarted:
    """The node's body begins."""

    node_id: str


@dataclass(frozen=True, slots=True)
class NodeProgress:
    """`value` of `total` steps done."""

    node_id: str
    value: int
    total: int


@dataclass(frozen=True, slots=True)
class NodePreview:
    """A look at unfinished work."""

    node_id: str
    preview: Preview


@dataclass(frozen=True, slots=True)
class NodeExecuted:
    """The node is done, or (`reused`) its remembered result stands. `ui` is None for nodes that show nothing."""

    node_id: str
    ui: Mapping[str, Any] | None
    reused: bool = False
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class NodeFailed:
    """The node raised. `message` is one sentence for the user; `traceback` is for its developer."""

    node_id: str
    class_type: str
    message: str
    exception_type: str
    input_name: str | None = None
    traceback: tuple[str, ...] = ()
    current_inputs: Mapping[str, str] | None = None
    """Each input as a short text."""


@dataclass(frozen=True, slots=True)
class RunFinished:
    """Last event of a run that was not interrupted. `ok` is False if any node failed."""

    ok: bool
    executed: tuple[str, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class RunInterrupted:
    """Last event of a run that was asked to stop. `node_id` is what it was doing, if anything."""

    node_id: str | None
    executed: tuple[str, ...]


Event = RunStarted | NodeStarted | NodeProgress | NodePreview | NodeExecuted | NodeFailed | RunFinished | RunInterrupted
