"""What node packs send to clients, from every worker to the sockets.

Unlike the messages of a run it may be lost: a pack that says more than a client reads loses its own messages, not the
client. What cannot be a frame is dropped with a line in the log.
"""

import asyncio
import json
import logging
import struct
from collections.abc import Sequence

from executor.packs import PackMessage
from executor.worker import Worker, WorkerLost
from server.clients import Clients, Packed
from server.pool import WorkerPool
from server.wire import encode

log = logging.getLogger(__name__)


class PackMessages:
    """Carries the messages of the workers in `pool` to `clients`. `start` and `stop` bracket its life."""

    def __init__(self, pool: WorkerPool, clients: Clients) -> None:
        self._pool = pool
        self._clients = clients
        self._listening: Sequence[asyncio.Task[None]] = ()

    def start(self) -> None:
        """Begin to listen."""
        workers = (station.worker for station in self._pool.stations)
        self._listening = [asyncio.create_task(self._listen(worker), name="hear packs") for worker in workers]

    async def stop(self) -> None:
        """Stop listening."""
        for task in self._listening:
            task.cancel()
        await asyncio.gather(*self._listening, return_exceptions=True)

    async def _listen(self, worker: Worker) -> None:
        try:
            async for message in worker.messages():
                self._carry(message)
        except WorkerLost as lost:
            log.warning("The node packs of a worker are no longer heard: %s", lost)

    def _carry(self, message: PackMessage) -> None:
        try:
            packed = packed_message(message)
        except (TypeError, ValueError, RecursionError, struct.error) as error:
            log.warning("A node pack's message '%s' cannot be sent: %s", str(message.event)[:80], error)
            return
        self._clients.offer(message.client_id, packed)


def packed_message(message: PackMessage) -> Packed:
    """The frame of a message. Raises TypeError, ValueError, RecursionError or struct.error for what cannot be one."""
    if isinstance(message.event, str):
        json.dumps(message.data)  # `encode` would send something else in the place of what JSON cannot hold
        return Packed(encode({"type": message.event, "data": message.data}))
    if not isinstance(message.data, bytes | bytearray | memoryview):
        raise TypeError(f"a binary frame carries bytes, not {type(message.data).__name__}")
    frame = struct.pack(">I", message.event) + bytes(message.data)
    return Packed(None, frame, frame)
