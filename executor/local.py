"""The worker that runs jobs in its own process: for the command line, for tests, and inside each worker process.

Node bodies run on threads, so every other call is answered while a job runs. Knows no HTTP and no other process.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

from executor.cache import Cache, Memo
from executor.events import Event, NodeFailed, RunFinished
from executor.failure import Failure
from executor.fingerprint import fingerprints
from executor.folders import Folders
from executor.graph import Graph, Node, NodeId
from executor.hints import MEMORY
from executor.host import Host
from executor.packs import PackHost, PackMessage, PackServices
from executor.plan import Plan, make_plan
from executor.prompt import Parsed, iter_node_errors, parse_prompt, stale_types
from executor.run import Run
from executor.schema import NodeDefinition, NodeType
from executor.signature import Signature, signatures
from executor.worker import Job, PromptError, Validation, WorkerReport

log = logging.getLogger(__name__)

THREADS = 4
"""How many blocking nodes (files, pictures) run beside the device's one."""


@dataclass(frozen=True, slots=True)
class _Prepared:
    graph: Graph
    plan: Plan
    memos: dict[Signature, Memo]
    failures: Mapping[NodeId, Failure]
    nodes: Mapping[NodeId, Node]


@dataclass(slots=True)
class _Active:
    interrupted: bool = False
    run: Run | None = None


@dataclass(slots=True)
class _Freeing:
    unload_models: bool = False
    free_memory: bool = False
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class InProcessWorker:
    """Implements `Worker` here and now. To be used on one event loop."""

    def __init__(
        self,
        node_types: Mapping[str, NodeType],
        folders: Folders,
        cache: Cache,
        resources: Mapping[str, object],
        report: Callable[[], WorkerReport],
        unload_models: Callable[[], None],
        packs: PackHost | None = None,
    ) -> None:
        """`resources` are handed to nodes that ask for them by name; "Folders" is added to them. `unload_models` is
        called between jobs, from a thread. `packs` are those that some of the node types come from."""
        self._packs = packs
        self._messages: asyncio.Queue[PackMessage | None] = asyncio.Queue()
        self._packs_start: asyncio.Task[None] | None = None
        self._definitions = {name: node_type.definition for name, node_type in node_types.items()}
        self._validators = {name: one.validate for name, one in node_types.items() if one.validate is not None}
        self._folders = folders
        self._report = report
        self._unload_models = unload_models
        self._active: dict[str, _Active] = {}
        self._freeing = _Freeing()
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="node")
        self._device = ThreadPoolExecutor(1, thread_name_prefix="device")
        self._host = Host(
            node_types=node_types,
            definitions=self._definitions,
            resources={"Folders": folders, **resources},
            cache=cache,
            threads=self._threads,
            device=self._device,
            thread_count=THREADS,
        )

    async def definitions(self) -> Mapping[str, NodeDefinition]:
        """All node types, with the choices that they have now."""
        await asyncio.to_thread(self._refresh, self._host.node_types)
        return dict(self._definitions)

    async def report(self) -> WorkerReport:
        """Devices and versions, asked on a thread."""
        return await asyncio.to_thread(self._report)

    async def validate(self, prompt: object, targets: Sequence[str] | None = None) -> Validation:
        """Check a prompt, on a thread because it lists folders."""
        parsed = await asyncio.to_thread(self._parse, prompt, targets)
        return parsed.validation

    async def packs(self) -> PackServices:
        """The packs that were loaded or failed to; they serve their routes from the first call on."""
        if self._packs is None:
            return PackServices()
        if self._packs_start is None:
            self._packs_start = asyncio.create_task(self._start_packs(self._packs))
        await asyncio.shield(self._packs_start)
        return self._packs.services()

    async def rewrite_prompt(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """The request as the packs' handlers want it; asked on a thread, since it is their code."""
        if self._packs is None:
            return request
        return await asyncio.to_thread(self._packs.rewrite_prompt, request)

    async def messages(self) -> AsyncIterator[PackMessage]:
        """What packs send to clients, for one listener; ends when the worker is closed."""
        while (message := await self._messages.get()) is not None:
            yield message

    async def _start_packs(self, packs: PackHost) -> None:
        loop = asyncio.get_running_loop()

        def hear(message: PackMessage) -> None:
            loop.call_soon_threadsafe(self._messages.put_nowait, message)

        await packs.start(hear)

    async def run(self, job: Job) -> AsyncIterator[Event]:
        """Run what is valid of the job's prompt. If nothing is, tell why as NodeFailed events.

        Raises RuntimeError while the job of this id runs already. Closing the iterator interrupts the job.
        """
        if job.job_id in self._active:
            raise RuntimeError(f"Job {job.job_id} is still running.")
        active = self._active[job.job_id] = _Active()
        stay = self._host.enter()
        if self._packs is not None:
            self._packs.job_began(job.job_id, job.client_id)
        try:
            prepared = await asyncio.to_thread(self._prepare, job)
            if isinstance(prepared, Validation):
                for event in _refusal(prepared):
                    yield event
                return
            active.run = Run(self._host, stay, prepared.graph, prepared.plan, prepared.memos, job)
            if active.interrupted:
                active.run.interrupt()
            async with aclosing(active.run.events(prepared.failures, prepared.nodes)) as events:
                del prepared  # its memos are the run's now
                async for event in events:
                    if isinstance(event, NodeFailed) and event.hint == MEMORY:
                        self._freeing.unload_models = True
                    yield event
        finally:
            del self._active[job.job_id]
            self._host.leave()
            if self._packs is not None:
                self._packs.job_ended(job.job_id)
            await self._free_now()

    async def interrupt(self, job_id: str | None = None) -> bool:
        """Ask the running job of this id, or all, to stop."""
        asked = [active for name, active in self._active.items() if job_id in (None, name)]
        for active in asked:
            active.interrupted = True
            if active.run is not None:
                active.run.interrupt()
        return bool(asked)

    async def lost(self) -> None:
        """Wait for ever: it dies with whoever asks."""
        await asyncio.get_running_loop().create_future()

    def silent(self) -> float | None:
        """It is the process that asks, and so never silent."""
        return 0.0

    async def free(self, *, unload_models: bool, free_memory: bool) -> None:
        """Free now, or as soon as no job runs; `free_memory` includes the models."""
        self._freeing.unload_models |= unload_models or free_memory
        self._freeing.free_memory |= free_memory
        await self._free_now()

    async def close(self) -> None:
        """Interrupt what runs, wait for it, end the threads, and let the cache finish what it writes."""
        await self.interrupt()
        self._messages.put_nowait(None)
        if self._packs is not None and self._packs_start is not None:
            await self._packs.close()
        await asyncio.to_thread(self._device.shutdown)
        await asyncio.to_thread(self._threads.shutdown)
        await asyncio.to_thread(self._host.cache.close)

    async def _free_now(self) -> None:
        if self._active:
            return
        async with self._freeing.lock:
            if self._freeing.free_memory:
                self._freeing.free_memory = False
                self._host.cache.clear()
            if self._freeing.unload_models:
                self._freeing.unload_models = False
                await asyncio.to_thread(self._unload_models)

    def _parse(self, prompt: object, targets: Sequence[str] | None) -> Parsed:
        parsed = parse_prompt(prompt, self._definitions, self._folders, targets, self._validators)
        if self._refresh(stale_types(parsed.validation)):
            parsed = parse_prompt(prompt, self._definitions, self._folders, targets, self._validators)
        return parsed

    def _refresh(self, class_types: Iterable[str]) -> bool:
        """Ask the node types that know it for their definitions anew. Whether any has changed."""
        changed = False
        for class_type in class_types:
            refresh = self._host.node_types[class_type].refresh
            if refresh is None:
                continue
            try:
                definition = refresh()
            except Exception:
                log.warning(
                    "%s could not say what its inputs are now; the earlier answer stands.", class_type, exc_info=True
                )
                continue
            changed |= definition != self._definitions[class_type]
            self._definitions[class_type] = definition
        return changed

    def _prepare(self, job: Job) -> _Prepared | Validation:
        """The pure part of the pipeline, and the fingerprints, which read files."""
        parsed = self._parse(job.prompt, job.targets)
        if not parsed.validation.outputs:
            return parsed.validation
        graph = parsed.graph
        targets = [NodeId(output) for output in parsed.validation.outputs]
        prints, failures = fingerprints(graph, self._host.node_types, self._host.resources)
        if failures:
            lost = _descendants(graph, failures)
            targets = [target for target in targets if target not in lost]
            graph = graph.only(graph.nodes.keys() - lost)
        # All of them, since what a node expands into may link to any.
        signed = signatures(graph, graph.order(), self._definitions, prints)
        self._host.cache.retain(signed.values())
        plan, memos = make_plan(graph, targets, signed, self._host.cache)
        return _Prepared(graph, plan, memos, failures, parsed.graph.nodes)


def _descendants(graph: Graph, node_ids: Mapping[NodeId, object]) -> frozenset[NodeId]:
    """The nodes and all that read from them, directly or not."""
    found = set(node_ids)
    waiting = list(found)
    while waiting:
        for reader in graph.consumers[waiting.pop()]:
            if reader not in found:
                found.add(reader)
                waiting.append(reader)
    return frozenset(found)


def _refusal(validation: Validation) -> list[Event]:
    of_nodes = list(iter_node_errors(validation))
    return [
        *(_failed(error) for error in of_nodes or validation.errors),
        RunFinished(ok=False, executed=(), seconds=0.0),
    ]


def _failed(error: PromptError) -> NodeFailed:
    name = error.extra_info.get("input_name")
    return NodeFailed(
        node_id=error.node_id or "",
        class_type=error.class_type or "",
        message=f"{error.message}: {error.details}",
        exception_type=error.type,
        input_name=name if isinstance(name, str) else None,
    )
