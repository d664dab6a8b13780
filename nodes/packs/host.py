"""The host of the packs in one worker: their routes, their messages, their look at prompts, the jobs that run.

Implements `executor.packs.PackHost`. Packs reach it through `server.PromptServer.instance`; it knows none of them.
"""

import asyncio
import copy
import logging
import threading
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from executor.context import executing
from executor.packs import PackMessage, PackReport, PackServices
from nodes.packs.messages import make_message
from nodes.packs.model_folders import NamedFolders
from nodes.packs.routes import RouteServer

log = logging.getLogger(__name__)

GRACE = 10.0
"""Seconds in which the routes must have ended when the host closes."""

PromptHandler = Callable[[dict[str, Any]], dict[str, Any] | None]
"""Takes the body of a request to `/prompt` and gives what to use in its place."""


class Host:
    """The packs' routes run on an event loop of their own, on a thread of their own: a handler that blocks keeps other
    handlers waiting, but no job."""

    def __init__(self, model_folders: NamedFolders) -> None:
        self.reports: list[PackReport] = []
        """How each pack was loaded; whoever loads them fills it."""
        self.prompt_handlers: list[PromptHandler] = []
        """In the order in which they were added."""
        self.web_directories: dict[str, str] = {}
        """Folders with JavaScript that packs name by themselves, in `nodes.EXTENSION_WEB_DIRS`."""
        self.server = RouteServer()
        """Where packs register routes."""
        self._model_folders = model_folders
        self._hear: Callable[[PackMessage], None] | None = None
        self._jobs: dict[str, str | None] = {}
        self._last_client: str | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The event loop of the packs' routes; it runs from the first question for it on."""
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(target=self._loop.run_forever, name="pack routes", daemon=True)
                self._thread.start()
            return self._loop

    async def start(self, hear: Callable[[PackMessage], None]) -> None:
        """Serve routes from now on, if there is any pack; messages go to `hear`, from any thread."""
        self._hear = hear
        if not self.reports and not self.server.listed():
            return
        try:
            await _on(self.loop, self.server.start())
        except OSError as error:
            log.error("The routes of node packs cannot be served: %s", error)

    async def close(self) -> None:
        """Stop serving, and end the event loop of the routes."""
        self._hear = None
        with self._lock:
            loop, thread, self._loop, self._thread = self._loop, self._thread, None, None
        if loop is None or thread is None:
            return
        try:
            async with asyncio.timeout(GRACE):
                await _on(loop, self.server.close())
                await _on(loop, _cancel_others())
        except TimeoutError:
            log.warning("A node pack keeps the thread of the routes busy; it is left behind.")
            return
        loop.call_soon_threadsafe(loop.stop)
        await asyncio.to_thread(thread.join)
        loop.close()

    def services(self) -> PackServices:
        """What there is now."""
        return PackServices(
            packs=tuple(self._with_directories(report) for report in self.reports),
            routes=self.server.listed(),
            address=self.server.address,
            owners=self._owners(),
            model_folders={key: self._model_folders.folder(key) for key in self._model_folders},
            rewrites_prompts=bool(self.prompt_handlers),
        )

    def _owners(self) -> dict[str, str]:
        """Path pattern of a route -> name of the pack that has the code."""
        return {
            pattern: report.name
            for pattern, place in self.server.files().items()
            for report in self.reports
            if Path(place).is_relative_to(report.path)
        }

    def _with_directories(self, report: PackReport) -> PackReport:
        """The report with the folders that the pack named by itself, which are those inside its own."""
        told = report.web_directories or {}
        own = {
            name: folder for name, folder in self.web_directories.items() if Path(folder).is_relative_to(report.path)
        }
        return replace(report, web_directories={**told, **own}) if own else report

    def rewrite_prompt(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """The body of a request to `/prompt` after every handler has seen it; one that fails is logged and skipped."""
        current = dict(request)
        for handler in tuple(self.prompt_handlers):
            name = getattr(handler, "__qualname__", repr(handler))
            try:
                # A copy: a handler that fails half-way leaves nothing behind.
                rewritten = handler(copy.deepcopy(current))
            except Exception:
                log.exception("The prompt handler %s of a node pack failed; the prompt stays as it was.", name)
                continue
            if isinstance(rewritten, dict):
                current = rewritten
            else:
                log.warning("The prompt handler %s of a node pack returned no prompt; it stays as it was.", name)
        return current

    def say(self, event: str | int, data: Any, client_id: str | None = None) -> None:
        """Send a message to a client, or (None) to all. From any thread. What cannot be sent is logged and dropped, as
        a node must not fail for it."""
        try:
            message = make_message(event, data, client_id)
        except (TypeError, ValueError, OSError) as error:
            log.warning("A node pack's message '%s' cannot be sent: %s", event, error)
            return
        if self._hear is not None:
            self._hear(message)

    def job_began(self, job_id: str, client_id: str | None) -> None:
        """A job begins to run."""
        self._jobs[job_id] = self._last_client = client_id

    def job_ended(self, job_id: str) -> None:
        """It has ended."""
        self._jobs.pop(job_id, None)

    @property
    def jobs(self) -> Mapping[str, str | None]:
        """The jobs that run -> their clients."""
        return dict(self._jobs)

    @property
    def client_id(self) -> str | None:
        """The client of the job that the asking code is part of; elsewhere, of the job that began last."""
        context = executing.get()
        if context is not None and context.job_id in self._jobs:
            return self._jobs[context.job_id]
        return self._last_client


async def _on(loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, None]) -> None:
    """Run it on a loop of another thread."""
    await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(coroutine, loop))


async def _cancel_others() -> None:
    """End what packs left running on their loop."""
    others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in others:
        task.cancel()
    with suppress(asyncio.CancelledError):
        await asyncio.gather(*others, return_exceptions=True)
