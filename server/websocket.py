"""`/ws`: a socket joins, hears what concerns its id, and may say which features it knows."""

import asyncio
import json
import uuid
from typing import Any, Final

from aiohttp import WSMsgType, web

from server.clients import Client, Packed
from server.described import described, text, whole
from server.errors import ApiError
from server.keys import CLIENTS, DISPATCHER, SETTINGS, SOCKETS, STORE
from server.protocol.frames import Message, features, status
from server.protocol.prompts import MAX_CLIENT_ID

_MAX_INBOUND: Final = 1024 * 1024
_HEARTBEAT_SECONDS: Final = 30.0
_CLOSE_SECONDS: Final = 2.0


def routes() -> list[web.RouteDef]:
    """The routes of this module."""
    return [web.get("/ws", join)]


@described(
    query={
        "clientId": text("whose jobs to tell; one is made up if there is none", maxLength=MAX_CLIENT_ID),
        "since": whole("number the messages, and repeat those after this one; 0 to begin", minimum=0),
    },
    answers={101: None},
)
async def join(request: web.Request) -> web.WebSocketResponse:
    """Events as text frames, previews as binary ones; `clientId` names whose jobs to tell, `status` answers with it.

    With `since` each message about a job has a number `seq`, and a client that comes back gives the last one that it
    heard: what it missed follows, after a message `missed` whose `complete` says whether that is all of it.
    """
    since = request.query.get("since")
    if since is not None and not (since.isascii() and since.isdigit() and len(since) < 17):
        raise ApiError(400, "invalid_request", f"'since' must be a whole number from 0 on, not '{since[:40]}'.")
    sid = request.query.get("clientId") or uuid.uuid4().hex
    if len(sid) > MAX_CLIENT_ID:
        raise ApiError(400, "invalid_client_id", f"'clientId' must be text of at most {MAX_CLIENT_ID} characters.")
    socket = web.WebSocketResponse(
        heartbeat=_HEARTBEAT_SECONDS, max_msg_size=_MAX_INBOUND, compress=False, timeout=_CLOSE_SECONDS
    )
    await socket.prepare(request)
    transport = request.transport
    client = Client(sid, socket, transport.abort if transport is not None else _nothing)
    store = request.app[STORE]
    client.put(Packed.of(status(store.remaining, store.paused, sid)))
    told = since is not None and request.app[CLIENTS].follow(client, int(since)) is not None
    for frame in () if told else request.app[DISPATCHER].catch_up(sid):
        client.put(Packed.of(frame))
    request.app[CLIENTS].add(client)
    request.app[SOCKETS].add(socket)
    pump = asyncio.create_task(client.pump())
    try:
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                _hear(request, client, message.data)
    finally:
        request.app[CLIENTS].remove(client)
        request.app[SOCKETS].discard(socket)
        pump.cancel()
        await asyncio.gather(pump, return_exceptions=True)
    return socket


async def close_all(app: web.Application) -> None:
    """Part of the shutdown: say goodbye to every socket, without waiting for those that do not listen."""
    sockets = app[SOCKETS]
    goodbyes = [
        asyncio.wait_for(socket.close(code=1001, message=b"The server stops."), _CLOSE_SECONDS)
        for socket in list(sockets)
    ]
    await asyncio.gather(*goodbyes, return_exceptions=True)


def _hear(request: web.Request, client: Client, text: str) -> None:
    """Answer a client's feature flags; whatever else it says is not ours."""
    try:
        said: Any = json.loads(text)
    except (ValueError, RecursionError):
        return
    if isinstance(said, dict) and said.get("type") == "feature_flags" and isinstance(said.get("data"), dict):
        client.negotiate(said["data"])
        answer = features(request.app[SETTINGS].max_upload_size)
        client.put(Packed.of(Message("feature_flags", answer)))


def _nothing() -> None:
    """Stands in for the end of a connection that has ended already."""
