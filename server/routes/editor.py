"""The built editor at `/`, or a page that says how to build it; and what is left when no route of ours matches.

That is a file of the editor or a route of a node pack. So nothing of a pack can stand in the place of ours.
"""

import asyncio
import re
from typing import Final

from aiohttp import web

from server.described import ANY, HTML, described
from server.errors import ApiError
from server.keys import PACK_PROXY, SETTINGS
from server.static import static_file
from server.wire import threaded

_HASHED: Final = re.compile(r"assets/.*-[\w-]{8}\.\w+")
"""Vite puts a hash of the content into these names, so they never change."""

_NOT_BUILT: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Heddle</title></head><body>
<h1>Heddle is running</h1>
<p>The server is up, but its editor has not been built. With Node.js 20 or later, run</p>
<pre>cd frontend
npm ci
npm run build</pre>
<p>in the folder of Heddle, then reload this page. The API works without it: <a href="/object_info">node types</a>,
<a href="/queue">queue</a>, <a href="/history">history</a>.</p>
</body></html>
"""


def routes() -> list[web.RouteDef]:
    """The routes of this module; they exist without the prefix only."""
    return [web.get("/", threaded(get_page)), web.route("*", "/{path:.+}", answer_rest)]


@described(answers={200: HTML})
def get_page(request: web.Request) -> web.StreamResponse:
    """The editor's page, never from a cache, or an explanation if the editor has not been built."""
    headers = {"Cache-Control": "no-cache", "Pragma": "no-cache", "Expires": "0"}
    folder = request.app[SETTINGS].editor
    page = None if folder is None else static_file(folder, "index.html", headers)
    return page or web.Response(text=_NOT_BUILT, content_type="text/html", headers=headers)


@described(answers={200: ANY})
async def answer_rest(request: web.Request) -> web.StreamResponse:
    """A file of the built editor, or what a node pack answers here; those with a hash in their name never change."""
    reads = request.method in ("GET", "HEAD")
    if reads and (asset := await asyncio.to_thread(_asset, request)) is not None:
        return asset
    answer = await request.app[PACK_PROXY].answer(request)
    if answer is not None:
        return answer
    if not reads:
        raise web.HTTPMethodNotAllowed(request.method, ())
    raise ApiError(404, "not_found", f"There is nothing at '{request.path[:200]}'.")


def _asset(request: web.Request) -> web.StreamResponse | None:
    name = request.match_info["path"]
    folder = request.app[SETTINGS].editor
    lasting = {"Cache-Control": "public, max-age=31536000, immutable"} if _HASHED.fullmatch(name) else {}
    return None if folder is None else static_file(folder, name, lasting)
