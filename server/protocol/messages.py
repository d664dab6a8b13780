"""A run in the protocol's messages: Event -> what sockets carry, in the order that clients rely on.

`Narrator` keeps what one run has said so far, for late listeners and for the history. It sends nothing itself.
"""

import json
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from executor.events import (
    Event,
    NodeExecuted,
    NodeFailed,
    NodePreview,
    NodeProgress,
    NodeStarted,
    RunFinished,
    RunInterrupted,
    RunStarted,
)
from executor.progress import Preview
from server.jobs import EndState, JobRecord, JobResult

_PLAIN_PREVIEW: Final = 1
_DESCRIBED_PREVIEW: Final = 4
_PICTURE_KINDS: Final = {"image/jpeg": 1, "image/png": 2}
_FULL_MAP: Final = 64
"""Runs of up to so many nodes repeat the state of all of them in each `progress_state`, larger ones only what moves:
otherwise the traffic of a run grows with the square of its nodes."""


@dataclass(frozen=True, slots=True)
class Message:
    """A text frame `{"type", "data"}`."""

    type: str
    data: Mapping[str, Any]
    replaces: str | None = None
    """An unsent message with the same key is out of date once this one exists."""
    everyone: bool = False


@dataclass(frozen=True, slots=True)
class Picture:
    """A binary preview frame, in both forms that clients negotiate."""

    plain: bytes
    described: bytes
    replaces: str


Frame = Message | Picture


def status(remaining: int, sid: str | None = None) -> Message:
    """How many jobs wait or run; a new socket also learns its id."""
    data: dict[str, Any] = {"status": {"exec_info": {"queue_remaining": remaining}}}
    return Message("status", data | ({"sid": sid} if sid is not None else {}), everyone=True)


def features(max_upload_size: int) -> dict[str, Any]:
    """What this server can do beyond the oldest clients' expectations."""
    return {"supports_preview_metadata": True, "max_upload_size": max_upload_size}


def finished(job_id: str) -> Message:
    """The last message of every run."""
    return Message("executing", {"node": None, "prompt_id": job_id})


class Narrator:
    """Tells one run of `job`. `now` gives milliseconds."""

    def __init__(self, job: JobRecord, now: Callable[[], int]) -> None:
        self._job = job
        self._now = now
        self._executed: list[str] = []
        self._states: dict[str, dict[str, Any]] = {}
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
        match event:
            case RunStarted():
                return [self._milestone("execution_cached", {"nodes": list(event.reused)})]
            case NodeStarted():
                self._current = event.node_id
                return [self._state(event.node_id, "running", 0, 1), self._executing(event.node_id)]
            case NodeProgress():
                return self._progress(event)
            case NodePreview():
                return [_picture(self._job.job_id, event.node_id, event.preview)]
            case NodeExecuted():
                return self._node_executed(event)
            case NodeFailed():
                return [self._failed(event)]
            case RunFinished():
                return self._run_finished(event)
            case RunInterrupted():
                return [self._interrupted(event.node_id)]
            case _:
                return []

    def cancelled(self) -> list[Frame]:
        """The run was stopped without the worker's own word."""
        return [self._interrupted(self._current)]

    def broken(self, exception_type: str, message: str) -> list[Frame]:
        """The run ended without the worker's own word: its process died, or we failed."""
        node_id = self._current or ""
        self.ended = "failed"
        return [self._failed(NodeFailed(node_id, self._class_of(node_id), message, exception_type))]

    def catch_up(self) -> list[Frame]:
        """What a socket that joins during the run needs to show its state."""
        if self._current is None:
            return []
        states = Message("progress_state", {"prompt_id": self._job.job_id, "nodes": dict(self._states)})
        return [self._executing(self._current), states]

    def current(self) -> str:
        """The node at work, as a user would look for it."""
        return f"node {self._current} ({self._class_of(self._current)})" if self._current else "no node"

    def result(self) -> JobResult:
        """What the history keeps."""
        meta = {node_id: _meta(node_id) for node_id in self._outputs}
        return JobResult(self._outputs, meta, self._told, self._error)

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
            data = {"node": event.node_id, "display_node": event.node_id, "output": event.ui}
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
        self._states.pop(event.node_id, None)
        data = {
            "node_id": event.node_id,
            "node_type": event.class_type,
            "executed": list(self._executed),
            "exception_message": event.message,
            "exception_type": event.exception_type,
            "traceback": list(event.traceback),
            "current_inputs": {name: [text] for name, text in (event.current_inputs or {}).items()},
            "current_outputs": list(self._executed),
        }
        if event.input_name is not None:
            data["input_name"] = event.input_name
        message = self._milestone("execution_error", data)
        self._error = self._error or message.data
        return message

    def _interrupted(self, node_id: str | None) -> Message:
        self.ended = "cancelled"
        data = {"node_id": node_id, "node_type": self._class_of(node_id), "executed": list(self._executed)}
        message = self._milestone("execution_interrupted", data)
        return Message(message.type, message.data, everyone=self._job.client_id is None)

    def _milestone(self, message_type: str, data: Mapping[str, Any]) -> Message:
        """A message that the history keeps too."""
        stamped = {"prompt_id": self._job.job_id, **data, "timestamp": self._now()}
        self._told.append([message_type, stamped])
        return Message(message_type, stamped)

    def _executing(self, node_id: str) -> Message:
        return Message("executing", {"node": node_id, "display_node": node_id, "prompt_id": self._job.job_id})

    def _state(self, node_id: str, state: str, value: int, total: int) -> Message:
        job_id = self._job.job_id
        changed = {"value": value, "max": total, "state": state, "prompt_id": job_id, **_meta(node_id, progress=True)}
        self._states[node_id] = changed
        nodes, replaces = dict(self._states), "progress_state"
        if len(self._job.prompt) > _FULL_MAP:
            replaces = f"progress_state {node_id}"  # it no longer tells what an earlier one told of other nodes
            nodes = {name: node for name, node in nodes.items() if node["state"] == "running" or name == node_id}
            self._states = {name: node for name, node in nodes.items() if node["state"] == "running"}
        return Message("progress_state", {"prompt_id": job_id, "nodes": nodes}, replaces)

    def _class_of(self, node_id: str | None) -> str:
        node = self._job.prompt.get(node_id or "")
        class_type = node.get("class_type") if isinstance(node, dict) else None
        return class_type if isinstance(class_type, str) else ""


def _meta(node_id: str, *, progress: bool = False) -> dict[str, Any]:
    display = "display_node_id" if progress else "display_node"
    parent = "parent_node_id" if progress else "parent_node"
    return {"node_id": node_id, display: node_id, parent: None, "real_node_id": node_id}


def _picture(job_id: str, node_id: str, preview: Preview) -> Picture:
    metadata = json.dumps(
        {"prompt_id": job_id, **_meta(node_id, progress=True), "image_type": preview.media_type}
    ).encode()
    return Picture(
        struct.pack(">II", _PLAIN_PREVIEW, _PICTURE_KINDS[preview.media_type]) + preview.image,
        struct.pack(">II", _DESCRIBED_PREVIEW, len(metadata)) + metadata + preview.image,
        replaces=f"preview {node_id}",
    )
