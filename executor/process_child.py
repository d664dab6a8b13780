"""What a worker process does inside, and the messages on its pipe.

It makes the real worker, passes calls to it and events back, and ends when its parent does. Pickles cross the pipe:
both ends are ours, and no file of a user is among them.
"""

import asyncio
import logging
import os
import pickle
import signal
import sys
import threading
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from executor.events import Event
from executor.packs import PackMessage
from executor.process_log import LogSender
from executor.worker import Job, Worker


@dataclass(frozen=True, slots=True)
class Call:
    """To the child: call a method of the worker; answered by Reply or Raised with the same number."""

    number: int
    method: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Start:
    """To the child: run a job; answered by Emitted events."""

    job: Job


@dataclass(frozen=True, slots=True)
class Close:
    """To the child: end."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """To the parent: the worker is made and answers calls."""


@dataclass(frozen=True, slots=True)
class LoadFailed:
    """To the parent: the worker could not be made; the process ends."""

    reason: str


@dataclass(frozen=True, slots=True)
class Reply:
    """To the parent: what a call returned."""

    number: int
    value: Any


@dataclass(frozen=True, slots=True)
class Raised:
    """To the parent: what a call raised, in a sentence."""

    number: int
    text: str


@dataclass(frozen=True, slots=True)
class Emitted:
    """To the parent: an event of a running job, or the sentence of what its run raised."""

    job_id: str
    event: Event | str


@dataclass(frozen=True, slots=True)
class Said:
    """To the parent: a message of a pack to clients."""

    message: PackMessage


@dataclass(frozen=True, slots=True)
class Beat:
    """To the parent: the process is well. Any other message says it as well."""


_BEAT_SECONDS = 1.0


class _Pipe:
    """The way to the parent, for every thread."""

    def __init__(self, connection: "Connection[Any, Any]") -> None:
        self._connection = connection
        self._lock = threading.RLock()  # what is pickled may log, and so come here once more

    def send(self, message: object) -> None:
        with self._lock:
            try:
                self._connection.send(message)
            except OSError:
                os._exit(0)  # the parent is gone


def serve(connection: "Connection[Any, Any]", factory: bytes) -> None:
    """The life of a worker process. `factory` is a pickled (callable, arguments) that makes the worker."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole terminal; the parent decides what it means
    os.set_inheritable(connection.fileno(), False)  # a program that a node starts must not keep the pipe open
    pipe = _Pipe(connection)
    logging.getLogger().addHandler(LogSender(pipe.send))
    asyncio.run(_serve(connection, pipe, factory))
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # whatever threads nodes have left behind


async def _serve(connection: "Connection[Any, Any]", pipe: _Pipe, factory: bytes) -> None:
    inbox: asyncio.Queue[object] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    reader = threading.Thread(target=_read, args=(connection, loop, inbox), name="pipe reader", daemon=True)
    reader.start()
    try:
        # On the main thread, although that blocks the loop: packs may only set signal handlers there. Messages wait.
        make, arguments = pickle.loads(factory)
        worker: Worker = make(*arguments)
    except Exception as error:  # noqa: BLE001 - anything may go wrong while importing; all of it is the reason
        traceback.print_exc()
        pipe.send(LoadFailed(f"{type(error).__name__}: {error}"))
        return
    pipe.send(Loaded())
    tasks = {asyncio.create_task(_relay(pipe, worker)), asyncio.create_task(_beat(pipe))}
    while not isinstance(message := await inbox.get(), Close):
        if isinstance(message, Start):
            task = asyncio.create_task(_run(pipe, worker, message.job))
        else:
            assert isinstance(message, Call)
            task = asyncio.create_task(_answer(pipe, worker, message))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
    await worker.close()


async def _answer(pipe: _Pipe, worker: Worker, call: Call) -> None:
    try:
        reply: Reply | Raised = Reply(call.number, await getattr(worker, call.method)(**call.arguments))
        pickle.dumps(reply)
    except Exception as error:  # noqa: BLE001 - whatever it is, the caller waits for an answer
        reply = Raised(call.number, f"{type(error).__name__}: {error}")
    pipe.send(reply)


async def _beat(pipe: _Pipe) -> None:
    while True:
        pipe.send(Beat())
        await asyncio.sleep(_BEAT_SECONDS)


async def _relay(pipe: _Pipe, worker: Worker) -> None:
    async for message in worker.messages():
        pipe.send(Said(message))


async def _run(pipe: _Pipe, worker: Worker, job: Job) -> None:
    try:
        async for event in worker.run(job):
            pipe.send(Emitted(job.job_id, event))
    except asyncio.CancelledError:
        raise  # the process ends
    except BaseException as error:  # noqa: BLE001 - whatever it is, the parent waits for the end of the run
        traceback.print_exc()
        pipe.send(Emitted(job.job_id, f"{type(error).__name__}: {error}"))


def _read(connection: "Connection[Any, Any]", loop: asyncio.AbstractEventLoop, inbox: "asyncio.Queue[object]") -> None:
    while True:
        try:
            message = connection.recv()
        except (EOFError, OSError):
            # The parent is gone. No orderly end: a node may be busy for minutes, and nobody wants its result.
            os._exit(0)
        loop.call_soon_threadsafe(inbox.put_nowait, message)
