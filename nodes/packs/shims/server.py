"""`server.PromptServer.instance`, as packs know it: routes, messages and handlers, collected by the worker's host.

The HTTP server that clients talk to is another process, and nothing of it is here.
"""

import asyncio
from collections.abc import Mapping
from typing import Any, ClassVar

from aiohttp import web
from app.user_manager import UserManager
from execution import PromptQueue
from pack_surroundings import here

from executor.context import executing
from nodes.packs.host import Host, PromptHandler
from nodes.packs.messages import PREVIEW_IMAGE, PREVIEW_IMAGE_WITH_METADATA, UNENCODED_PREVIEW_IMAGE, text_payload
from nodes.packs.messages import TEXT as TEXT_FRAME

__all__ = ["BinaryEventTypes", "PromptServer", "web"]


class BinaryEventTypes:
    """Numbers of the binary frames."""

    PREVIEW_IMAGE = PREVIEW_IMAGE
    UNENCODED_PREVIEW_IMAGE = UNENCODED_PREVIEW_IMAGE
    TEXT = TEXT_FRAME
    PREVIEW_IMAGE_WITH_METADATA = PREVIEW_IMAGE_WITH_METADATA


class PromptServer:
    """The server as a pack sees it."""

    instance: ClassVar["PromptServer"]

    def __init__(self) -> None:
        self._host: Host = here().host
        self.prompt_queue = PromptQueue(self)
        self.user_manager = UserManager()
        self.supports = ["custom_nodes_from_web"]
        self.number = 0
        """What the next prompt of this pack would be called; the server counts its own."""

    @property
    def routes(self) -> web.RouteTableDef:
        """Takes handlers with a decorator, at any time."""
        return self._host.server.routes

    @property
    def app(self) -> web.Application:
        """Takes handlers, static folders and start-up handlers; never frozen."""
        return self._host.server.app

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The event loop of the routes, which runs on a thread of its own."""
        return self._host.loop

    @property
    def on_prompt_handlers(self) -> list[PromptHandler]:
        """What `add_on_prompt_handler` added, in order."""
        return self._host.prompt_handlers

    @property
    def client_id(self) -> str | None:
        """The client of the job that the asking code runs for."""
        return self._host.client_id

    @property
    def last_node_id(self) -> str | None:
        """The node that the asking code is part of."""
        context = executing.get()
        return context.node_id if context else None

    @property
    def last_prompt_id(self) -> str | None:
        """The job that the asking code runs for."""
        context = executing.get()
        return context.job_id if context else None

    @property
    def sockets(self) -> Mapping[str, Any]:
        """The clients that the worker knows of, those whose jobs run. Their sockets are the server's: None here."""
        return {client: None for client in self._host.jobs.values() if client is not None}

    @property
    def address(self) -> str:
        """Where the server listens."""
        return str(here().options.get("listen", "127.0.0.1"))

    @property
    def port(self) -> int:
        """Where the server listens."""
        return int(here().options.get("port", 8188))

    def send_sync(self, event: str | int, data: Any, sid: str | None = None) -> None:
        """Send to a client, or (None) to all; from any thread."""
        self._host.say(event, data, sid)

    async def send(self, event: str | int, data: Any, sid: str | None = None) -> None:
        """The same, for coroutines."""
        self._host.say(event, data, sid)

    async def send_json(self, event: str, data: Any, sid: str | None = None) -> None:
        """Send JSON."""
        self._host.say(event, data, sid)

    async def send_bytes(self, event: int, data: bytes, sid: str | None = None) -> None:
        """Send a binary frame."""
        self._host.say(event, data, sid)

    async def send_image(self, image_data: tuple[str, Any, int | None], sid: str | None = None) -> None:
        """Send a picture, (format, PIL image, largest side or None), as a preview."""
        self._host.say(UNENCODED_PREVIEW_IMAGE, image_data, sid)

    def send_progress_text(self, text: str | bytes, node_id: str, sid: str | None = None) -> None:
        """Show a line of text on a node."""
        self._host.say(TEXT_FRAME, text_payload(text, node_id), sid)

    def add_on_prompt_handler(self, handler: PromptHandler) -> None:
        """Let the handler see and change the body of every request to `/prompt`, after those added before."""
        self._host.prompt_handlers.append(handler)

    def trigger_on_prompt(self, json_data: dict[str, Any]) -> dict[str, Any]:
        """What all handlers together make of such a body."""
        return dict(self._host.rewrite_prompt(json_data))

    def get_queue_info(self) -> dict[str, Any]:
        """How many jobs the worker knows of."""
        return {"exec_info": {"queue_remaining": self.prompt_queue.get_tasks_remaining()}}

    def queue_updated(self) -> None:
        """Nothing to do: the server itself tells clients of its queue, of which the worker knows a part only."""


PromptServer.instance = PromptServer()
