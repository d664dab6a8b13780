"""Answers that are written as they are read, however long they are. Knows JSON's brackets, not what stands in them."""

from collections.abc import AsyncIterator

from aiohttp import web

from server.keys import SETTINGS


async def stream_json(request: web.Request, parts: AsyncIterator[bytes]) -> web.StreamResponse:
    """Answer with what `parts` make together."""
    response = web.StreamResponse(headers={"Content-Type": "application/json; charset=utf-8"})
    if request.app[SETTINGS].compress:
        response.enable_compression()
    await response.prepare(request)
    async for part in parts:
        await response.write(part)
    await response.write_eof()
    return response
