"""The routes of node packs, reached through the server: whole, limited, guarded, and never in the place of ours."""

import asyncio
import json
import shutil
import tempfile
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest
from aiohttp import WSMsgType, web

from executor.packs import PackReport, PackServices
from server.keys import WORKERS
from tests.server.conftest import Server
from tests.server.fake_worker import FakeWorker

PACK = PackReport("toys", "", "custom_nodes.toys", ("Toy",))
ROUTES = (
    ("GET", "/toys/{name}"),
    ("HEAD", "/toys/{name}"),
    ("POST", "/toys/echo"),
    ("PUT", r"/toys/number/{n:\d{1,3}}"),
    ("POST", "/toys/stream"),
    ("GET", "/toys/slow"),
    ("GET", "/toys/part"),
    ("POST", "/toys/deaf"),
    ("GET", "/toys/moved"),
    ("*", "/toys/any"),
    ("GET", "/toys/files/{path:.*}"),
    ("GET", "/extensions/toys/{path:.*}"),
    ("GET", "/toys/ws"),
    ("GET", "/queue"),
    ("POST", "/prompt"),
    ("GET", "/app.js"),
    ("DELETE", "/not/{an[open"),
)


class Packs:
    """The packs' side: routes on a Unix socket, and what they heard."""

    def __init__(self, folder: Path) -> None:
        self.address = str(folder / "http")
        self.heard: list[str] = []
        self.release = asyncio.Event()
        self._runner: web.ServerRunner | None = None

    async def start(self) -> None:
        self._runner = web.ServerRunner(web.Server(self.answer))
        await self._runner.setup()
        await web.UnixSite(self._runner, self.address).start()

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            await asyncio.to_thread(Path(self.address).unlink, missing_ok=True)

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        self.heard.append(f"{request.method} {request.raw_path}")
        match request.path:
            case "/toys/echo":
                headers = {"X-Toy": "1", "Access-Control-Allow-Origin": "*", "Set-Cookie": "a=b"}
                return web.Response(status=201, body=await request.read(), headers=headers, reason="Made")
            case "/toys/stream":
                response = web.StreamResponse()
                await response.prepare(request)
                async for chunk in request.content.iter_any():
                    await response.write(chunk.upper())
                return response
            case "/toys/zip":
                zipped = web.Response(text="long " * 1000)
                zipped.enable_compression()
                return zipped
            case "/toys/slow":
                await self.release.wait()
                return web.Response(text="late")
            case "/toys/part":
                response = web.StreamResponse(headers={"Content-Length": "10"})
                await response.prepare(request)
                await response.write(b"half")
                assert request.transport is not None
                request.transport.abort()
                return response
            case "/toys/deaf":
                assert request.transport is not None
                request.transport.abort()
                return web.Response()
            case "/toys/moved":
                return web.Response(status=302, headers={"Location": "/toys/a"})
            case "/toys/ws":
                return await self._talk(request)
            case _:
                told = {"path": request.raw_path, "headers": {name.lower(): it for name, it in request.headers.items()}}
                return web.json_response(told)

    async def _talk(self, request: web.BaseRequest) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(protocols=("toy",))
        await socket.prepare(request)
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                if message.data == "bye":
                    await socket.close(code=4001)
                else:
                    await socket.send_str(message.data.upper())
            elif message.type is WSMsgType.BINARY:
                await socket.send_bytes(message.data[::-1])
        return socket


@pytest.fixture
async def packs() -> AsyncIterator[Packs]:
    folder = Path(tempfile.mkdtemp())  # not tmp_path: the path of a socket has about a hundred characters
    packs = Packs(folder)
    await packs.start()
    yield packs
    await packs.stop()
    shutil.rmtree(folder)


def worker_with(packs: Packs, **more) -> FakeWorker:
    worker = FakeWorker()
    worker.services = PackServices((PACK,), ROUTES, packs.address, **more)
    return worker


@pytest.fixture
async def server(start, packs, tmp_path) -> Server:
    editor = tmp_path / "editor"
    editor.mkdir()
    (editor / "app.js").write_text("the editor's")
    return await start(worker_with(packs), editor=editor, pack_deadline=1.0, max_upload_size=1000)


@pytest.mark.parametrize("prefix", ["", "/api"])
@pytest.mark.parametrize(
    ("method", "path", "heard"),
    [
        ("GET", "/toys/a?x=1&y=%26", "GET /toys/a?x=1&y=%26"),
        ("GET", "/toys/a%20b%2Fc", "GET /toys/a%20b%2Fc"),
        ("PUT", "/toys/number/12", "PUT /toys/number/12"),
        ("DELETE", "/toys/any", "DELETE /toys/any"),
        ("GET", "/toys/files/deep/er.txt", "GET /toys/files/deep/er.txt"),
        ("GET", "/extensions/toys/any.js", "GET /extensions/toys/any.js"),
        ("PUT", "/toys/number/1234", None),
        ("POST", "/toys/a", None),
        ("GET", "/toys", None),
        ("DELETE", "/not/x", None),
    ],
)
async def test_a_request_reaches_the_route_that_fits_it_and_no_other(
    server: Server, packs, prefix, method, path, heard
):
    status, body = await server.ask(method, prefix + path)
    assert packs.heard == ([heard] if heard else [])
    assert status == (200 if heard else 404 if method == "GET" else 405)
    if not heard:
        assert body["error"]["message"]


@pytest.mark.parametrize(("method", "path"), [("GET", "/queue"), ("POST", "/prompt"), ("GET", "/app.js")])
async def test_no_route_of_a_pack_stands_in_the_place_of_ours(server: Server, packs, method, path):
    await server.ask(method, path)
    await server.ask(method, "/api" + path)
    assert [line for line in packs.heard if "/api" not in line] == ([] if path != "/app.js" else ["GET /app.js"])
    assert (await server.get("/app.js"))[1] == b"the editor's"


async def test_body_status_and_headers_pass_both_ways(server: Server):
    headers = {"X-Asked": "yes", "Connection": "X-Private", "X-Private": "no"}
    async with server.session.get(f"{server.url}/toys/a", headers=headers) as answer:
        told = (await answer.json())["headers"]
        assert told["x-asked"] == "yes"
        assert "x-private" not in told
        assert told["host"] == server.url.removeprefix("http://")
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
    async with server.session.post(f"{server.url}/toys/echo", data=b"\x00 bytes") as answer:
        assert (answer.status, answer.reason, await answer.read()) == (201, "Made", b"\x00 bytes")
        assert answer.headers["X-Toy"] == "1"
        assert answer.headers["Set-Cookie"] == "a=b"
        assert "Access-Control-Allow-Origin" not in answer.headers
    async with server.session.get(f"{server.url}/toys/moved", allow_redirects=False) as answer:
        assert (answer.status, answer.headers["Location"]) == (302, "/toys/a")
    async with server.session.head(f"{server.url}/toys/a") as answer:
        assert (answer.status, await answer.read()) == (200, b"")


async def test_a_compressed_answer_and_a_body_that_waits_for_leave_pass(server: Server):
    async with server.session.get(f"{server.url}/toys/zip", headers={"Accept-Encoding": "gzip"}) as answer:
        assert answer.headers["Content-Encoding"] == "gzip"
        assert await answer.text() == "long " * 1000
    async with server.session.post(f"{server.url}/toys/echo", data=b"x" * 900, expect100=True) as answer:
        assert (answer.status, await answer.read()) == (201, b"x" * 900)


async def test_bodies_flow_without_being_held(server: Server):
    heard = asyncio.Event()

    async def chunks():
        yield b"one"
        await heard.wait()
        yield b"two"

    async with server.session.post(f"{server.url}/toys/stream", data=chunks()) as answer:
        assert await answer.content.readany() == b"ONE"
        heard.set()
        assert await answer.content.read() == b"TWO"


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_body_over_the_limit_is_refused(server: Server, streamed):
    async def chunks():
        for _ in range(20):
            yield b"x" * 100

    status, body = await server.ask("POST", "/toys/echo", data=chunks() if streamed else b"x" * 2000)
    assert (status, body["error"]["type"]) == (413, "body_too_large")


@pytest.mark.parametrize(
    "headers", [{"Origin": "https://evil.example"}, {"Host": "evil.example"}, {"Sec-Fetch-Site": "cross-site"}]
)
async def test_a_page_of_another_site_does_not_reach_a_pack(server: Server, packs, headers):
    for method, path in (("POST", "/toys/echo"), ("GET", "/toys/a"), ("GET", "/api/toys/a")):
        assert (await server.ask(method, path, headers=headers))[0] == 403
    assert packs.heard == []


async def test_a_pack_that_does_not_answer_in_time_is_named(start, packs):
    worker = worker_with(packs, owners={"/toys/slow": "toys"})
    server = await start(worker, pack_deadline=0.05)
    status, body = await server.get("/toys/slow")
    assert (status, body["error"]["type"]) == (504, "pack_timeout")
    assert body["error"]["message"] == "The node pack 'toys' did not answer within 0.05 s."
    packs.release.set()


async def test_an_answer_that_breaks_off_never_looks_whole(server: Server):
    with pytest.raises(aiohttp.ClientError):
        await server.get("/toys/part")
    status, body = await server.post("/toys/deaf")
    assert (status, body["error"]["type"]) == (502, "pack_failed")
    assert "'/toys/deaf' ended the connection" in body["error"]["message"]


async def test_a_worker_that_is_gone_is_said_and_its_successor_answers(server: Server, packs):
    await packs.stop()
    for path in ("/toys/a", "/toys/ws"):
        status, body = await server.get(path)
        assert (status, body["error"]["type"]) == (503, "pack_unavailable")
        assert "worker process is starting again" in body["error"]["message"]
    packs.address += "2"
    await packs.start()
    server.worker.services = replace(server.worker.services, address=packs.address)
    pool = server.app[WORKERS]
    server.worker.killed.set()
    await pool.stations[0].gone.wait()
    await pool.until(lambda: pool.stations[0].ready)
    assert (await server.get("/toys/a"))[0] == 200


async def test_a_route_that_always_breaks_costs_the_worker_nothing(server: Server):
    station = server.app[WORKERS].stations[0]
    for _ in range(10):
        assert (await server.post("/toys/deaf"))[0] == 502
        assert station.ready
    assert server.worker.asked_definitions == 1


async def test_a_route_that_a_pack_adds_later_is_found(server: Server, monkeypatch):
    assert (await server.get("/late"))[0] == 404
    server.worker.services = replace(server.worker.services, routes=(*ROUTES, ("GET", "/late")))
    monkeypatch.setattr("server.pool._FRESH_SECONDS", 0.0)
    assert (await server.get("/late"))[0] == 200


async def test_an_unknown_path_waits_for_packs_that_may_know_it(start, packs, monkeypatch):
    loading = asyncio.Event()
    worker = worker_with(packs)
    worker._loading = loading
    server = await start(worker)
    asking = asyncio.create_task(server.get("/toys/a"))
    await asyncio.sleep(0.01)
    assert not asking.done()
    loading.set()
    assert (await asking)[0] == 200
    monkeypatch.setattr("server.pack_proxy._STARTING_SECONDS", 0.01)
    never = FakeWorker(loading=asyncio.Event())
    other = await start(never, database=server.folders.user / "other.db")
    status, body = await other.get("/toys/a")
    assert (status, body["error"]["type"]) == (503, "worker_starting")


async def test_a_websocket_of_a_pack_carries_text_and_bytes_and_its_end(server: Server):
    async with server.session.ws_connect(f"{server.url}/toys/ws", protocols=("other", "toy")) as socket:
        assert socket.protocol == "toy"
        await socket.send_str("hello")
        assert (await socket.receive(timeout=5)).data == "HELLO"
        await socket.send_bytes(b"abc")
        assert (await socket.receive(timeout=5)).data == b"cba"
        await socket.send_str("bye")
        assert (await socket.receive(timeout=5)).type in (WSMsgType.CLOSE, WSMsgType.CLOSED)
        assert socket.close_code == 4001


async def test_a_client_that_leaves_ends_the_websocket_of_the_pack(server: Server, packs):
    async with server.session.ws_connect(f"{server.url}/api/toys/ws") as socket:
        await socket.send_str("hello")
        assert (await socket.receive(timeout=5)).data == "HELLO"
    assert packs.heard == ["GET /toys/ws"]
    assert json.loads(json.dumps((await server.get("/health"))[1]))["status"] == "ok"
