"""One thread that changes the job table, and commits together what is asked of it at the same time.

A commit waits for the disk, some milliseconds each time; so whoever asks meanwhile shares the next one. Each change
succeeds or fails on its own all the same. It knows no job.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

from server.job_table import JobTable
from server.queue_order import Declined

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Wish:
    work: Callable[[JobTable], Any]
    durable: bool
    answer: asyncio.Future[Any]


class JobWriter:
    """Makes changes in order. `opened` opens the table when it is first needed; `after` sees it after each commit."""

    def __init__(self, opened: Callable[[], JobTable], after: Callable[[JobTable], None]) -> None:
        self._opened = opened
        self._after = after
        self._table: JobTable | None = None
        self._closed = False
        self._wishes: deque[_Wish] = deque()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="jobs-write")

    async def write(self, work: Callable[[JobTable], T], *, durable: bool = True) -> T:
        """Have `work` done; it is committed on return, and (`durable`) survives a loss of power, too.

        Raises what the work raises; then it changed nothing.
        """
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[T] = loop.create_future()
        self._wishes.append(_Wish(work, durable, answer))
        self._thread.submit(self._drain, loop)
        return await answer

    async def close(self) -> None:
        """Make the changes that were asked for, then close the table, if that was not done."""
        if not self._closed:
            self._closed = True
            await asyncio.get_running_loop().run_in_executor(self._thread, self._close)
            self._thread.shutdown()

    def _close(self) -> None:
        if self._table is not None:
            self._table.close()
            self._table = None

    def _drain(self, loop: asyncio.AbstractEventLoop) -> None:
        wishes = [self._wishes.popleft() for _ in range(len(self._wishes))]
        if wishes:  # else they were granted together with earlier ones
            loop.call_soon_threadsafe(_answer, self._granted(wishes))

    def _granted(self, wishes: Sequence[_Wish]) -> list[tuple[_Wish, Any, Exception | None]]:
        try:
            return self._together(wishes)
        except Exception as error:  # noqa: BLE001 - whoever waits for an answer must get one
            if len(wishes) == 1:
                return [(wishes[0], None, error)]
            return [answer for wish in wishes for answer in self._granted([wish])]

    def _together(self, wishes: Sequence[_Wish]) -> list[tuple[_Wish, Any, Exception | None]]:
        if self._table is None:
            self._table = self._opened()
        answers: list[tuple[_Wish, Any, Exception | None]] = []
        try:
            with self._table.committing(durable=any(wish.durable for wish in wishes)):
                for wish in wishes:
                    try:
                        answers.append((wish, wish.work(self._table), None))
                    except Declined as declined:
                        answers.append((wish, None, declined))
        finally:
            self._after(self._table)
        return answers


def _answer(answers: Sequence[tuple[_Wish, Any, Exception | None]]) -> None:
    for wish, value, error in answers:
        if wish.answer.done():
            continue  # who asked has gone
        if error is not None:
            wish.answer.set_exception(error)
        else:
            wish.answer.set_result(value)
