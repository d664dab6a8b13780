"""A server on a loopback socket, and a client that speaks to it as any program would."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from executor.folders import Folders
from server.app import make_app
from server.settings import ServerSettings
from tests.server.fake_worker import FakeWorker


def make_folders(base: Path) -> Folders:
    roots = {name: base / name for name in ("input", "output", "temp", "user")}
    for root in (*roots.values(), base / "checkpoints", base / "embeddings"):
        root.mkdir(parents=True, exist_ok=True)
    models = {"checkpoints": (base / "checkpoints",), "embeddings": (base / "embeddings",)}
    return Folders(**roots, models=models)


@dataclass
class Listener:
    """One WebSocket; what it heard so far."""

    socket: aiohttp.ClientWebSocketResponse
    heard: list[dict[str, Any]] = field(default_factory=list)
    pictures: list[bytes] = field(default_factory=list)

    async def next(self) -> dict[str, Any]:
        """The next text frame; binary ones are kept aside."""
        while True:
            frame = await self.socket.receive(timeout=10)
            if frame.type is aiohttp.WSMsgType.BINARY:
                self.pictures.append(frame.data)
                continue
            assert frame.type is aiohttp.WSMsgType.TEXT, frame
            self.heard.append(json.loads(frame.data))
            return self.heard[-1]

    async def until(self, *types: str) -> list[dict[str, Any]]:
        """Everything up to the first message of one of these types, that one included."""
        begin = len(self.heard)
        while (await self.next())["type"] not in types:
            pass
        return self.heard[begin:]

    async def until_end(self) -> list[dict[str, Any]]:
        """Everything up to the end of a run: `executing` with no node."""
        begin = len(self.heard)
        while True:
            message = await self.next()
            if message["type"] == "executing" and message["data"]["node"] is None:
                return self.heard[begin:]


@dataclass
class Server:
    """A running server with its client session."""

    url: str
    worker: FakeWorker
    folders: Folders
    app: web.Application
    session: aiohttp.ClientSession

    async def get(self, path: str, **options: Any) -> tuple[int, Any]:
        return await self.ask("GET", path, **options)

    async def post(self, path: str, body: Any = None, **options: Any) -> tuple[int, Any]:
        return await self.ask("POST", path, **({"json": body} if body is not None else {}), **options)

    async def ask(self, method: str, path: str, **options: Any) -> tuple[int, Any]:
        async with self.session.request(method, self.url + path, **options) as answer:
            is_json = answer.content_type == "application/json"
            return answer.status, await answer.json() if is_json else await answer.read()

    async def queue(self, prompt: dict[str, Any], **envelope: Any) -> str:
        """Post a prompt that is accepted; its id."""
        status, body = await self.post("/prompt", {"prompt": prompt, **envelope})
        assert status == 200, body
        return body["prompt_id"]

    async def ended(self, prompt_id: str) -> dict[str, Any]:
        """The history entry of a job, once it has ended."""
        for _ in range(500):
            _, body = await self.get(f"/history/{prompt_id}")
            if body:
                return body[prompt_id]
            await asyncio.sleep(0.01)
        raise AssertionError(f"{prompt_id} did not end")

    async def started(self, count: int = 1) -> None:
        """Return once the worker has been given so many jobs."""
        for _ in range(500):
            if len(self.worker.jobs) >= count:
                return
            await asyncio.sleep(0.01)
        raise AssertionError(f"only {len(self.worker.jobs)} jobs began")

    @asynccontextmanager
    async def listen(self, client_id: str | None = None, **options: Any) -> AsyncIterator[Listener]:
        """A socket that has heard its greeting."""
        query = f"?clientId={client_id}" if client_id else ""
        async with self.session.ws_connect(f"{self.url}/ws{query}", **options) as socket:
            listener = Listener(socket)
            assert (await listener.next())["type"] == "status"
            yield listener


Start = Callable[..., Awaitable[Server]]


@asynccontextmanager
async def starting(tmp_path: Path) -> AsyncIterator[Start]:
    """Starts servers; all of them are stopped at the end."""
    async with AsyncExitStack() as stack:

        async def begin(
            worker: FakeWorker | None = None, base: Path = tmp_path, workers: Sequence[FakeWorker] = (), **settings: Any
        ) -> Server:
            folders = make_folders(base)
            workers = workers or [worker or FakeWorker()]
            # Every state is told at once unless a test is about that: what is told must not depend on a clock.
            default = ServerSettings(worker_deadline=5.0, version="1.2.3", state_interval=0.0)
            app = make_app(workers, folders, replace(default, **settings))
            runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
            await runner.setup()
            stack.push_async_callback(runner.cleanup)
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            port = runner.addresses[0][1]
            session = await stack.enter_async_context(aiohttp.ClientSession())
            return Server(f"http://127.0.0.1:{port}", workers[0], folders, app, session)

        yield begin


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Start]:
    """Start servers."""
    async with starting(tmp_path) as begin:
        yield begin


@pytest.fixture
async def server(start: Start) -> Server:
    """One server with default settings."""
    return await start()
