"""The worker that lives in a process of its own: a job that exhausts memory or crashes costs that process, not ours.

The parent's side. It never blocks the event loop, starts a successor when one is needed, and ends a process that does
not answer an interruption. What the process does inside is `executor.process_child`'s matter.
"""

import asyncio
import pickle
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from executor.events import Event, NodeExecuted, NodeStarted, RunFinished, RunInterrupted
from executor.packs import PackMessage, PackServices
from executor.process_child import Call, Close, Emitted, Loaded, LoadFailed, Raised, Reply, Said, Start, serve
from executor.process_link import Lost, ProcessLink
from executor.process_log import Logged, log_here
from executor.schema import NodeDefinition
from executor.worker import Job, Validation, Worker, WorkerLost, WorkerReport

GRACE = 10.0
"""Seconds that an interrupted node has to answer before its process is ended."""

CLOSING = 5.0
"""Seconds that a process has to end by itself when the worker is closed."""


@dataclass(slots=True, eq=False)
class _Running:
    """A job in hand, as far as the parent has heard of it."""

    job_id: str
    events: asyncio.Queue[Event | BaseException] = field(default_factory=asyncio.Queue)
    interrupted: asyncio.Event = field(default_factory=asyncio.Event)
    node_id: str | None = None
    executed: list[str] = field(default_factory=list)

    def hear(self, event: Event) -> None:
        if isinstance(event, NodeStarted):
            self.node_id = event.node_id
        elif isinstance(event, NodeExecuted) and not event.reused:
            self.executed.append(event.node_id)

    def last_word(self) -> RunInterrupted:
        return RunInterrupted(self.node_id, tuple(self.executed))


class _Child:
    """One life of the worker process: its link, and the answers that are owed to us."""

    def __init__(self, factory: bytes, hear: Callable[[PackMessage], None]) -> None:
        """`hear` gets the messages of packs."""
        self._hear_pack = hear
        loop = asyncio.get_running_loop()
        self.loaded: asyncio.Future[None] = loop.create_future()
        self.runs: dict[str, _Running] = {}
        self.lost: str | None = None
        self._clock = loop.time
        self.heard = loop.time()
        """When the process last said something; before its first word, when it was started."""
        self._pending: dict[int, asyncio.Future[Any]] = {}
        self._next = 0
        self.link = ProcessLink(serve, factory, self._hear)

    async def call(self, method: str, **arguments: Any) -> Any:
        """The answer of the worker's method once the worker is loaded. Raises WorkerLost, or RuntimeError with the text
        of what the method raised."""
        await asyncio.shield(self.loaded)
        self._next += 1
        number = self._next
        answer = self._pending[number] = asyncio.get_running_loop().create_future()
        try:
            await self.send(Call(number, method, arguments))
            return await answer
        finally:
            self._pending.pop(number, None)

    async def send(self, message: object) -> None:
        """Hand a message over. Raises WorkerLost."""
        if self.lost is None:
            with suppress(OSError):  # the process is gone; the link will say how
                await self.link.send(message)
                return
            await self.link.ended
        raise WorkerLost(self.lost or "The worker process is gone.")

    def _hear(self, message: object) -> None:
        self.heard = self._clock()
        match message:
            case Emitted(job_id, event):
                if (running := self.runs.get(job_id)) is not None:
                    running.events.put_nowait(RuntimeError(event) if isinstance(event, str) else event)
            case Said(said):
                self._hear_pack(said)
            case Logged():
                log_here(message)
            case Reply(number, value):
                if (answer := self._pending.get(number)) is not None and not answer.done():
                    answer.set_result(value)
            case Raised(number, text):
                if (answer := self._pending.get(number)) is not None and not answer.done():
                    answer.set_exception(RuntimeError(text))
            case Loaded() if not self.loaded.done():
                self.loaded.set_result(None)
            case LoadFailed(reason):
                self._lose(f"The worker could not be made: {reason}")
            case Lost(reason):
                self._lose(reason)

    def _lose(self, reason: str) -> None:
        if self.lost is not None:
            return
        self.lost = reason
        for waiting in (self.loaded, *self._pending.values()):
            if not waiting.done():
                waiting.set_exception(WorkerLost(reason))
                waiting.exception()  # it counts as looked at even if nobody waits
        for running in self.runs.values():
            running.events.put_nowait(WorkerLost(reason))


class ProcessWorker:
    """Implements `Worker` in a spawned process. To be used on one event loop.

    The process starts with the first call, or `start`; after a loss, with the next call. After an interruption that
    had to end it, at once.
    """

    def __init__(self, factory: Callable[..., Worker], *arguments: object, grace: float = GRACE) -> None:
        """`factory(*arguments)` makes the worker inside the process; both must be picklable. Importing what they need
        happens there as well, so they may come from modules that load torch as long as naming them does not."""
        self._factory = pickle.dumps((factory, arguments))
        self._grace = grace
        self._child: _Child | None = None
        self._starting = asyncio.Lock()
        self._messages: asyncio.Queue[PackMessage | None] = asyncio.Queue()
        self._running: dict[str, _Running] = {}
        self._timers: set[asyncio.TimerHandle] = set()
        self._successors: set[asyncio.Task[None]] = set()
        self._closed = False

    async def start(self) -> None:
        """Start the process now, so that it loads while others do something else. Does not wait for it."""
        await self._living()

    @property
    def pid(self) -> int | None:
        """The process id, if there is a process."""
        return self._child.link.pid if self._child is not None and self._child.lost is None else None

    async def definitions(self) -> Mapping[str, NodeDefinition]:
        """All node types; waits until the process has loaded them."""
        found: Mapping[str, NodeDefinition] = await self._call("definitions")
        return found

    async def report(self) -> WorkerReport:
        """Devices and versions."""
        report: WorkerReport = await self._call("report")
        return report

    async def validate(self, prompt: object, targets: Sequence[str] | None = None) -> Validation:
        """Check a prompt."""
        validation: Validation = await self._call("validate", prompt=prompt, targets=targets)
        return validation

    async def packs(self) -> PackServices:
        """The packs of the process; asked anew after a loss, since the successor answers elsewhere."""
        services: PackServices = await self._call("packs")
        return services

    async def rewrite_prompt(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """The request as the packs' handlers want it."""
        rewritten: Mapping[str, Any] = await self._call("rewrite_prompt", request=request)
        return rewritten

    async def messages(self) -> AsyncGenerator[PackMessage, None]:
        """What packs send to clients, of whatever process lives; ends when the worker is closed."""
        while (message := await self._messages.get()) is not None:
            yield message

    async def run(self, job: Job) -> AsyncGenerator[Event, None]:
        """Run a job. Raises WorkerLost if the process dies by itself, RuntimeError while the job of this id runs.

        If the process had to be ended because of an interruption, the run is interrupted, not lost; other jobs that ran
        in it are lost. Closing the iterator interrupts the job and waits for its end.
        """
        if job.job_id in self._running:
            raise RuntimeError(f"Job {job.job_id} is still running.")
        running = self._running[job.job_id] = _Running(job.job_id)
        child: _Child | None = None
        over = False
        try:
            child = await self._living()
            if not await _first(child.loaded, running.interrupted):
                over = True
                yield running.last_word()
                return
            child.runs[job.job_id] = running
            await child.send(Start(job))
            if running.interrupted.is_set():
                await child.send(Call(0, "interrupt", {"job_id": job.job_id}))
            while not over:
                event = await running.events.get()
                if isinstance(event, BaseException):
                    over = True
                    if not running.interrupted.is_set():
                        raise event
                    event = running.last_word()
                running.hear(event)
                over = over or isinstance(event, RunFinished | RunInterrupted)
                yield event
        finally:
            if child is not None and child.lost is None and not over:
                await self._abandon(child, running)
            if child is not None:
                child.runs.pop(job.job_id, None)
            del self._running[job.job_id]

    async def interrupt(self, job_id: str | None = None) -> bool:
        """Ask the job, or (None) all, to stop; if one has not ended after the grace period, end the process and start
        another."""
        asked = [running for name, running in self._running.items() if job_id in (None, name)]
        for running in asked:
            await self._interrupt(running)
        return bool(asked)

    async def _interrupt(self, running: _Running) -> None:
        child = self._child
        first = not running.interrupted.is_set()
        running.interrupted.set()
        if child is not None and child.lost is None and child.loaded.done():
            if first:
                self._kill_later(child, running)
            with suppress(WorkerLost):
                await child.call("interrupt", job_id=running.job_id)

    async def lost(self) -> None:
        """Wait until the process that lives now is gone; starts none."""
        child = self._child
        if child is not None and child.lost is None:
            await asyncio.shield(child.link.ended)

    def silent(self) -> float | None:
        """Seconds since the process was last heard of."""
        child = self._child
        return None if child is None or child.lost is not None else asyncio.get_running_loop().time() - child.heard

    async def free(self, *, unload_models: bool, free_memory: bool) -> None:
        """After the running job, drop loaded models and (`free_memory`) every memo."""
        if self._child is not None and self._child.lost is None:  # a process that is not there holds nothing
            await self._call("free", unload_models=unload_models, free_memory=free_memory)

    async def close(self) -> None:
        """End the process; whatever runs is interrupted, by force after a few seconds."""
        self._closed = True
        self._messages.put_nowait(None)
        for timer in self._timers:
            timer.cancel()
        child = self._child
        if child is None or child.lost is not None:
            return
        with suppress(WorkerLost):
            await child.send(Close())
        try:
            await asyncio.wait_for(asyncio.shield(child.link.ended), CLOSING)
        except TimeoutError:
            child.link.kill()
            await child.link.ended

    async def _call(self, method: str, **arguments: Any) -> Any:
        return await (await self._living()).call(method, **arguments)

    async def _living(self) -> _Child:
        async with self._starting:
            if self._closed:
                raise WorkerLost("The worker is closed.")
            if self._child is None or self._child.lost is not None:
                child = _Child(self._factory, self._messages.put_nowait)
                await child.link.start()
                self._child = child
            return self._child

    async def _abandon(self, child: _Child, running: _Running) -> None:
        """The listener left: stop the job, and wait so that the next one finds the process idle."""
        if not running.interrupted.is_set():
            await self._interrupt(running)
        while child.lost is None:
            event = await running.events.get()
            if isinstance(event, BaseException | RunFinished | RunInterrupted):
                return

    def _kill_later(self, child: _Child, running: _Running) -> None:
        def kill() -> None:
            self._timers.discard(timer)
            if self._running.get(running.job_id) is running and child.lost is None:
                child.link.kill()
                successor = asyncio.ensure_future(self._succeed(child))
                self._successors.add(successor)
                successor.add_done_callback(self._successors.discard)

        timer = asyncio.get_running_loop().call_later(self._grace, kill)
        self._timers.add(timer)

    async def _succeed(self, child: _Child) -> None:
        await child.link.ended
        with suppress(WorkerLost):  # closed meanwhile
            await self._living()


async def _first(loaded: "asyncio.Future[None]", interrupted: asyncio.Event) -> bool:
    """Wait until the worker is loaded (True) or the job is interrupted (False). Raises WorkerLost."""
    waiting: asyncio.Future[Any] = asyncio.ensure_future(interrupted.wait())
    try:
        await asyncio.wait([loaded, waiting], return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()
    if interrupted.is_set():
        return False
    loaded.result()
    return True
