"""Requests for the routes of node packs, carried to the worker process that answers them, and its answers back.

Bodies are streamed both ways and never held. What a pack may not do here: stand in for a route of ours, take a body
over the limit, or say which other sites may read its answers. What its routes mean is its own matter.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Final

import aiohttp
from aiohttp import ClientTimeout, WSMsgType, hdrs, web
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from executor.packs import PackServices
from server.errors import ApiError
from server.pool import Station, WorkerPool

log = logging.getLogger(__name__)

_STARTING_SECONDS: Final = 2.0
"""How long a request for an unknown path waits for workers that still load; that is, for packs that may know it."""
_CONNECT_SECONDS: Final = 5.0
_MAX_WS_MESSAGE: Final = 64 * 1024 * 1024

_OF_ONE_CONNECTION: Final = frozenset(
    {"connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer", "transfer-encoding"}
    | {"upgrade", "expect"}
)
"""Headers that concern one connection only (RFC 9110, 7.6.1), and a wish that we have met when we read the body."""
_NOT_ASKED: Final = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")
"""Headers that would otherwise be added to what the client said."""


@dataclass(frozen=True, slots=True)
class _Match:
    station: Station
    address: str
    who: str
    """The pack, for the beginning of a sentence."""
    target: str
    """Path and query as the pack knows them."""


class PackProxy:
    """Answers what packs registered routes for. Bodies may have `max_body` bytes; an answer may let `deadline` seconds
    pass before it begins, and between its parts."""

    def __init__(self, pool: WorkerPool, max_body: int, deadline: float) -> None:
        self._pool = pool
        self._max_body = max_body
        self._deadline = deadline
        self._session: aiohttp.ClientSession | None = None
        self._address: str | None = None
        self._routes: _Routes | None = None
        self._sockets: set[web.WebSocketResponse] = set()

    async def close(self) -> None:
        """End what is open."""
        for socket in tuple(self._sockets):
            await socket.close(code=1001)
        if self._session is not None:
            await self._session.close()

    async def answer(self, request: web.Request) -> web.StreamResponse | None:
        """What a pack answers; None if none has such a route. Raises ApiError if one has, and does not answer."""
        match = await self._match(request)
        if match is None:
            return None
        if not match.station.ready:
            raise _restarting(match)
        session = await self._session_to(match.address)
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await self._bridge(request, session, match)
        return await self._forward(request, session, match)

    async def _match(self, request: web.Request) -> _Match | None:
        pool = self._pool
        try:
            known = pool.until(lambda: pool.services is not None or pool.failure is not None)
            await asyncio.wait_for(known, _STARTING_SECONDS)
        except TimeoutError:
            message = "The worker is still loading, and a node pack may answer this request; try again."
            raise ApiError(503, "worker_starting", message) from None
        found = await self._find(request)
        if found is None and await pool.renew_services():
            found = await self._find(request)  # packs may add routes at any time
        return found

    async def _find(self, request: web.Request) -> _Match | None:
        station = self._pool.pack_station
        services = station.services if station is not None else None
        if station is None or services is None or services.address is None:
            return None
        if self._routes is None or self._routes.services is not services:
            self._routes = _Routes(services)
        raw = request.raw_path
        for target in (raw, raw.removeprefix("/api")) if raw.startswith("/api/") else (raw,):
            pattern = await self._routes.pattern(request.clone(rel_url=URL(target, encoded=True)))
            if pattern is not None:
                owner = services.owners.get(pattern)
                who = f"The node pack '{owner}'" if owner else f"The node pack behind '{pattern}'"
                return _Match(station, services.address, who, target)
        return None

    async def _session_to(self, address: str) -> aiohttp.ClientSession:
        if self._session is None or self._address != address:
            if self._session is not None:
                await self._session.close()
            # One connection a request: to a local socket it costs nothing, and none can be stale.
            connector = aiohttp.UnixConnector(address, force_close=True, limit=0)
            timeout = ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS, sock_read=self._deadline)
            self._session = aiohttp.ClientSession(
                connector=connector, timeout=timeout, auto_decompress=False, cookie_jar=aiohttp.DummyCookieJar()
            )
            self._address = address
        return self._session

    async def _forward(self, request: web.Request, session: aiohttp.ClientSession, match: _Match) -> web.StreamResponse:
        body = _Body(request, self._max_body)
        response: web.StreamResponse | None = None
        try:
            async with session.request(
                request.method,
                _url(match),
                headers=_passed(request.headers),
                data=body.chunks() if request.can_read_body else None,
                allow_redirects=False,
                skip_auto_headers=_NOT_ASKED,
            ) as answer:
                response = web.StreamResponse(
                    status=answer.status, reason=answer.reason, headers=_passed(answer.headers, answered=True)
                )
                await response.prepare(request)
                async for chunk in answer.content.iter_any():
                    await response.write(chunk)
                await response.write_eof()
                return response
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            if body.too_large:
                raise _too_large(self._max_body) from None
            if request.transport is None or request.transport.is_closing():
                return response or web.Response(status=503)  # the client left, and hears nothing of it
            failure = self._failure(match, error)
            if response is None or not response.prepared:
                raise failure from None
            log.warning("%s", failure)
            request.transport.abort()  # half an answer must not look like a whole one
            return response

    async def _bridge(self, request: web.Request, session: aiohttp.ClientSession, match: _Match) -> web.StreamResponse:
        asked = request.headers.get("Sec-WebSocket-Protocol", "")
        protocols = [name.strip() for name in asked.split(",") if name.strip()]
        headers = _passed(request.headers)
        for name in [name for name in headers if name.lower().startswith("sec-websocket-")]:
            del headers[name]
        try:
            inner = await session.ws_connect(
                _url(match), protocols=protocols, headers=headers, max_msg_size=_MAX_WS_MESSAGE
            )
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise self._failure(match, error) from None
        outer = web.WebSocketResponse(
            protocols=[inner.protocol] if inner.protocol else (), max_msg_size=_MAX_WS_MESSAGE, heartbeat=30.0
        )
        async with inner:
            await outer.prepare(request)
            self._sockets.add(outer)
            pumps = [asyncio.create_task(_pump(outer, inner)), asyncio.create_task(_pump(inner, outer))]
            try:
                await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for pump in pumps:
                    pump.cancel()
                await asyncio.gather(*pumps, return_exceptions=True)
                await outer.close(code=inner.close_code or 1000)
                self._sockets.discard(outer)
        return outer

    def _failure(self, match: _Match, error: Exception) -> ApiError:
        """What to say of a request that the worker did not answer."""
        if isinstance(error, TimeoutError) and not isinstance(error, aiohttp.ConnectionTimeoutError):
            message = f"{match.who} did not answer within {self._deadline:g} s."
            return ApiError(504, "pack_timeout", message)
        if isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError):
            return _restarting(match)
        message = f"{match.who} ended the connection before its answer was complete."
        return ApiError(502, "pack_failed", message)


class _Body:
    """The body of a request, cut off where it becomes too large."""

    def __init__(self, request: web.Request, limit: int) -> None:
        if request.content_length is not None and request.content_length > limit:
            raise _too_large(limit)
        self._content = request.content
        self._limit = limit
        self.too_large = False

    async def chunks(self) -> AsyncIterator[bytes]:
        read = 0
        async for chunk in self._content.iter_any():
            read += len(chunk)
            if read > self._limit:
                self.too_large = True
                raise _too_large(self._limit)
            yield chunk


async def _pump(source: Any, sink: Any) -> None:
    """Carry messages from one end of a WebSocket to the other until it closes."""
    async for message in source:
        if message.type is WSMsgType.TEXT:
            await sink.send_str(message.data)
        elif message.type is WSMsgType.BINARY:
            await sink.send_bytes(message.data)
        else:
            return


class _Routes:
    """The packs' routes, to be asked whether one fits a request."""

    def __init__(self, services: PackServices) -> None:
        self.services = services
        self._dispatcher = web.UrlDispatcher()
        self._patterns: dict[web.AbstractRoute, str] = {}
        for method, pattern in dict.fromkeys(services.routes):
            try:
                self._patterns[self._dispatcher.add_route(method, pattern, _never)] = pattern
            except (ValueError, RuntimeError) as error:
                log.warning("The route %s %s of a node pack cannot be served: %s", method, pattern, error)

    async def pattern(self, request: web.Request) -> str | None:
        """The pattern of the route that fits."""
        found = await self._dispatcher.resolve(request)
        return self._patterns.get(found.route) if found.http_exception is None else None


async def _never(_request: web.Request) -> web.StreamResponse:
    """Stands for a handler that is elsewhere."""
    raise web.HTTPNotFound


def _url(match: _Match) -> URL:
    return URL(f"http://packs{match.target}", encoded=True)


def _passed(headers: CIMultiDictProxy[str], *, answered: bool = False) -> CIMultiDict[str]:
    """The headers that concern both ends; of an answer not those by which we say who may read it."""
    dropped = _OF_ONE_CONNECTION | {name.strip().lower() for name in headers.get(hdrs.CONNECTION, "").split(",")}
    return CIMultiDict(
        (name, value)
        for name, value in headers.items()
        if name.lower() not in dropped and not (answered and name.lower().startswith("access-control-"))
    )


def _too_large(limit: int) -> ApiError:
    return ApiError(413, "body_too_large", f"The body is larger than {limit} bytes; raise --max-upload-size.")


def _restarting(match: _Match) -> ApiError:
    message = f"{match.who} cannot answer now: its worker process is starting again. Try again in a moment."
    return ApiError(503, "pack_unavailable", message)
