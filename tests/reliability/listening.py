"""WebSocket clients of the suite: one that writes down what it hears and when, and one that never reads."""

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from tests.reliability.stand import Stand


@dataclass
class Heard:
    """What one socket heard: messages, and when each arrived (seconds since the epoch)."""

    messages: list[dict[str, Any]] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def of(self, job_id: str) -> list[dict[str, Any]]:
        """What was told of a job."""
        return [it for it in self.messages if it["data"].get("prompt_id") == job_id]

    def ended(self, job_id: str) -> bool:
        """Whether the last message of the job has come."""
        return any(it["type"] == "executing" and it["data"]["node"] is None for it in self.of(job_id))

    async def until_ended(self, *job_ids: str, seconds: float = 120.0) -> None:
        """Return when the last message of each job has come."""
        async with asyncio.timeout(seconds):
            while not all(map(self.ended, job_ids)):
                self.changed.clear()
                await self.changed.wait()

    def delays(self) -> list[float]:
        """Seconds between the server's word on when something happened and its arrival here."""
        pairs = zip(self.messages, self.times, strict=True)
        return [at - it["data"]["timestamp"] / 1000 for it, at in pairs if "timestamp" in it["data"]]


@asynccontextmanager
async def listening(stand: Stand, query: str) -> AsyncIterator[Heard]:
    """A socket that reads as fast as it can."""
    heard = Heard()
    async with aiohttp.ClientSession(headers=stand.headers) as session:
        url = f"http://127.0.0.1:{stand.port}/ws?{query}"
        async with session.ws_connect(url, max_msg_size=0) as connection:

            async def read() -> None:
                async for message in connection:
                    if message.type is aiohttp.WSMsgType.TEXT:
                        heard.messages.append(json.loads(message.data))
                        heard.times.append(time.time())
                        heard.changed.set()

            reading = asyncio.create_task(read())
            try:
                async with asyncio.timeout(30):
                    while not heard.messages:
                        heard.changed.clear()
                        await heard.changed.wait()
                yield heard
            finally:
                reading.cancel()


def deaf(stand: Stand, client_id: str) -> socket.socket:
    """A socket that has been greeted and never reads again, with room for almost nothing on its way."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.connect(("127.0.0.1", stand.port))
    lines = [
        f"GET /ws?clientId={client_id} HTTP/1.1",
        f"Host: 127.0.0.1:{stand.port}",
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
        "",
        "",
    ]
    connection.sendall("\r\n".join(lines).encode())
    assert connection.recv(12) == b"HTTP/1.1 101"
    return connection
