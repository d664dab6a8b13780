"""A worker process with the toy packs, asked by tests that need no loop of their own; prompts as short text."""

import asyncio
import json
import shutil
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import main
from executor.command_flags import run_parser
from executor.events import (
    Event,
    NodeBlocked,
    NodeExecuted,
    NodeFailed,
    NodeProgress,
    NodesAdded,
    NodeStarted,
    RunFinished,
)
from executor.process import ProcessWorker
from executor.worker import Job, PromptError
from executor.worker_options import WorkerOptions, worker_options_of

FORMS = ("V1", "V3", "Typed")
TOYS = Path(__file__).parent / "toys"


def toy_options(base: Path) -> WorkerOptions:
    """Options of a worker with the toy packs, which are put into this folder."""
    shutil.copytree(TOYS, base / "custom_nodes", ignore=shutil.ignore_patterns("__pycache__"))
    words = ["workflow.json", "--cpu", "--base-directory", str(base), "--cache-disk", "0"]
    return worker_options_of(run_parser().parse_args(words), main.HERE)


@dataclass(frozen=True)
class Ran:
    """What one run said."""

    events: tuple[Event, ...]

    @property
    def ok(self) -> bool:
        last = self.events[-1]
        return isinstance(last, RunFinished) and last.ok

    @property
    def shown(self) -> dict[str, list[Any]]:
        """Node -> what it showed, whether it ran or was reused."""
        return {event.node_id: list(event.ui["values"]) for event in self._of(NodeExecuted) if event.ui}

    @property
    def executed(self) -> set[str]:
        return {event.node_id for event in self._of(NodeExecuted) if not event.reused}

    @property
    def began(self) -> list[tuple[str, bool]]:
        return [(event.node_id, event.again) for event in self._of(NodeStarted)]

    @property
    def failed(self) -> dict[str, NodeFailed]:
        return {event.node_id: event for event in self._of(NodeFailed)}

    @property
    def blocked(self) -> dict[str, str]:
        return {event.node_id: event.message for event in self._of(NodeBlocked)}

    @property
    def progress(self) -> list[tuple[str, int, int]]:
        return [(event.node_id, event.value, event.total) for event in self._of(NodeProgress)]

    @property
    def added(self) -> dict[str, Any]:
        return {node_id: origin for event in self._of(NodesAdded) for node_id, origin in event.nodes.items()}

    def _of(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]


@dataclass
class Packs:
    """The worker process."""

    worker: ProcessWorker
    runner: asyncio.Runner
    hear: Callable[[Event], Coroutine[Any, Any, None]] | None = field(default=None)

    def wait(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Its result."""
        return self.runner.run(coroutine)

    def run(self, form: str, text: str, **job: Any) -> Ran:
        """Run a prompt that is written as text."""
        return self.wait(self.run_later(form, text, **job))

    async def run_later(self, form: str, text: str, **job: Any) -> Ran:
        wire = job.pop("changed", lambda wire: wire)(prompt(form, text))
        events = []
        async for event in self.worker.run(Job(job.pop("job_id", "job"), wire, **job)):
            events.append(event)
            if self.hear is not None:
                await self.hear(event)
        return Ran(tuple(events))

    def refused(self, form: str, text: str) -> list[PromptError]:
        """What is wrong with a prompt."""
        return list(self.wait(self.worker.validate(prompt(form, text))).errors)

    def forget(self) -> None:
        """Start with an empty memory."""
        self.wait(self.worker.free(unload_models=False, free_memory=True))


def prompt(form: str, text: str) -> dict[str, Any]:
    """A wire prompt from lines such as `b = Join a=x b=2`, where `x` or `x.1` is an output of another line and all else
    is a JSON literal, or a plain word. Classes are those of the form."""
    lines = [line.split(" = ") for line in text.strip().splitlines()]
    ids = {node_id.strip() for node_id, _ in lines}
    nodes: dict[str, Any] = {}
    for node_id, made_by in lines:
        name, *arguments = made_by.split()
        pairs = (argument.split("=", 1) for argument in arguments)
        inputs = {key: _value(value, ids) for key, value in pairs}
        nodes[node_id.strip()] = {"class_type": f"{form}.{name}", "inputs": inputs}
    return nodes


def _value(text: str, ids: set[str]) -> Any:
    source, _, output = text.partition(".")
    if source in ids and (not output or output.isdigit()):
        return [source, int(output or 0)]
    try:
        return json.loads(text)
    except ValueError:
        return text


def plain(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options of an input without those that say nothing."""
    return {name: value for name, value in options.items() if value not in (None, False)}
