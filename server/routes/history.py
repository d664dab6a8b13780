"""`/history`: what ran and ended, from the disk and in pages, however long it is."""

import asyncio
from collections.abc import AsyncIterator

from aiohttp import web

from server.described import described, flag, texts, whole
from server.errors import ApiError
from server.jobs import JobRecord
from server.keys import STORE
from server.protocol.records import history_entry
from server.routes.queue import id_list, read_object
from server.streaming import stream_json
from server.wire import encode, json_response


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
    return await stream_json(request, _told(request.app[STORE].ended(newest=newest, offset=offset)))


async def get_history_entry(request: web.Request) -> web.Response:
    """`{prompt_id: entry}`; `{}` while the job is unknown or has not ended."""
    job = await request.app[STORE].get(request.match_info["prompt_id"])
    if job is None or job.result is None or job.started is None:
        return json_response({})
    return json_response({job.job_id: history_entry(job)})


@described(fields={"clear": flag("forget all"), "delete": texts("forget these")}, answers={200: None})
async def post_history(request: web.Request) -> web.Response:
    """Forget ended jobs: `{"clear": true}` or `{"delete": [prompt_id, ...]}`."""
    body = await read_object(request)
    await request.app[STORE].forget(None if body.get("clear") else id_list(body))
    return web.Response()


async def _told(pages: AsyncIterator[list[JobRecord]]) -> AsyncIterator[bytes]:
    opening = "{"
    async for page in pages:
        yield f"{opening}{await asyncio.to_thread(_entries, page)}".encode()
        opening = ","
    yield b"{}" if opening == "{" else b"}"


def _entries(page: list[JobRecord]) -> str:
    return encode({job.job_id: history_entry(job) for job in page})[1:-1]


def _whole(request: web.Request, name: str) -> int | None:
    """A query parameter as a number from 0 on; -1 means none, as clients send it."""
    text = request.query.get(name)
    if text is None or text == "-1":
        return None
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise ApiError(400, "invalid_request", f"'{name}' must be a whole number from 0 on, not '{text[:40]}'.")
    return int(text)
