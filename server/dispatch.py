"""Jobs to the worker, one after the other: claim, run, tell, settle.

The loop outlives every job: whatever a run does, its job ends in exactly one state on the disk, and the next one
starts. It decides what becomes of a job; the store keeps it, `protocol.messages` words it, `clients` carries it.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Coroutine, Iterable
from dataclasses import dataclass
from typing import Any, Final

from executor.events import RunFinished, RunInterrupted
from executor.worker import Job, PreviewMethod, Worker, WorkerLost
from server.catalogue import Catalogue
from server.clients import Clients
from server.jobs import MAX_ATTEMPTS, JobRecord, JobStore, StoreError, now_ms
from server.protocol.frames import Frame, finished, status
from server.protocol.messages import Narrator
from server.protocol.prompts import preview_method_of

log = logging.getLogger(__name__)

_RETRY_SECONDS: Final = 1.0
_FAREWELL_SECONDS: Final = 2.0


@dataclass(slots=True)
class _Run:
    job: JobRecord
    narrator: Narrator
    cancelled: bool = False
    """Someone asked for its end."""
    asked: bool = False
    """The worker has heard of it."""

    def must_ask(self) -> bool:
        """Someone wants its end and the worker does not know."""
        return self.cancelled and not self.asked


class Dispatcher:
    """Feeds one worker from the store. `start` and `stop` bracket its life."""

    def __init__(
        self, worker: Worker, store: JobStore, clients: Clients, catalogue: Catalogue, preview_method: PreviewMethod
    ) -> None:
        self._worker = worker
        self._store = store
        self._clients = clients
        self._catalogue = catalogue
        self._preview_method = preview_method
        self._run: _Run | None = None
        self._wake = asyncio.Event()
        self._loop: asyncio.Task[None] | None = None
        self._errands: set[asyncio.Task[None]] = set()

    async def start(self, exhausted: Iterable[JobRecord] = ()) -> None:
        """Begin. `exhausted` jobs were running at too many crashes of the server, and end here."""
        for job in exhausted:
            narrator = Narrator(job, now_ms)
            narrator.broken(
                "ServerLost", f"The server died {job.attempt} times while it ran this job; it is not tried again."
            )
            await self._store.finish(job.job_id, "failed", narrator.result())
        self._loop = asyncio.create_task(self._serve(), name="dispatch jobs")

    async def stop(self) -> None:
        """Stop; a running job is interrupted and goes back to the queue."""
        tasks = [task for task in (self._loop, *self._errands) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    @property
    def running(self) -> str | None:
        """The id of the running job."""
        return self._run.job.job_id if self._run is not None else None

    def wake(self) -> None:
        """There may be a pending job."""
        self._wake.set()

    def announce(self) -> None:
        """Tell every client how many jobs are left."""
        self._clients.broadcast(status(self._store.remaining))

    def catch_up(self, sid: str) -> list[Frame]:
        """What a socket that joins now must hear of the running job, if that is its own."""
        run = self._run
        return run.narrator.catch_up() if run is not None and run.job.client_id == sid else []

    async def interrupt(self, job_id: str | None = None) -> bool:
        """Stop the running job if it is `job_id`, or whatever runs for None. False if nothing fits."""
        run = self._run
        if run is None or (job_id is not None and run.job.job_id != job_id):
            return False
        run.cancelled = True
        await self._ask(run)
        return True

    def free(self, *, unload_models: bool, free_memory: bool) -> None:
        """Have the worker drop models (and memos) once the running job has ended."""
        self._errand(self._worker.free(unload_models=unload_models, free_memory=free_memory))

    def _errand(self, work: Coroutine[Any, Any, None]) -> None:
        async def run() -> None:
            try:
                await work
            except WorkerLost as lost:
                log.warning("The worker had nothing left to free: %s", lost)

        task = asyncio.create_task(run())
        self._errands.add(task)
        task.add_done_callback(self._errands.discard)

    async def _ask(self, run: _Run) -> None:
        try:
            run.asked = await self._worker.interrupt(run.job.job_id) or run.asked
        except WorkerLost:
            run.asked = True  # the run itself reports the loss

    async def _serve(self) -> None:
        await self._catalogue.wait()
        while True:
            self._wake.clear()
            try:
                job = await self._store.claim()
                if job is None:
                    await self._wake.wait()
                else:
                    await self._run_job(job)
            except StoreError as error:
                log.error("%s Jobs wait until it can be used again.", error)
                await asyncio.sleep(_RETRY_SECONDS)

    async def _run_job(self, job: JobRecord) -> None:
        run = self._run = _Run(job, Narrator(job, now_ms))
        self.announce()
        last: list[Frame] | None
        try:
            last = await self._follow(run)
        except asyncio.CancelledError:
            await self._give_back(run)
            raise
        except WorkerLost as lost:
            last = self._after_loss(run, str(lost))
        except Exception as error:  # no single job may end the loop that serves all of them
            log.exception("Job %s could not be run", job.job_id)
            last = run.narrator.broken(type(error).__name__, f"The server could not follow this run: {error}")
        if last is None:
            self._run = None
            await self._store.requeue(job.job_id)
            self.announce()
            return
        await self._settle(run, last)

    async def _follow(self, run: _Run) -> list[Frame]:
        """Run the job and tell it; returns the frames of its end, which must not be sent before it is on the disk."""
        extra_pnginfo = run.job.extra_data.get("extra_pnginfo") or {}
        preview_method = preview_method_of(run.job.extra_data, self._preview_method)
        work = Job(run.job.job_id, run.job.prompt, run.job.targets, extra_pnginfo, preview_method)
        self._clients.send(run.job.client_id, run.narrator.begin())
        if run.cancelled:
            return run.narrator.cancelled()
        last: list[Frame] | None = None
        events = self._worker.run(work)
        try:
            async for event in events:
                frames = run.narrator.tell(event)
                if isinstance(event, (RunFinished, RunInterrupted)):
                    last = frames  # and read on: the worker tidies up after its last event
                    continue
                self._clients.send(run.job.client_id, frames)
                await asyncio.sleep(0)  # a burst of events must leave the sockets and requests their turns
                if run.must_ask():
                    await self._ask(run)  # the wish came before the worker had begun
        finally:
            if isinstance(events, AsyncGenerator):
                await events.aclose()
        return (
            run.narrator.broken("RunFailed", "The worker ended this run without saying how.") if last is None else last
        )

    def _after_loss(self, run: _Run, how: str) -> list[Frame] | None:
        """The worker died. None: the job gets its second attempt."""
        log.warning("The worker was lost at %s of job %s: %s", run.narrator.current(), run.job.job_id, how)
        if run.cancelled:
            return run.narrator.cancelled()
        if run.job.attempt < MAX_ATTEMPTS:
            return None
        message = (
            f"The worker process died {run.job.attempt} times while it ran this job, at {run.narrator.current()}: {how}"
        )
        return run.narrator.broken("WorkerLost", message)

    async def _settle(self, run: _Run, last: list[Frame]) -> None:
        """Keep the result, then tell the end. A full disk delays the end; it does not lose the result."""
        while True:
            try:
                await self._store.finish(run.job.job_id, run.narrator.ended or "failed", run.narrator.result())
                break
            except StoreError as error:
                log.error("%s The result of job %s waits.", error, run.job.job_id)
                await asyncio.sleep(_RETRY_SECONDS)
        self._run = None
        self._clients.send(run.job.client_id, last)
        self.announce()
        self._clients.send(run.job.client_id, [finished(run.job.job_id)])

    async def _give_back(self, run: _Run) -> None:
        """The server stops: the job returns to the queue as if it had not been tried."""
        try:
            async with asyncio.timeout(_FAREWELL_SECONDS):
                await self._ask(run)
        except TimeoutError:
            log.warning("The worker did not answer; job %s goes back to the queue all the same.", run.job.job_id)
        await self._store.requeue(run.job.job_id, forgive=True)
