"""Jobs to the workers: claim, run, tell, settle; as many at once as the workers have room for.

The loop outlives every job: whatever a run does, its job ends in exactly one state on the disk, and the next one
starts. It decides what becomes of a job; `pool` says who runs it, the store keeps it, `protocol.messages` words it,
`clients` carries it.
"""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from executor.events import RunFinished, RunInterrupted
from executor.worker import Job, PreviewMethod, WorkerLost
from server.clients import Clients
from server.credentials import Credentials
from server.jobs import MAX_ATTEMPTS, JobRecord, JobStore, StoreError, now_ms
from server.pacing import Pace
from server.pool import Station, WorkerPool
from server.protocol.frames import Frame, finished, status, withdrawal
from server.protocol.messages import Narrator
from server.protocol.prompts import preview_method_of

log = logging.getLogger(__name__)

_RETRY_SECONDS: Final = 1.0
_FAREWELL_SECONDS: Final = 2.0


@dataclass(slots=True)
class _Run:
    job: JobRecord
    station: Station
    narrator: Narrator
    pace: Pace
    timer: asyncio.TimerHandle | None = None
    """When what the pace holds back is sent."""
    cancelled: bool = False
    """Someone asked for its end."""
    asked: bool = False
    """The worker has heard of it."""

    def must_ask(self) -> bool:
        """Someone wants its end and the worker does not know."""
        return self.cancelled and not self.asked


class Dispatcher:
    """Feeds the workers of `pool` from the store. `start` and `stop` bracket its life."""

    def __init__(
        self,
        pool: WorkerPool,
        store: JobStore,
        clients: Clients,
        credentials: Credentials,
        preview_method: PreviewMethod,
        state_interval: float,
        *,
        saves_metadata: bool = True,
    ) -> None:
        """`state_interval`: seconds between two messages of a run that tell the state of its nodes."""
        self._pool = pool
        self._store = store
        self._clients = clients
        self._credentials = credentials
        self._preview_method = preview_method
        self._state_interval = state_interval
        self._saves_metadata = saves_metadata
        self._runs: dict[str, _Run] = {}
        self._unwanted: set[str] = set()
        """Jobs that were cancelled on their way from the store to a worker."""
        self._wake = asyncio.Event()
        self._loop: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()

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
        """Stop; running jobs are interrupted and go back to the queue."""
        tasks = [task for task in (self._loop, *self._tasks) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    @property
    def running(self) -> str | None:
        """The id of the running job, of several the one that began first."""
        return next(iter(self._runs), None)

    def wake(self) -> None:
        """There may be a pending job."""
        self._wake.set()

    def announce(self) -> None:
        """Tell every client how many jobs are left."""
        self._clients.broadcast(status(self._store.remaining, self._store.paused))

    def catch_up(self, sid: str) -> list[Frame]:
        """What a socket that joins now must hear of the running jobs that are its own."""
        own = (run for run in self._runs.values() if run.job.client_id == sid)
        return [frame for run in own for frame in run.narrator.catch_up()]

    def progress(self, job_id: str) -> Mapping[str, Any] | None:
        """What a running job has done so far; None for every other one."""
        run = self._runs.get(job_id)
        return None if run is None else run.narrator.progress()

    async def interrupt(self, job_id: str | None = None) -> bool:
        """Stop the job `job_id` if it runs, or whatever runs for None. False if nothing fits."""
        runs = [run for run in self._runs.values() if job_id in (None, run.job.job_id)]
        for run in runs:
            run.cancelled = True
        await asyncio.gather(*(self._ask(run) for run in runs))
        return bool(runs)

    async def withdraw(self, job_ids: Sequence[str] | None = None) -> list[str]:
        """Cancel pending jobs, all of them for None, and tell their clients; returns those that were pending."""
        withdrawn = await self._store.withdraw(job_ids)
        self._credentials.drop(withdrawn)
        for job_id, client_id in withdrawn.items():
            self._clients.send(client_id, [withdrawal(job_id, now_ms()), finished(job_id)])
        return list(withdrawn)

    async def cancel(self, job_ids: Sequence[str]) -> list[str]:
        """End jobs, whether they wait or run; returns those that did."""
        ended = await self.withdraw(job_ids)
        if ended:
            self.announce()
        for job_id in dict.fromkeys(job_ids):
            job = await self._store.get(job_id)
            if job is not None and job.state == "in_progress":
                if not await self.interrupt(job_id):
                    self._unwanted.add(job_id)
                ended.append(job_id)
        return ended

    def free(self, *, unload_models: bool, free_memory: bool) -> None:
        """Have the workers drop models (and memos) once their jobs have ended."""
        self._begin(self._pool.free(unload_models=unload_models, free_memory=free_memory))

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _ask(self, run: _Run) -> None:
        try:
            run.asked = await run.station.worker.interrupt(run.job.job_id) or run.asked
        except WorkerLost:
            run.asked = True  # the run itself reports the loss

    async def _serve(self) -> None:
        while True:
            await self._pool.room()
            self._wake.clear()
            try:
                job = await self._store.claim()
            except StoreError as error:
                log.error("%s Jobs wait until it can be used again.", error)
                await asyncio.sleep(_RETRY_SECONDS)
                continue
            if job is None:
                await self._wake.wait()
                continue
            # Nobody knows which of the jobs of a lost worker was the cause; at its second attempt each is on its own.
            alone = job.attempt > 1
            try:
                await self._pool.room(alone=alone)
                station = await self._pool.take(job.job_id, job.prompt, alone=alone)
            except asyncio.CancelledError:
                await self._store.requeue(job.job_id, forgive=True)
                raise
            unwanted = job.job_id in self._unwanted
            self._unwanted.discard(job.job_id)
            pace = Pace(self._state_interval, time.monotonic)
            run = self._runs[job.job_id] = _Run(job, station, Narrator(job, now_ms), pace, cancelled=unwanted)
            self._begin(self._run_job(run))

    async def _run_job(self, run: _Run) -> None:
        job_id = run.job.job_id
        try:
            self.announce()
            last = await self._last_words(run)
            if last is None:
                del self._runs[job_id]
                await self._persist(lambda: self._store.requeue(job_id), f"Job {job_id} waits for its second attempt.")
                self.wake()
                self.announce()
            else:
                await self._settle(run, last)
        finally:
            if self._runs.get(job_id) is run:  # its second attempt may have begun elsewhere
                del self._runs[job_id]
            self._pool.release(run.station, job_id)

    async def _last_words(self, run: _Run) -> list[Frame] | None:
        """Run the job to its end; the frames that tell it, or None if it is to be tried again."""
        try:
            return await self._follow(run)
        except asyncio.CancelledError:
            await self._give_back(run)
            raise
        except WorkerLost as lost:
            self._pool.lost(run.station)
            return self._after_loss(run, str(lost))
        except Exception as error:  # no single job may end the loop that serves all of them
            log.exception("Job %s could not be run", run.job.job_id)
            return run.narrator.broken(type(error).__name__, f"The server could not follow this run: {error}")

    async def _follow(self, run: _Run) -> list[Frame]:
        """Run the job and tell it; returns the frames of its end, which must not be sent before it is on the disk."""
        self._clients.send(run.job.client_id, run.narrator.begin())
        if run.cancelled:
            return run.narrator.cancelled()
        last: list[Frame] | None = None
        events = run.station.worker.run(self._order(run.job))
        try:
            async for event in events:
                frames = run.narrator.tell(event)
                if isinstance(event, (RunFinished, RunInterrupted)):
                    last = run.pace.frames(frames)  # and read on: the worker tidies up after its last event
                    continue
                self._tell(run, frames)
                await asyncio.sleep(0)  # a burst of events must leave the sockets and requests their turns
                if run.must_ask():
                    await self._ask(run)  # the wish came before the worker had begun
        finally:
            if run.timer is not None:
                run.timer.cancel()
            if isinstance(events, AsyncGenerator):
                await events.aclose()
        return (
            run.narrator.broken("RunFailed", "The worker ended this run without saying how.") if last is None else last
        )

    def _tell(self, run: _Run, frames: list[Frame]) -> None:
        """Send what the pace of the run lets pass, and see to it that the rest follows."""
        self._clients.send(run.job.client_id, run.pace.frames(frames))
        wait = run.pace.wait()
        if wait is not None and run.timer is None:
            run.timer = asyncio.get_running_loop().call_later(wait, self._tell_rest, run)

    def _tell_rest(self, run: _Run) -> None:
        run.timer = None
        self._clients.send(run.job.client_id, run.pace.rest())

    def _order(self, job: JobRecord) -> Job:
        """What the worker is told to do."""
        return Job(
            job.job_id,
            job.prompt,
            job.targets,
            extra_pnginfo=job.extra_data.get("extra_pnginfo") or {},
            preview_method=preview_method_of(job.extra_data, self._preview_method),
            client_id=job.client_id,
            saves_metadata=self._saves_metadata,
            credentials=self._credentials.of(job.job_id),
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
        job_id, ended = run.job.job_id, run.narrator.ended or "failed"
        result = run.narrator.result()
        await self._persist(lambda: self._store.finish(job_id, ended, result), f"The result of job {job_id} waits.")
        del self._runs[job_id]
        self._credentials.drop([job_id])
        self._clients.send(run.job.client_id, last)
        self.announce()
        self._clients.send(run.job.client_id, [finished(job_id)])

    async def _persist(self, write: Callable[[], Awaitable[None]], otherwise: str) -> None:
        """Write until it succeeds; `otherwise` says what waits for that."""
        while True:
            try:
                return await write()
            except StoreError as error:
                log.error("%s %s", error, otherwise)
                await asyncio.sleep(_RETRY_SECONDS)

    async def _give_back(self, run: _Run) -> None:
        """The server stops: the job returns to the queue as if it had not been tried."""
        try:
            async with asyncio.timeout(_FAREWELL_SECONDS):
                await self._ask(run)
        except TimeoutError:
            log.warning("The worker did not answer; job %s goes back to the queue all the same.", run.job.job_id)
        await self._store.requeue(run.job.job_id, forgive=True)
