"""Clients that open connections and never finish saying what they want: they are not waited for.

A request must arrive at some pace, so that nobody can hold the server's sockets by saying little. How fast answers are
read is no matter of this module, nor is what the requests say.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Final, Protocol, TypeVar
from weakref import WeakKeyDictionary, WeakSet

from aiohttp import web

from server.errors import ApiError

T = TypeVar("T")

HEADER_SECONDS: Final = 10.0
"""How long a new connection may take to send its first request up to the body."""
BODY_SECONDS: Final = 20.0
"""How long a body may take, and a second more for each of its KiB that has come."""
_LOOK_SECONDS: Final = 2.0
_KIBIBYTE: Final = 1024


class Connection(Protocol):
    """What aiohttp keeps for a connection."""

    transport: asyncio.Transport | None

    def force_close(self) -> None:
        """End it."""
        ...


class Newcomers:
    """Connections on which no request has come yet."""

    def __init__(self) -> None:
        self._heard: WeakSet[asyncio.BaseTransport] = WeakSet()
        self._since: WeakKeyDictionary[asyncio.BaseTransport, float] = WeakKeyDictionary()

    def hear(self, request: web.Request) -> None:
        """A request has come."""
        if request.transport is not None:
            self._heard.add(request.transport)

    async def watch(self, connections: Callable[[], Iterable[Connection]]) -> None:
        """End those that say nothing for too long, for ever."""
        clock = asyncio.get_running_loop().time
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            now = clock()
            for connection in connections():
                transport = connection.transport
                if transport is None or transport in self._heard:
                    continue
                if now - self._since.setdefault(transport, now) > HEADER_SECONDS:
                    connection.force_close()
                    transport.abort()


async def arriving(request: web.Request, reading: Awaitable[T]) -> T:
    """What `reading` makes of the body. Raises ApiError 408 if the body comes more slowly than it may."""
    task = asyncio.ensure_future(reading)
    clock = asyncio.get_running_loop().time
    began = clock()
    try:
        while not (await asyncio.wait([task], timeout=_LOOK_SECONDS))[0]:
            if clock() - began > BODY_SECONDS + request.content.total_bytes / _KIBIBYTE:
                raise ApiError(
                    408, "too_slow", "The body of this request came too slowly.", headers={"Connection": "close"}
                )
        return task.result()
    finally:
        task.cancel()
