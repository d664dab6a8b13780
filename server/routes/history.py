"""`/history`: what ran and ended, from the disk and in pages, however long it is."""

from collections.abc import AsyncIterator

from aiohttp import web

from server.described import described, flag, texts, whole
from server.errors import ApiError
from server.keys import STORE
from server.protocol.records import history_entries
from server.routes.queue import id_list, read_object
from server.streaming import stream_json


def routes() -> list[web.RouteDef]:
    """The routes of this module."""
    return [
        web.get("/history", get_history),
        web.post("/history", post_history),
        web.get("/history/{prompt_id}", get_history_entry),
    ]


@described(query={"max_items": whole("at most so many"), "offset": whole("from here on, 0 is the oldest")})
async def get_history(request: web.Request) -> web.StreamResponse:
    """Ended jobs by prompt id, oldest first: all, the last `max_items`, or those from `offset` on."""
    newest, offset = _whole(request, "max_items"), _whole(request, "offset")
    pages = request.app[STORE].ended(history_entries, newest=newest, offset=offset)
    return await stream_json(request, _object(pages))


async def get_history_entry(request: web.Request) -> web.Response:
    """`{prompt_id: entry}`; `{}` while the job is unknown or has not ended."""
    entry = await request.app[STORE].one_ended(request.match_info["prompt_id"], history_entries)
    return web.Response(body=b"{%b}" % entry, content_type="application/json", charset="utf-8")


@described(fields={"clear": flag("forget all"), "delete": texts("forget these")}, answers={200: None})
async def post_history(request: web.Request) -> web.Response:
    """Forget ended jobs: `{"clear": true}` or `{"delete": [prompt_id, ...]}`."""
    body = await read_object(request)
    await request.app[STORE].forget(None if body.get("clear") else id_list(body))
    return web.Response()


async def _object(pages: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    between = b"{"
    async for page in pages:
        yield between
        yield page
        between = b","
    yield b"{}" if between == b"{" else b"}"


def _whole(request: web.Request, name: str) -> int | None:
    """A query parameter as a number from 0 on; -1 means none, as clients send it."""
    text = request.query.get(name)
    if text is None or text == "-1":
        return None
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise ApiError(400, "invalid_request", f"'{name}' must be a whole number from 0 on, not '{text[:40]}'.")
    return int(text)
