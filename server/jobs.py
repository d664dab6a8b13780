"""The durable job store: every accepted job from acceptance to result, in one SQLite file that survives kill -9.

This file is the queue and the history, not a copy of them. One thread writes and one reads, so no request waits for
the disk on the event loop. It does not know the wire messages it keeps, nor who runs the jobs.
"""

import asyncio
import json
import logging
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

from server.job_table import JobTable, JobText, Row, Selection
from server.job_writer import JobWriter
from server.lock import Held, ProcessLock
from server.queue_order import Declined, Move
from server.store_repair import open_table
from server.wire import encode

log = logging.getLogger(__name__)
T = TypeVar("T")

UnfinishedState = Literal["pending", "in_progress"]
JobState = Literal["pending", "in_progress", "completed", "failed", "cancelled"]
EndState = Literal["completed", "failed", "cancelled"]

MAX_ATTEMPTS: Final = 2
"""A job whose worker, or whose server, died this often is not tried again: it is likely the cause."""
_PAGE: Final = 50
_QUEUE_PAGE: Final = 250


class StoreError(Exception):
    """The store cannot be opened, read or written. The text is for the user."""


class DuplicateJob(Declined):
    """The chosen job id is taken."""


class QueueFull(Declined):
    """No further job is accepted until one ends."""


@dataclass(frozen=True, slots=True)
class NewJob:
    """A validated request to run a prompt."""

    job_id: str
    prompt: Mapping[str, Any]
    targets: tuple[str, ...]
    """The output nodes to run."""
    extra_data: Mapping[str, Any] = field(default_factory=dict[str, Any])
    client_id: str | None = None
    number: float | None = None
    """Smaller runs first; None means after (or `front`: before) everything that was accepted so far."""
    front: bool = False


@dataclass(frozen=True, slots=True)
class JobResult:
    """What an ended run leaves: pictures and texts by node, and the messages that told it."""

    outputs: Mapping[str, Any] = field(default_factory=dict[str, Any])
    meta: Mapping[str, Any] = field(default_factory=dict[str, Any])
    messages: Sequence[Any] = ()
    error: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class JobRecord:
    """One job as it is on the disk; times in milliseconds since the epoch."""

    job_id: str
    state: JobState
    number: float
    attempt: int
    client_id: str | None
    prompt: Mapping[str, Any]
    extra_data: Mapping[str, Any]
    targets: tuple[str, ...]
    created: int
    started: int | None
    finished: int | None
    result: JobResult | None


def now_ms() -> int:
    """The wall clock as the wire carries it."""
    return time.time_ns() // 1_000_000


class JobStore:
    """The jobs of one installation. `open` first, `close` last; every change is on the disk when it returns."""

    def __init__(
        self,
        path: Path,
        *,
        max_unfinished: int = 20_000,
        max_ended: int = 10_000,
        tell: Callable[[str], None] = log.error,
    ) -> None:
        """`tell` hears what the user must know, such as damage that was found."""
        self.path = path
        self._tell = tell
        self._max_unfinished = max_unfinished
        self._max_ended = max_ended
        self._remaining = 0
        self._paused = False
        self._writer = JobWriter(self._opened, self._note)
        self._reading = ThreadPoolExecutor(1, thread_name_prefix="jobs-read")
        self._reader: JobTable | None = None
        self._lock: ProcessLock | None = None

    @property
    def remaining(self) -> int:
        """How many jobs are pending or running."""
        return self._remaining

    @property
    def paused(self) -> bool:
        """Whether pending jobs wait until the queue is resumed."""
        return self._paused

    async def count(self) -> int:
        """How many jobs are pending or running, once everything asked so far is written."""
        return await self._write(lambda table: table.unfinished(), durable=False)

    async def open(self) -> list[JobRecord]:
        """Open or create the file, and return to pending what a crash left running.

        Returns the jobs that were running at too many crashes; the caller ends them. A damaged file is moved aside.
        """
        return await self._write(lambda table: self._recover(table))

    async def close(self) -> None:
        """Wait for what is being written, then close the file."""
        reader, self._reader = self._reader, None
        if reader is not None:
            await asyncio.get_running_loop().run_in_executor(self._reading, reader.close)
        self._reading.shutdown()
        await self._writer.close()
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    async def add(self, new: NewJob) -> float:
        """Accept a job; its number. Raises DuplicateJob, QueueFull or StoreError; then nothing was accepted."""

        def insert(table: JobTable) -> float:
            row = {
                "id": new.job_id,
                "client_id": new.client_id,
                "prompt": encode(new.prompt),
                "extra_data": encode(new.extra_data),
                "targets": encode(new.targets),
                "created": now_ms(),
            }
            try:
                number = table.insert(row, number=new.number, front=new.front, limit=self._max_unfinished)
            except sqlite3.IntegrityError:
                raise DuplicateJob(new.job_id) from None
            if number is None:
                raise QueueFull(str(self._max_unfinished))
            return number

        return await self._write(insert)

    async def claim(self) -> JobRecord | None:
        """Take the next pending job; it is in_progress then. None if nothing waits, or the queue is paused."""
        if self._paused:  # nor does the disk have to be asked
            return None
        return await self._write(lambda table: _optional(table.claim(now_ms())), durable=False)

    async def requeue(self, job_id: str, *, forgive: bool = False) -> None:
        """Give a running job back, ahead of what was accepted later. `forgive`: the attempt does not count."""
        await self._write(lambda table: table.requeue(job_id, forgive=forgive))

    async def finish(self, job_id: str, state: EndState, result: JobResult) -> None:
        """End a job with its result."""
        text = encode(
            {"outputs": result.outputs, "meta": result.meta, "messages": result.messages, "error": result.error}
        )
        await self._write(lambda table: table.finish(job_id, state, text, now_ms(), self._max_ended))

    async def withdraw(self, job_ids: Sequence[str] | None = None) -> dict[str, str | None]:
        """Cancel pending jobs, all of them for None; returns those that were pending, each with its client."""
        return await self._write(lambda table: table.withdraw(job_ids, now_ms()))

    async def pause(self, paused: bool) -> None:
        """Let no pending job be claimed, or let them be claimed again; it stays so over restarts."""
        await self._write(lambda table: table.pause(paused))

    async def move(self, move: Move) -> None:
        """Give a pending job another place in the queue. Raises NotWaiting."""
        await self._write(lambda table: table.move(move))

    async def forget(self, job_ids: Sequence[str] | None = None) -> None:
        """Delete ended jobs, all of them for None."""
        await self._write(lambda table: table.forget(job_ids))

    async def get(self, job_id: str) -> JobRecord | None:
        """The job with this id, in whatever state."""
        return await self._read(lambda table: _optional(table.one(job_id)))

    async def in_state(self, state: UnfinishedState) -> list[JobRecord]:
        """Unfinished jobs, in the order in which they run."""
        return await self._read(lambda table: [_record(row) for row in table.in_state(state)])

    async def queued(self, state: UnfinishedState, word: Callable[[Sequence[JobText]], bytes]) -> AsyncIterator[bytes]:
        """Pages of unfinished jobs, in the order in which they run, as `word` says them in the reading thread."""

        def page(table: JobTable, after: tuple[float, int] | None) -> tuple[bytes, tuple[float, int] | None]:
            jobs = table.waiting(state, after, _QUEUE_PAGE)
            return word(jobs) if jobs else b"", (jobs[-1].number, jobs[-1].seq) if jobs else None

        coming = asyncio.ensure_future(self._read(partial(page, after=None)))
        try:
            while True:
                text, after = await coming
                if after is None:
                    return
                coming = asyncio.ensure_future(self._read(partial(page, after=after)))  # while this one is sent
                yield text
        finally:
            coming.cancel()

    async def selected(self, chosen: Selection) -> tuple[list[JobRecord], int]:
        """The jobs of a list without their prompts, and how many it has in all."""

        def read(table: JobTable) -> tuple[list[JobRecord], int]:
            rows, total = table.selected(chosen)
            return [_record(row) for row in rows], total

        return await self._read(read)

    async def ended(
        self, word: Callable[[Sequence[JobText]], bytes], *, newest: int | None = None, offset: int | None = None
    ) -> AsyncIterator[bytes]:
        """Pages of the jobs that ran and ended, as `word` says them in the reading thread, oldest first: at most
        `newest`, from `offset` or else the last ones."""
        total = await self._read(lambda table: table.ended_count())
        count = total if newest is None else newest
        skip = offset if offset is not None else max(0, total - count)
        pages = await self._read(lambda table: table.ended(skip, count, _PAGE))

        def page(_: JobTable) -> bytes:
            jobs = next(pages, None)
            return word(jobs) if jobs else b""

        while text := await self._read(page):
            yield text

    async def one_ended(self, job_id: str, word: Callable[[Sequence[JobText]], bytes]) -> bytes:
        """The job with this id as `word` says it, or says none, if it did not run or did not end."""
        return await self._read(lambda table: word(table.one_ended(job_id)))

    async def _write(self, work: Callable[[JobTable], T], *, durable: bool = True) -> T:
        try:
            return await self._writer.write(work, durable=durable)
        except (sqlite3.Error, OSError) as error:
            raise self._unusable(error) from error

    def _note(self, table: JobTable) -> None:
        """What is asked too often to read it each time."""
        self._remaining = table.unfinished()
        self._paused = table.paused()

    async def _read(self, work: Callable[[JobTable], T]) -> T:
        def locked() -> T:
            if self._reader is None:
                self._reader = JobTable(self.path, create=False)
            return work(self._reader)

        try:
            return await asyncio.get_running_loop().run_in_executor(self._reading, locked)
        except (sqlite3.Error, OSError) as error:
            raise self._unusable(error) from error

    def _unusable(self, error: Exception) -> StoreError:
        return StoreError(f"The job store '{self.path}' cannot be used: {error}.")

    def _opened(self) -> JobTable:
        try:
            self._lock = self._lock or ProcessLock(self.path.with_name(f"{self.path.name}.lock"))
        except Held as held:
            message = f"The job store '{self.path}' is in use by another Heddle (process {held}); stop that one first."
            raise StoreError(message) from None
        try:
            return open_table(self.path, now_ms(), self._tell)
        except ValueError as error:
            raise StoreError(f"The job store '{self.path}' cannot be opened: {error}.") from None

    def _recover(self, table: JobTable) -> list[JobRecord]:
        exhausted: list[JobRecord] = []
        for row in table.in_state("in_progress"):
            if row["attempt"] >= MAX_ATTEMPTS:
                exhausted.append(_record(row))
            else:
                table.requeue(row["id"], forgive=False)
        return exhausted


def _optional(row: Row | None) -> JobRecord | None:
    return None if row is None else _record(row)


def _record(row: Row) -> JobRecord:
    result = json.loads(row["result"]) if row["result"] else None
    return JobRecord(
        job_id=row["id"],
        state=row["state"],
        number=float(row["number"]),
        attempt=row["attempt"],
        client_id=row["client_id"],
        prompt=json.loads(row["prompt"]),
        extra_data=json.loads(row["extra_data"]),
        targets=tuple(json.loads(row["targets"])),
        created=row["created"],
        started=row["started"],
        finished=row["finished"],
        result=None if result is None else JobResult(**result),
    )
