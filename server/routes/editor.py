"""The built editor at `/`, or a page that says how to build it."""

import re
from typing import Final

from aiohttp import web

from executor.folders import PathError
from server.errors import ApiError
from server.files import existing
from server.keys import SETTINGS
from server.wire import threaded

_HASHED: Final = re.compile(r"assets/.*-[\w-]{8}\.\w+")
"""Vite puts a hash of the content into these names, so they never change."""

_TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".json": "application/json",
    ".map": "application/json",
    ".webmanifest": "application/manifest+json",
    ".wasm": "application/wasm",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".webp": "image/webp",
    ".jpg": "image/jpeg",
    ".ico": "image/x-icon",
    ".woff2": "font/woff2",
}
"""Not the system's table: some systems call .js plain text, and `nosniff` would then stop the editor."""

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
    return [web.get("/", threaded(get_page)), web.get("/{path:.+}", threaded(get_asset))]


def get_page(request: web.Request) -> web.StreamResponse:
    """The editor's page, never from a cache, or an explanation if the editor has not been built."""
    headers = {"Cache-Control": "no-cache", "Pragma": "no-cache", "Expires": "0"}
    folder = request.app[SETTINGS].editor
    page = None if folder is None else existing(folder, "index.html")
    if page is None:
        return web.Response(text=_NOT_BUILT, content_type="text/html", headers=headers)
    return web.FileResponse(page, headers=headers)


def get_asset(request: web.Request) -> web.StreamResponse:
    """A file of the built editor; those with a hash in their name are cached for good."""
    name = request.match_info["path"]
    folder = request.app[SETTINGS].editor
    try:
        path = None if folder is None else existing(folder, name)
    except PathError:
        path = None
    if path is None:
        raise ApiError(404, "not_found", f"There is nothing at '{request.path[:200]}'.")
    kind = _TYPES.get(path.suffix.lower(), "application/octet-stream")
    headers = {"Content-Type": kind}
    if _HASHED.fullmatch(name):
        headers["Cache-Control"] = "public, max-age=31536000, immutable"
    return web.FileResponse(path, headers=headers)
