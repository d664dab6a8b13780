"""A run in the protocol's messages: Event -> what sockets carry, in the order that clients rely on.

`Narrator` keeps what one run has said so far, for late listeners and for the history. It sends nothing itself.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import islice
from typing import Any, Final

from executor.events import (
    Event,
    NodeBlocked,
    NodeExecuted,
    NodeFailed,
    NodePreview,
    NodeProgress,
    NodesAdded,
    NodeStarted,
    NodeText,
    RunFinished,
    RunInterrupted,
    RunStarted,
)
from server.jobs import EndState, JobRecord, JobResult
from server.protocol.frames import Frame, Message, picture, text
from server.protocol.lineage import LONGEST_ID, Lineage

_FULL_MAP: Final = 64
"""Runs of up to so many nodes repeat the state of all of them in each `progress_state`. Larger ones tell what moves,
and at most so many nodes of the prompt that run: otherwise the traffic of a run grows with the square of its nodes."""


class Narrator:
    """Tells one run of `job`. `now` gives milliseconds."""

    def __init__(self, job: JobRecord, now: Callable[[], int]) -> None:
        self._job = job
        self._now = now
        self._lineage = Lineage(job.prompt)
        self._executed: list[str] = []
        self._states: dict[str, dict[str, Any]] = {}
        self._running: dict[str, None] = {}
        """The nodes of the prompt that run, in the order of their start."""
        self._current: str | None = None
        self._outputs: dict[str, Any] = {}
        self._told: list[list[Any]] = []
        self._error: Mapping[str, Any] | None = None
        self.ended: EndState | None = None
        """How the run ended; None while it runs."""

    def begin(self) -> list[Frame]:
        """The run is handed to a worker."""
        return [self._milestone("execution_start", {})]

    def tell(self, event: Event) -> list[Frame]:
        """What clients hear of `event`."""
        named: Any = event
        node_id = getattr(event, "node_id", None)
        if node_id is not None and len(node_id) > LONGEST_ID:
            named = replace(named, node_id=self._lineage.name(node_id))
        return self._frames(named)

    def _frames(self, event: Event) -> list[Frame]:
        match event:
            case RunStarted():
                return [self._milestone("execution_cached", {"nodes": list(event.reused)})]
            case NodesAdded():
                self._lineage.add(event.nodes)
                return []
            case NodeStarted():
                return self._started(event.node_id)
            case NodeProgress():
                return self._progress(event)
            case NodePreview():
                metadata = {"prompt_id": self._job.job_id, **self._lineage.progress_meta(event.node_id)}
                return [picture(metadata, event.preview)]
            case NodeText():
                return [text(self._lineage.shown(event.node_id), event.text)]
            case NodeBlocked():
                return [self._blocked(event)]
            case NodeExecuted():
                return self._node_executed(event)
            case NodeFailed():
                return [self._failed(event)]
            case RunFinished():
                return self._run_finished(event)
            case RunInterrupted():
                return [self._interrupted(event.node_id)]

    def cancelled(self) -> list[Frame]:
        """The run was stopped without the worker's own word."""
        return [self._interrupted(self._current)]

    def broken(self, exception_type: str, message: str) -> list[Frame]:
        """The run ended without the worker's own word: its process died, or we failed."""
        node_id = self._lineage.real(self._current or "")
        self.ended = "failed"
        return [self._failed(NodeFailed(node_id, self._lineage.class_of(self._current), message, exception_type))]

    def catch_up(self) -> list[Frame]:
        """What a socket that joins during the run needs to show its state."""
        if self._current is None:
            return []
        states = Message("progress_state", {"prompt_id": self._job.job_id, "nodes": dict(self._states)})
        return [self._executing(self._current), states]

    def progress(self) -> dict[str, Any]:
        """The same for those who ask over HTTP, with what there is to see already."""
        return {
            "node": self._current,
            "executed": len(self._executed),
            "nodes": dict(self._states),
            "outputs": dict(self._outputs),
        }

    def current(self) -> str:
        """The node at work, as a user would look for it."""
        if self._current is None:
            return "no node"
        inside, class_type = self._lineage.real(self._current), self._lineage.class_of(self._current)
        return f"node {inside} ({class_type}{' inside it' if self._lineage.is_inner(self._current) else ''})"

    def result(self) -> JobResult:
        """What the history keeps."""
        meta = {node_id: self._lineage.meta(node_id) for node_id in self._outputs}
        return JobResult(self._outputs, meta, self._told, self._error)

    def _started(self, node_id: str) -> list[Frame]:
        """A node begins, or goes on: then it keeps the progress that it had."""
        self._current = node_id
        state = self._states.get(node_id, {})
        return [
            self._state(node_id, "running", state.get("value", 0), state.get("max", 1)),
            self._executing(node_id),
        ]

    def _progress(self, event: NodeProgress) -> list[Frame]:
        data = {"value": event.value, "max": event.total, "prompt_id": self._job.job_id, "node": event.node_id}
        return [
            self._state(event.node_id, "running", event.value, event.total),
            Message("progress", data, replaces=f"progress {event.node_id}"),
        ]

    def _node_executed(self, event: NodeExecuted) -> list[Frame]:
        self._executed.append(event.node_id)
        frames: list[Frame] = []
        if event.ui is not None:
            self._outputs[event.node_id] = event.ui
            data = {"node": event.node_id, "display_node": self._lineage.shown(event.node_id), "output": event.ui}
            frames.append(Message("executed", data | {"prompt_id": self._job.job_id}))
        elif event.reused:
            return []
        total = self._states.get(event.node_id, {}).get("max", 1)
        return [*frames, self._state(event.node_id, "finished", total, total)]

    def _run_finished(self, event: RunFinished) -> list[Frame]:
        if event.ok:
            self.ended = "completed"
            return [self._milestone("execution_success", {})]
        if self._error is None:
            return self.broken("RunFailed", "The run failed without naming a node.")
        self.ended = "failed"
        return []

    def _failed(self, event: NodeFailed) -> Message:
        real = self._lineage.real(event.node_id)
        for node_id in [node_id for node_id in self._states if self._lineage.real(node_id) == real]:
            self._forget(node_id)
        # Thousands of nodes may fail in one run, or be blocked: only the first failure repeats all that was done.
        executed = list(self._executed) if self._error is None else self._executed[-_FULL_MAP:]
        data = {
            "node_id": real,
            "node_type": event.class_type,
            "executed": executed,
            "exception_message": f"{event.message}\n{event.hint}" if event.hint else event.message,
            "exception_type": event.exception_type,
            "traceback": list(event.traceback),
            "current_inputs": {name: [value] for name, value in (event.current_inputs or {}).items()},
            "current_outputs": executed,
        }
        if event.input_name is not None:
            data["input_name"] = event.input_name
        message = self._milestone("execution_error", data)
        self._error = self._error or message.data
        return message

    def _blocked(self, event: NodeBlocked) -> Message:
        """An error by its shape, because clients show that; the run goes on and is none."""
        data = {
            "node_id": self._lineage.real(event.node_id),
            "node_type": event.class_type,
            "executed": self._executed[-_FULL_MAP:],
            "exception_message": event.message,
            "exception_type": "ExecutionBlocked",
            "traceback": [],
            "current_inputs": {},
            "current_outputs": [],
        }
        return self._milestone("execution_error", data)

    def _interrupted(self, node_id: str | None) -> Message:
        self.ended = "cancelled"
        real = None if node_id is None else self._lineage.real(node_id)
        data = {"node_id": real, "node_type": self._lineage.class_of(node_id), "executed": list(self._executed)}
        message = self._milestone("execution_interrupted", data)
        return Message(message.type, message.data, everyone=self._job.client_id is None)

    def _milestone(self, message_type: str, data: Mapping[str, Any]) -> Message:
        """A message that the history keeps too."""
        stamped = {"prompt_id": self._job.job_id, **data, "timestamp": self._now()}
        self._told.append([message_type, stamped])
        return Message(message_type, stamped)

    def _executing(self, node_id: str) -> Message:
        shown = self._lineage.shown(node_id)
        return Message("executing", {"node": node_id, "display_node": shown, "prompt_id": self._job.job_id})

    def _state(self, node_id: str, state: str, value: int, total: int) -> Message:
        job_id = self._job.job_id
        meta = self._lineage.progress_meta(node_id)
        self._states[node_id] = {"value": value, "max": total, "state": state, "prompt_id": job_id, **meta}
        if state == "running" and not self._lineage.is_inner(node_id):
            self._running[node_id] = None
        else:
            self._running.pop(node_id, None)
        nodes, replaces = dict(self._states), "progress_state"
        if len(self._lineage) > _FULL_MAP:
            replaces = f"progress_state {node_id}"  # it no longer tells what an earlier one told of other nodes
            nodes = {name: self._states[name] for name in (*islice(self._running, _FULL_MAP), node_id)}
            if state == "finished":
                self._forget(node_id)
        return Message("progress_state", {"prompt_id": job_id, "nodes": nodes}, replaces)

    def _forget(self, node_id: str) -> None:
        self._states.pop(node_id, None)
        self._running.pop(node_id, None)
