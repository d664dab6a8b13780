"""The packs' host: routes that answer whenever they were registered, messages, prompt handlers and jobs."""

import asyncio
import logging
import os
import socket
import stat
import tempfile
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from executor.context import ExecutingContext, executing
from executor.folders import Folders
from executor.packs import PackMessage, PackReport
from nodes.packs.host import Host
from nodes.packs.model_folders import NamedFolders

WORD = web.AppKey("word", str)


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    return Folders(tmp_path, tmp_path, tmp_path, tmp_path, {"loras": (tmp_path / "loras",)})


@pytest.fixture
async def host(folders: Folders) -> AsyncIterator[Host]:
    made = Host(NamedFolders(folders))
    made.reports.append(PackReport("toys", "/toys", "custom_nodes.toys"))
    yield made
    await made.close()


async def ask(host: Host, method: str, path: str, body: Any = None) -> tuple[int, str]:
    """Status and text of the answer on the host's socket."""
    address = host.services().address
    assert address is not None
    connector = aiohttp.UnixConnector(address)
    async with (
        aiohttp.ClientSession(connector=connector) as session,
        session.request(method, f"http://pack{path}", json=body) as answer,
    ):
        return answer.status, await answer.text()


def ignore(message: PackMessage) -> None:
    del message


async def greet(request: web.Request) -> web.Response:
    return web.Response(text=f"hello {request.match_info.get('name', 'you')}")


async def fail(request: web.Request) -> web.Response:
    raise ValueError(f"no {request.path}")


async def echo(request: web.Request) -> web.Response:
    return web.json_response({"got": await request.json(), "app": request.app[WORD]})


async def absent(request: web.Request) -> web.Response:
    raise web.HTTPNotFound(text=f"nothing at {request.path}")


class Looking(web.View):
    """A handler that is a class."""

    async def get(self) -> web.Response:
        return web.Response(text=f"seen {self.request.path}")


def register(host: Host, files: Path) -> None:
    """Every way in which packs register routes."""
    routes, app = host.server.routes, host.server.app
    routes.get("/toys/hello")(greet)
    routes.get("/toys/hello/{name}")(greet)
    routes.get(r"/toys/all/{name:.+}")(greet)
    routes.get("/toys/fail")(fail)
    routes.get("/toys/absent")(absent)
    app.router.add_post("/toys/echo", echo)
    app.router.add_view("/toys/view", Looking)
    app.add_routes([web.static("/toys/files", files)])
    app[WORD] = "state"


@pytest.mark.parametrize("when", ["before the start", "while serving"])
async def test_routes_answer_whenever_they_were_registered(when: str, host: Host, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("in a file")
    if when == "before the start":
        register(host, tmp_path)
    await host.start(ignore)
    if when == "while serving":
        assert (await ask(host, "GET", "/toys/hello"))[0] == 404
        register(host, tmp_path)

    async def check(method: str, path: str, expected: tuple[int, str], body: Any = None) -> None:
        assert await ask(host, method, path, body) == expected

    await check("GET", "/toys/hello", (200, "hello you"))
    await check("GET", "/toys/hello/Ann", (200, "hello Ann"))
    await check("GET", "/toys/all/of/them", (200, "hello of/them"))
    await check("GET", "/toys/files/a.txt", (200, "in a file"))
    await check("POST", "/toys/echo", (200, '{"got": [1], "app": "state"}'), [1])
    await check("GET", "/toys/view", (200, "seen /toys/view"))
    await check("GET", "/toys/absent", (404, "nothing at /toys/absent"))
    await check("GET", "/elsewhere", (404, "404: Not Found"))
    await check("POST", "/toys/hello", (405, "405: Method Not Allowed"))
    failed = "The node pack's handler of /toys/fail failed: ValueError: no /toys/fail"
    await check("GET", "/toys/fail", (500, failed))


async def test_the_server_is_told_of_every_route_with_its_whole_pattern(host: Host, tmp_path: Path) -> None:
    register(host, tmp_path)
    got = {path for method, path in host.services().routes if method == "GET"}
    assert got == {
        "/toys/hello", "/toys/hello/{name}", "/toys/all/{name:.+}", "/toys/fail", "/toys/absent",
        "/toys/files/{path:.*}",
    }  # fmt: skip
    assert ("POST", "/toys/echo") in host.services().routes


async def test_the_server_is_told_whose_a_route_is(host: Host, tmp_path: Path) -> None:
    register(host, tmp_path)
    host.reports[:] = [
        PackReport("mine", __file__, "custom_nodes.mine"),
        PackReport("files", str(tmp_path), "custom_nodes.files"),
    ]
    owners = host.services().owners
    assert {pattern: owners[pattern] for pattern in ("/toys/hello/{name}", "/toys/files/{path:.*}")} == {
        "/toys/hello/{name}": "mine",
        "/toys/files/{path:.*}": "files",
    }


async def test_a_route_that_two_packs_register_stays_with_the_first(host: Host, caplog: Any) -> None:
    host.server.routes.get("/same")(greet)
    host.server.routes.get("/same")(fail)
    await host.start(ignore)
    assert await ask(host, "GET", "/same") == (200, "hello you")
    assert "/same cannot be added" in caplog.text


async def test_middlewares_and_start_up_handlers_of_packs_run(host: Host) -> None:
    @web.middleware
    async def louder(request: web.Request, handler: Any) -> web.StreamResponse:
        answer = await handler(request)
        return web.Response(text=answer.text.upper() + request.app[WORD])

    async def begin(app: web.Application) -> None:
        app[WORD] = "!"

    async def broken(app: web.Application) -> None:
        raise OSError(f"no {app}")

    host.server.app.middlewares.append(louder)
    host.server.app.on_startup.append(broken)
    host.server.app.on_startup.append(begin)
    host.server.routes.get("/hello")(greet)
    await host.start(ignore)
    assert await ask(host, "GET", "/hello") == (200, "HELLO YOU!")


async def test_only_this_user_reaches_the_socket_and_closing_removes_it(host: Host) -> None:
    await host.start(ignore)
    address = Path(host.services().address or "")
    assert stat.S_IMODE(address.parent.stat().st_mode) == 0o700
    await host.close()
    assert not address.parent.exists()
    assert host.services().address is None


async def test_what_a_killed_process_left_is_removed_and_nothing_else(
    host: Host, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path_factory.mktemp("t")  # the path of a socket may not be long
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    names = ("heddle-packs-living", "heddle-packs-dead", "other-dead", "heddle-packs-unfinished", "heddle-packs-young")
    for name in names:
        (place / name).mkdir()
    with socket.socket(socket.AF_UNIX) as living:
        living.bind(str(place / "heddle-packs-living" / "http"))
        living.listen()
        for name in ("heddle-packs-dead", "other-dead"):
            with socket.socket(socket.AF_UNIX) as dead:
                dead.bind(str(place / name / "http"))
        for name in names[:-1]:
            os.utime(place / name, (0, 0))
        await host.start(ignore)
        own = Path(host.services().address or "").parent.name
        left = {folder.name for folder in place.iterdir()}
    assert left == {"heddle-packs-living", "other-dead", "heddle-packs-young", own}


async def test_without_packs_nothing_is_served(folders: Folders) -> None:
    host = Host(NamedFolders(folders))
    await host.start(ignore)
    assert host.services().address is None
    assert host.services().packs == ()
    await host.close()


async def test_tasks_that_packs_left_running_end_with_the_host(folders: Folders) -> None:
    host, begun, ended = Host(NamedFolders(folders)), threading.Event(), threading.Event()

    async def forever() -> None:
        begun.set()
        try:
            await asyncio.sleep(1e6)
        finally:
            ended.set()

    asyncio.run_coroutine_threadsafe(forever(), host.loop)
    assert await asyncio.to_thread(begun.wait, 10)
    await host.close()
    assert ended.is_set()


async def test_a_handler_that_blocks_keeps_neither_jobs_nor_the_end_waiting(
    folders: Folders, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    host, entered, release = Host(NamedFolders(folders)), threading.Event(), threading.Event()

    async def block(request: web.Request) -> web.Response:
        entered.set()
        release.wait(60)
        return web.Response(text=request.path)

    host.server.routes.get("/block")(block)
    await host.start(ignore)
    loop, thread = host.loop, host._thread
    assert thread is not None
    asking = asyncio.create_task(ask(host, "GET", "/block"))
    assert await asyncio.to_thread(entered.wait, 30), "this loop goes on meanwhile"
    monkeypatch.setattr("nodes.packs.host.GRACE", 0.1)
    await host.close()
    assert "left behind" in caplog.text
    release.set()
    assert await asking == (200, "/block")
    await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(host.server.close(), loop))
    loop.call_soon_threadsafe(loop.stop)
    await asyncio.to_thread(thread.join)
    loop.close()


async def test_a_socket_that_cannot_be_made_is_logged(host: Host, monkeypatch: pytest.MonkeyPatch, caplog: Any) -> None:
    def refuse(prefix: str) -> str:
        raise OSError(f"no room for {prefix}")

    monkeypatch.setattr("tempfile.mkdtemp", refuse)
    await host.start(ignore)
    assert "The routes of node packs cannot be served: no room for" in caplog.text
    assert host.services().address is None


def add(key: str, value: int) -> Any:
    def handler(request: dict[str, Any]) -> dict[str, Any]:
        return {**request, key: value, "seen": [*request["seen"], key]}

    return handler


def broken(request: dict[str, Any]) -> dict[str, Any]:
    request["seen"].append("broken")
    raise KeyError("prompt")


def forgetful(request: dict[str, Any]) -> None:
    request["seen"].append("forgetful")


@pytest.mark.parametrize(
    ("handlers", "expected"),
    [
        pytest.param([], {"seen": []}, id="none"),
        pytest.param([add("a", 1), add("b", 2)], {"a": 1, "b": 2, "seen": ["a", "b"]}, id="in order"),
        pytest.param([broken, add("b", 2)], {"b": 2, "seen": ["b"]}, id="one that raises leaves nothing behind"),
        pytest.param([add("a", 1), forgetful], {"a": 1, "seen": ["a"]}, id="one that returns nothing is skipped"),
    ],
)
def test_prompt_handlers(handlers: list[Any], expected: dict[str, Any], folders: Folders) -> None:
    host = Host(NamedFolders(folders))
    host.prompt_handlers += handlers
    request: dict[str, Any] = {"seen": []}
    assert host.rewrite_prompt(request) == expected
    assert request == {"seen": []}, "the caller's own request is never changed"
    assert host.services().rewrites_prompts is bool(handlers)


async def test_messages_reach_who_listens_and_bad_ones_only_the_log(host: Host, caplog: Any) -> None:
    heard: list[PackMessage] = []
    host.say("early", {})
    await host.start(heard.append)
    host.say("toys.event", {"a": (1, 2)}, "client")
    with caplog.at_level(logging.WARNING):
        host.say("toys.bad", {"a": object()})
        host.say(3, "text where bytes belong")
    assert heard == [PackMessage("toys.event", {"a": [1, 2]}, "client")]
    assert caplog.text.count("cannot be sent") == 2


def test_the_client_is_that_of_the_job_that_asks(folders: Folders) -> None:
    host = Host(NamedFolders(folders))
    assert host.client_id is None
    host.job_began("one", "Ann")
    host.job_began("two", "Bob")
    assert host.client_id == "Bob", "outside of nodes: the job that began last"
    token = executing.set(ExecutingContext("one", "7", 0, None, []))  # type: ignore[arg-type]
    try:
        assert host.client_id == "Ann"
    finally:
        executing.reset(token)
    host.job_ended("one")
    assert host.jobs == {"two": "Bob"}
