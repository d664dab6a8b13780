"""The Event union: all that a run ever says. The server translates it, the command line prints it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from executor.dynamic_prompt import Origin as Origin
from executor.progress import Preview


@dataclass(frozen=True, slots=True)
class RunStarted:
    """The plan is made: `reused` nodes have memos, `run` nodes will execute, in that order unless branches overlap."""

    run: tuple[str, ...]
    reused: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NodesAdded:
    """A node expanded into others; later events name them by their own ids, failures by the real one."""

    nodes: Mapping[str, Origin]


@dataclass(frozen=True, slots=True)
class NodeStarted:
    """The node's body begins, or (`again`) goes on after its lazy inputs or its expansion were computed."""

    node_id: str
    again: bool = False


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
class NodeText:
    """A line of text that the node wants shown while it works."""

    node_id: str
    text: str


@dataclass(frozen=True, slots=True)
class NodeBlocked:
    """The node was not called, because an `ExecutionBlocker` with a message reached it. The run goes on."""

    node_id: str
    class_type: str
    message: str


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
    hint: str | None = None
    """What usually helps, for causes that are known: memory, a missing model, shapes that do not fit."""


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


Event = (
    RunStarted
    | NodesAdded
    | NodeStarted
    | NodeProgress
    | NodePreview
    | NodeText
    | NodeBlocked
    | NodeExecuted
    | NodeFailed
    | RunFinished
    | RunInterrupted
)
