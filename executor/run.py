"""Executes a plan: the only module of the pipeline with effects.

Independent branches overlap as far as their lanes allow: coroutines on the event loop, blocking bodies on threads,
device work one at a time. One failed node stops only what depends on it. What fails or is interrupted leaves no memo.
"""

import asyncio
import heapq
import threading
import time
from collections.abc import AsyncGenerator, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from typing import Any

from executor.cache import Cache, Memo
from executor.call import Values, call_node
from executor.events import Event, NodeExecuted, NodeStarted, RunFinished, RunInterrupted, RunStarted
from executor.failure import Failure, describe
from executor.graph import Graph, Link, Node, NodeId
from executor.plan import Plan
from executor.progress import Interrupted
from executor.reporter import Reporter
from executor.schema import Lane, NodeType, RunInfo
from executor.signature import Signature
from executor.worker import Job


@dataclass(frozen=True, slots=True)
class Host:
    """What runs borrow from the place they run in."""

    node_types: Mapping[str, NodeType]
    resources: Mapping[str, object]
    """Name -> object, for parameters that a node type declares as injected."""
    cache: Cache
    threads: Executor
    device: Executor
    """Has a single thread: device work is serial."""
    thread_count: int


class Run:
    """One execution of a plan; used once. All of it lives on one event loop, node bodies apart."""

    def __init__(self, host: Host, graph: Graph, plan: Plan, memos: dict[Signature, Memo], job: Job) -> None:
        self._host = host
        self._graph = graph
        self._plan = plan
        self._values = memos
        """Invariant: holds a memo exactly as long as a node that is still to run reads it."""
        self._job = job
        self._stop = threading.Event()
        self._queue: asyncio.Queue[Event | BaseException] = asyncio.Queue()
        self._free: dict[Lane, int] = {"device": 1, "thread": host.thread_count, "loop": len(plan.run) + 1}
        self._ready: dict[Lane, list[int]] = {"device": [], "thread": [], "loop": []}
        self._position = {node_id: position for position, node_id in enumerate(plan.run)}
        self._sources = {node_id: self._sources_of(node_id) for node_id in plan.run}
        self._readers: dict[Signature, list[NodeId]] = {}
        self._missing: dict[NodeId, int] = {}
        self._unread: dict[Signature, int] = {}
        self._twins: dict[Signature, list[NodeId]] = {}
        self._dropped: set[NodeId] = set()
        self._tasks: dict[asyncio.Task[Memo | Failure | None], NodeId] = {}
        self._cancellable: set[asyncio.Future[Any]] = set()
        self._executed: list[NodeId] = []
        self._stopped_at: NodeId | None = None
        self._ok = True
        self._began = 0.0

    async def events(
        self, failures: Mapping[NodeId, Failure], nodes: Mapping[NodeId, Node]
    ) -> AsyncGenerator[Event, None]:
        """Run, and tell. `failures` of `nodes` that were found while preparing are told first.

        Closing the iterator early interrupts the run and waits for the bodies that are on threads.
        """
        loop = asyncio.get_running_loop()
        self._loop, self._thread = loop, threading.get_ident()
        try:
            self._begin(failures, nodes)
            while True:
                event = await self._queue.get()
                if isinstance(event, BaseException):
                    raise event
                yield event
                if isinstance(event, RunFinished | RunInterrupted):
                    return
        finally:
            self.interrupt()
            if self._tasks:
                await asyncio.wait(self._tasks)

    def interrupt(self) -> None:
        """Ask the run to stop: no further node starts, running ones hear of it at their next step."""
        if not self._stop.is_set():
            self._stopped_at = next(iter(self._tasks.values()), None)
            self._stop.set()
        for waiting in tuple(self._cancellable):
            waiting.cancel()

    def _begin(self, failures: Mapping[NodeId, Failure], nodes: Mapping[NodeId, Node]) -> None:
        self._began = time.monotonic()
        self._emit(RunStarted(self._plan.run, self._plan.reused))
        for node_id, failure in failures.items():
            self._ok = False
            self._emit(failure.of(nodes[node_id]))
        for node_id in self._plan.run:
            awaited = [signature for signature in self._sources[node_id] if signature not in self._values]
            self._missing[node_id] = len(awaited)
            for signature in awaited:
                self._readers.setdefault(signature, []).append(node_id)
            for signature in self._sources[node_id]:
                self._unread[signature] = self._unread.get(signature, 0) + 1
            if not awaited:
                self._make_ready(node_id)
        for node_id in self._plan.targets:
            signature = self._plan.signatures[node_id]
            if signature in self._values:
                self._emit(NodeExecuted(node_id, self._values[signature].ui, reused=True))
            elif node_id not in self._position:
                self._twins.setdefault(signature, []).append(node_id)
        for signature in [signature for signature in self._values if not self._unread.get(signature)]:
            del self._values[signature]
        self._advance()

    def _advance(self) -> None:
        """Start what may start; if nothing is running then, the run is over."""
        if not self._stop.is_set():
            for lane, ready in self._ready.items():
                while ready and self._free[lane]:
                    self._start(self._plan.run[heapq.heappop(ready)], lane)
        if self._tasks:
            return
        executed = tuple(self._executed)
        if self._stop.is_set() and len(executed) + len(self._dropped) < len(self._plan.run):
            self._emit(RunInterrupted(self._stopped_at, executed))
        else:
            self._emit(RunFinished(self._ok, executed, time.monotonic() - self._began))

    def _start(self, node_id: NodeId, lane: Lane) -> None:
        self._free[lane] -= 1
        task = asyncio.get_running_loop().create_task(self._execute(self._graph.nodes[node_id], lane))
        self._tasks[task] = node_id
        task.add_done_callback(lambda done: self._done(done, lane))

    async def _execute(self, node: Node, lane: Lane) -> Memo | Failure | None:
        """The node's memo, or why there is none: a failure, or (None) the interruption."""
        inputs = self._gather(node)
        reporter = Reporter(node.id, self._stop, self._emit, previews=self._job.preview_method != "none")
        executor = {"device": self._host.device, "thread": self._host.threads, "loop": None}[lane]
        self._emit(NodeStarted(node.id))
        began = time.monotonic()
        try:
            reporter.check()
            injected = self._injected(node, reporter)
            node_type = self._host.node_types[node.class_type]
            memo = await call_node(node_type, inputs, injected, executor, self._cancellable)
        except (Interrupted, asyncio.CancelledError):
            return None
        except Exception as error:  # noqa: BLE001 - the node's own code; what it raises is reported as the node's
            return describe(error, {name: values[0] if len(values) == 1 else values for name, values in inputs.items()})
        finally:
            reporter.close()
        return replace(memo, seconds=time.monotonic() - began)

    def _done(self, task: "asyncio.Task[Memo | Failure | None]", lane: Lane) -> None:
        node_id = self._tasks.pop(task)
        self._free[lane] += 1
        try:
            outcome = task.result()
            if outcome is None:
                self._stopped_at = node_id
                self._stop.set()
            elif isinstance(outcome, Failure):
                self._ok = False
                for failed in (node_id, *self._twins.get(self._plan.signatures[node_id], ())):
                    self._emit(outcome.of(self._graph.nodes[failed]))
                self._drop(node_id)
            else:
                self._keep(node_id, outcome)
            self._advance()
        except BaseException as error:  # noqa: BLE001 - a defect of ours must end the run, not leave it waiting
            self._queue.put_nowait(error)

    def _keep(self, node_id: NodeId, memo: Memo) -> None:
        signature = self._plan.signatures[node_id]
        self._host.cache.put(signature, memo)
        self._executed.append(node_id)
        self._emit(NodeExecuted(node_id, memo.ui, seconds=memo.seconds))
        for twin in self._twins.get(signature, ()):
            self._emit(NodeExecuted(twin, memo.ui, reused=True))
        if self._unread.get(signature):
            self._values[signature] = memo
        self._release(node_id)
        for reader in self._readers.get(signature, ()):
            self._missing[reader] -= 1
            if self._missing[reader] == 0 and reader not in self._dropped:
                self._make_ready(reader)

    def _drop(self, node_id: NodeId) -> None:
        """Give up a failed node and all that needs it, and let go of the values kept for them."""
        self._dropped.add(node_id)
        waiting = [node_id]
        while waiting:
            lost = waiting.pop()
            self._release(lost)
            for reader in self._readers.get(self._plan.signatures[lost], ()):
                if reader not in self._dropped:
                    self._dropped.add(reader)
                    waiting.append(reader)

    def _release(self, node_id: NodeId) -> None:
        for signature in self._sources[node_id]:
            self._unread[signature] -= 1
            if not self._unread[signature]:
                self._values.pop(signature, None)

    def _make_ready(self, node_id: NodeId) -> None:
        lane = self._host.node_types[self._graph.nodes[node_id].class_type].definition.lane
        heapq.heappush(self._ready[lane], self._position[node_id])

    def _gather(self, node: Node) -> Values:
        return {
            name: self._values[self._plan.signatures[value.source]].outputs[value.output]
            if isinstance(value, Link)
            else (value,)
            for name, value in node.inputs.items()
        }

    def _sources_of(self, node_id: NodeId) -> frozenset[Signature]:
        return frozenset(self._plan.signatures[link.source] for link in self._graph.nodes[node_id].links())

    def _injected(self, node: Node, reporter: Reporter) -> dict[str, object]:
        info = RunInfo(self._job.prompt, self._job.extra_pnginfo, node.id)
        offered = {**self._host.resources, "Progress": reporter, "RunInfo": info}
        wanted = self._host.node_types[node.class_type].definition.injected
        for resource in wanted.values():
            if resource not in offered:
                raise LookupError(f"{node.class_type} needs the resource '{resource}', which is not here.")
        return {parameter: offered[resource] for parameter, resource in wanted.items()}

    def _emit(self, event: Event) -> None:
        if threading.get_ident() == self._thread:
            self._queue.put_nowait(event)
        else:
            self._loop.call_soon_threadsafe(self._queue.put_nowait, event)
