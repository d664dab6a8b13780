"""A spawned process and the pipe to it, as an event loop wants them: nothing here blocks the loop.

Knows no message: it carries objects, and says `Lost` when the process has ended.
"""

import asyncio
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.context import SpawnContext
from multiprocessing.process import BaseProcess

EXIT_WAIT = 5.0
"""Seconds between the end of the pipe and the end of a process that ends by itself."""

REAPED_WAIT = 0.001
"""Seconds between two looks at whether another thread has noted the end of a process."""


@dataclass(frozen=True, slots=True)
class Lost:
    """The process has ended; the last thing that is heard of it."""

    reason: str


class ProcessLink:
    """One process that runs `target(connection, argument)`. `hear` gets, on the loop, each message that it sends."""

    def __init__(self, target: Callable[..., None], argument: bytes, hear: Callable[[object], None]) -> None:
        self._target = target
        self._argument = argument
        self._hear = hear
        self._loop = asyncio.get_running_loop()
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="pipe writer")
        self._process: BaseProcess | None = None
        self.ended: asyncio.Future[None] = self._loop.create_future()
        """Done when the process is gone and `hear` has been told so."""

    @property
    def pid(self) -> int | None:
        """The process id, once started."""
        process = self._process
        with suppress(ValueError):  # it has just ended
            return process.pid if process is not None else None
        return None

    async def start(self) -> None:
        """Start the process; does not wait for anything it does."""
        await self._loop.run_in_executor(self._writer, self._spawn)

    async def send(self, message: object) -> None:
        """Write one message. Raises OSError if the process is gone."""
        try:
            await self._loop.run_in_executor(self._writer, self._connection.send, message)
        except RuntimeError as error:  # the writer was shut down, since the process has ended
            raise BrokenPipeError("The process is gone.") from error

    def kill(self) -> None:
        """End the process at once."""
        process = self._process
        with suppress(ValueError):  # it has just ended
            if process is not None:
                process.kill()

    def _spawn(self) -> None:
        context = SpawnContext()
        self._connection, theirs = context.Pipe()
        process = context.Process(target=self._target, args=(theirs, self._argument), name="worker", daemon=True)
        process.start()
        theirs.close()  # or the end of the process would not end the pipe
        self._process = process
        threading.Thread(target=self._read, args=(process,), name="pipe reader", daemon=True).start()

    def _read(self, process: BaseProcess) -> None:
        unreadable: str | None = None
        try:
            while True:
                self._post(self._hear, self._connection.recv())
        except (EOFError, OSError):
            pass
        except Exception as error:  # noqa: BLE001 - whatever unpickling raises; what follows cannot be trusted either
            what = f"{type(error).__name__}: {error}"
            unreadable = f"The worker process said something unreadable ({what}) and was ended."
            process.kill()
        process.join(EXIT_WAIT)
        if process.is_alive():
            process.kill()
            process.join()
        # Whoever starts another process reaps ended ones on the way. Until that thread has noted it, nobody can tell
        # that this one has ended, nor wait for it.
        while process.exitcode is None:
            time.sleep(REAPED_WAIT)
        self._writer.shutdown(wait=False)
        self._connection.close()
        how = unreadable or _describe(process)
        self._process = None
        process.close()  # or its pipes stay open until it is garbage
        self._post(self._hear, Lost(how))
        self._post(self.ended.set_result, None)

    def _post(self, call: Callable[..., object], argument: object) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody listens any more
            self._loop.call_soon_threadsafe(call, argument)


def _describe(process: BaseProcess) -> str:
    code = process.exitcode
    who = f"The worker process (pid {process.pid})"
    if code is None or code == 0:
        return f"{who} ended by itself."
    if code > 0:
        return f"{who} exited with code {code}."
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    hint = "; the system does that when memory runs out" if name == "SIGKILL" else ""
    return f"{who} was ended by {name}{hint}."
