"""A worker without nodes: it plays runs that the prompt itself describes, and remembers what it was asked.

Every node of a prompt is one of these classes; a run plays them in the prompt's order:
    Text   executes          Save   executes and shows a picture      Steps  reports `steps`, with a preview each
    Fail   raises            Wait   runs until interrupted or released Die   loses the worker, `times` times
    Burst  sends `count` large UI values                               Odd    shows what JSON cannot hold
    Script says the events that `scripts` holds under its `name`       Meet   waits at `barrier` for another job
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any

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
from executor.packs import PackMessage, PackServices
from executor.progress import Preview
from executor.schema import FolderChoices, InputSocket, NodeDefinition, OutputSocket, Widget
from executor.worker import Device, Job, PromptError, Validation, WorkerLost, WorkerReport

JPEG = b"\xff\xd8\xff\xe0 a small picture"


def definition(class_type: str, *inputs: InputSocket, outputs: tuple[OutputSocket, ...] = (), **more: Any):
    return NodeDefinition(class_type, inputs, outputs, "toys", f"{class_type} node", **more)


DEFINITIONS = {
    known.class_type: known
    for known in (
        definition(
            "Text", InputSocket("text", "STRING", Widget("text"), ""), outputs=(OutputSocket("text", "STRING"),)
        ),
        definition("Save", InputSocket("name", "STRING", Widget("text"), "x"), is_output=True),
        definition("Steps", InputSocket("steps", "INT", Widget("number", min=1), 3), is_output=True),
        definition("Fail", is_output=True),
        definition("Wait", is_output=True),
        definition("Die", InputSocket("times", "INT", Widget("number"), 1), is_output=True),
        definition("Burst", InputSocket("count", "INT", Widget("number"), 1), is_output=True),
        definition("Odd", is_output=True),
        definition("Meet", InputSocket("name", "STRING", Widget("text"), ""), is_output=True),
        definition("Script", InputSocket("name", "STRING", Widget("text"), ""), is_output=True),
        definition("Load", InputSocket("ckpt_name", "COMBO", Widget("combo", choices=FolderChoices("checkpoints")))),
    )
}


class FakeWorker:
    def __init__(
        self, *, loading: asyncio.Event | None = None, broken: str | None = None, device: str = "cpu", room: int = 1
    ) -> None:
        self.jobs: list[Job] = []
        self.calls: list[tuple[str, Any]] = []
        self.scripts: dict[str, list[Event]] = {}
        self.services = PackServices()
        self.said: asyncio.Queue[PackMessage] = asyncio.Queue()
        self.rewrite: Callable[[Mapping[str, Any]], Awaitable[Any]] | None = None
        self.known = dict(DEFINITIONS)
        self.asked_definitions = 0
        self.released = asyncio.Event()
        self.closed = False
        self._loading = loading
        self._broken = broken
        self.killed = asyncio.Event()
        """Set by a test: the worker dies while nothing asks it."""
        self.barrier = asyncio.Barrier(2)
        self.invalid: list[WorkerLost] = []
        """What the next validations raise."""
        self._died = asyncio.Event()
        """Whatever waits in the worker ends with it."""
        self._device = device
        self._room = room
        self._stops: dict[str, asyncio.Event] = {}
        """Of the jobs that run."""
        self._memos: dict[str, Any] = {}
        self._deaths: dict[str, int] = {}

    async def definitions(self) -> Mapping[str, NodeDefinition]:
        if self._broken:
            raise WorkerLost(self._broken)
        if self._loading is not None:
            await self._loading.wait()
        self.asked_definitions += 1
        return dict(self.known)

    async def report(self) -> WorkerReport:
        return WorkerReport((Device(self._device, "cpu", None, 1000, 400),), {"torch": "2.13.0+cpu"})

    async def validate(self, prompt: object, targets: Sequence[str] | None = None) -> Validation:
        if self.invalid:
            raise self.invalid.pop()
        assert isinstance(prompt, dict)
        errors, outputs = [], []
        for node_id, node in prompt.items():
            known = DEFINITIONS.get(node.get("class_type")) if isinstance(node, dict) else None
            if known is None:
                title = node.get("class_type") if isinstance(node, dict) else None
                errors.append(_error("missing_node_type", f"Node type '{title}' is not known", node_id, str(title)))
            elif "bad" in node.get("inputs", {}):
                errors.append(_error("value_not_in_list", "Value not in list", node_id, known.class_type))
            elif known.is_output and (targets is None or node_id in targets):
                outputs.append(node_id)
        unknown = [error for error in errors if error.type == "missing_node_type"]
        if unknown:
            outputs, verdict = [], PromptError("missing_node_type", unknown[0].message, "all of them")
        elif errors:
            verdict = PromptError("prompt_outputs_failed_validation", "Prompt outputs failed validation", "why")
        else:
            verdict = PromptError("prompt_no_outputs", "Prompt has no outputs", "")
        return Validation(tuple(outputs), tuple(errors) if outputs else (*errors, verdict))

    async def run(self, job: Job) -> AsyncIterator[Event]:
        assert len(self._stops) < self._room, "more jobs than it has room for"
        stop = self._stops[job.job_id] = asyncio.Event()
        self.jobs.append(job)
        executed: list[str] = []
        try:
            nodes = {node_id: node for node_id, node in job.prompt.items() if _wanted(job, node_id, node)}
            fresh = [node_id for node_id, node in nodes.items() if repr(node) not in self._memos]
            yield RunStarted(tuple(fresh), tuple(node_id for node_id in nodes if node_id not in fresh))
            for node_id in nodes:
                if node_id not in fresh and DEFINITIONS[nodes[node_id]["class_type"]].is_output:
                    yield NodeExecuted(node_id, self._memos[repr(nodes[node_id])], reused=True)
            for node_id in fresh:
                node = nodes[node_id]
                yield NodeStarted(node_id)
                async for event in self._play(job, node_id, node["class_type"], node.get("inputs", {})):
                    yield event
                    if isinstance(event, NodeFailed):
                        yield RunFinished(False, tuple(executed), 0.1)
                        return
                if stop.is_set():
                    yield RunInterrupted(node_id, tuple(executed))
                    return
                executed.append(node_id)
                ui = _ui(node["class_type"], node.get("inputs", {}))
                self._memos[repr(node)] = ui
                yield NodeExecuted(node_id, ui, seconds=0.01)
            yield RunFinished(True, tuple(executed), 0.1)
        finally:
            del self._stops[job.job_id]

    async def _play(self, job: Job, node_id: str, class_type: str, inputs: Mapping[str, Any]) -> AsyncIterator[Event]:
        if class_type == "Steps":
            total = inputs.get("steps", 3)
            for step in range(1, total + 1):
                yield NodeProgress(node_id, step, total)
                yield NodePreview(node_id, Preview(JPEG, "image/jpeg"))
        elif class_type == "Fail":
            lines = ("line 1", "line 2")
            yield NodeFailed(node_id, "Fail", "It cannot work.", "ValueError", "text", lines, {"text": "'a'"})
        elif class_type in ("Wait", "Meet"):
            await self._pause(job, class_type)
        elif class_type == "Die":
            self._deaths[job.job_id] = self._deaths.get(job.job_id, 0) + 1
            if self._deaths[job.job_id] <= inputs.get("times", 1):
                self._died.set()
                self._died = asyncio.Event()
                raise WorkerLost("signal 9")
        elif class_type == "Script":
            for event in self.scripts[inputs["name"]]:
                yield event
        elif class_type == "Burst":
            for index in range(inputs.get("count", 1)):
                yield NodeExecuted(f"{node_id}.{index}", {"text": ["x" * 100_000]})

    async def _pause(self, job: Job, class_type: str) -> None:
        if class_type == "Meet":
            await self.barrier.wait()
            return
        died = self._died
        waits = [asyncio.ensure_future(event.wait()) for event in (self._stops[job.job_id], self.released, died)]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        if died.is_set():
            raise WorkerLost("signal 9")

    async def interrupt(self, job_id: str | None = None) -> bool:
        self.calls.append(("interrupt", job_id))
        stops = [stop for running, stop in self._stops.items() if job_id in (None, running)]
        for stop in stops:
            stop.set()
        return bool(stops)

    async def lost(self) -> None:
        await self.killed.wait()
        self.killed.clear()

    def silent(self) -> float | None:
        return 0.5

    async def free(self, *, unload_models: bool, free_memory: bool) -> None:
        self.calls.append(("free", (unload_models, free_memory)))

    async def packs(self) -> PackServices:
        return self.services

    async def rewrite_prompt(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        return await self.rewrite(request) if self.rewrite is not None else request

    async def messages(self) -> AsyncIterator[PackMessage]:
        while True:
            yield await self.said.get()

    async def close(self) -> None:
        self.closed = True


def _wanted(job: Job, node_id: str, node: Mapping[str, Any]) -> bool:
    is_output = DEFINITIONS[node["class_type"]].is_output
    return not is_output or job.targets is None or node_id in job.targets


def _ui(class_type: str, inputs: Mapping[str, Any]) -> dict[str, Any] | None:
    if class_type == "Save":
        return {"images": [{"filename": f"{inputs.get('name', 'x')}.png", "subfolder": "", "type": "output"}]}
    if class_type == "Odd":
        return {"text": [float("nan"), b"bytes", {"a", "b"}]}
    return None


def _error(error_type: str, message: str, node_id: str, class_type: str) -> PromptError:
    return PromptError(error_type, message, f"Node ID '#{node_id}'", {}, node_id, class_type, (node_id,))
