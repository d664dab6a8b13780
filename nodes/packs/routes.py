"""Serves the HTTP routes of packs on a Unix socket that only this user can reach.

Packs register routes at any time, also while it serves; so the application that they see is never frozen, and every
request is dispatched against what it has at that moment. Knows nothing of what the routes do.
"""

import inspect
import logging
import os
import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from aiohttp import web

log = logging.getLogger(__name__)

SLOW = 10.0
"""Seconds after which the log names a handler that took longer."""

LINGER = 2.0
"""Seconds that handlers have to finish once nothing is served any more."""

_PREFIX = "heddle-packs-"
_SOCKET = "http"
_YOUNG = 60.0
"""Seconds in which a process that has made its folder may not listen yet."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class RouteServer:
    """Routes, and the socket on which they answer. All methods but `listed` run on the event loop of the routes."""

    def __init__(self) -> None:
        self.routes = web.RouteTableDef()
        """Where packs put handlers with a decorator."""
        self.app = web.Application()
        """Where packs put routes, static folders, middlewares and start-up handlers directly. The middlewares see the
        routes of packs, and no others."""
        self.address: str | None = None
        """Path of the socket while it serves."""
        self._taken = 0
        self._lock = threading.Lock()
        self._runner: web.ServerRunner | None = None
        self._folder: Path | None = None

    def listed(self) -> tuple[tuple[str, str], ...]:
        """(method, path pattern) of every route that there is now, static folders included."""
        self._take_routes()
        found = {
            (route.method, _pattern(resource)): None for resource in self.app.router.resources() for route in resource
        }
        return tuple(found)

    def files(self) -> Mapping[str, str]:
        """Path pattern -> the file whose code answers, or the folder that is served, where that can be told."""
        self._take_routes()
        found: dict[str, str] = {}
        for resource in self.app.router.resources():
            for route in resource:
                place = _place(resource, route)
                if place is not None:
                    found.setdefault(_pattern(resource), place)
        return found

    async def start(self) -> None:
        """Serve; the packs' start-up handlers run first."""
        for handler in self.app.on_startup:
            await _guarded("start-up", handler, self.app)
        _sweep(Path(tempfile.gettempdir()))
        self._folder = Path(tempfile.mkdtemp(prefix=_PREFIX))  # 0700, so that nobody else connects
        address = str(self._folder / _SOCKET)
        # The request that `web.Server` makes by itself knows nothing of routes.
        # No access log: the server, which forwards the request, has its own.
        serving = web.Server(self._answer, request_factory=self._make_request, access_log=None)
        self._runner = web.ServerRunner(serving, shutdown_timeout=LINGER)
        await self._runner.setup()
        await web.UnixSite(self._runner, address).start()
        os.chmod(address, 0o600)
        self.address = address

    async def close(self) -> None:
        """Stop serving, and remove the socket."""
        if self._runner is None:
            return
        self.address = None
        await self._runner.cleanup()
        self._runner = None
        for handler in (*self.app.on_shutdown, *self.app.on_cleanup):
            await _guarded("shut-down", handler, self.app)
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _take_routes(self) -> None:
        """Put what packs registered since the last time into the application."""
        with self._lock:
            fresh = list(self.routes)[self._taken :]
            self._taken += len(fresh)
        for route in fresh:
            try:
                route.register(self.app.router)
            except (RuntimeError, ValueError) as error:
                log.warning("A node pack's route %s cannot be added: %s", getattr(route, "path", route), error)

    def _make_request(self, message: Any, payload: Any, protocol: Any, writer: Any, task: Any) -> web.Request:
        # No limit on the size: the server, which forwards the request, has its own.
        return web.Request(message, payload, protocol, writer, task, task.get_loop(), client_max_size=0)

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        assert isinstance(request, web.Request)
        self._take_routes()
        match = await self.app.router.resolve(request)
        match.add_app(self.app)
        match.freeze()
        request._match_info = match
        handler: Handler = match.handler
        for middleware in reversed(self.app.middlewares):
            handler = partial(middleware, handler=handler)
        began = time.monotonic()
        try:
            return await handler(request)
        except web.HTTPException:
            raise
        except Exception as error:
            log.exception("The handler of %s %s in a node pack failed.", request.method, request.path)
            text = f"The node pack's handler of {request.path} failed: {type(error).__name__}: {error}"
            return web.Response(status=500, text=text)
        finally:
            if (took := time.monotonic() - began) > SLOW:
                log.warning("A node pack took %.0f s to answer %s %s.", took, request.method, request.path)


def _sweep(temporary: Path) -> None:
    """Remove the folders of processes that were killed. Whether one lives is told by its socket, since its number may
    be another's by now."""
    for folder in temporary.glob(f"{_PREFIX}*"):
        with suppress(OSError), socket.socket(socket.AF_UNIX) as knock:  # somebody else's, or just removed
            if time.time() < folder.stat().st_mtime + _YOUNG:
                continue
            knock.settimeout(1.0)
            try:
                knock.connect(str(folder / _SOCKET))
            except (ConnectionRefusedError, FileNotFoundError):
                shutil.rmtree(folder, ignore_errors=True)


def _pattern(resource: web.AbstractResource) -> str:
    if isinstance(resource, web.StaticResource):
        return f"{resource.canonical}/{{path:.*}}"
    # The canonical form of a dynamic resource leaves out the regular expressions of its parts.
    return str(getattr(resource, "_orig_path", resource.canonical))


def _place(resource: web.AbstractResource, route: web.AbstractRoute) -> str | None:
    if isinstance(resource, web.StaticResource):
        return str(resource.get_info()["directory"])
    try:
        return inspect.getfile(inspect.unwrap(route.handler))
    except (TypeError, ValueError):  # an object with __call__, or one that wraps itself
        return None


async def _guarded(what: str, handler: Callable[[web.Application], Awaitable[object]], app: web.Application) -> None:
    try:
        await handler(app)
    except Exception:
        log.exception("A %s handler of a node pack failed.", what)
