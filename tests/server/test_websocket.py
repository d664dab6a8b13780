"""Sockets come, go, stall and talk nonsense, and nobody else notices."""

import asyncio
import json
import socket

import aiohttp
import pytest
from websockets.asyncio.client import connect

from server.clients import BACKLOG, MAX_WAITING_BYTES, Client, Clients
from server.protocol.frames import Message
from tests.server.conftest import Server

SAVE = {"1": {"class_type": "Save", "inputs": {"name": "a"}}}
WAIT = {"9": {"class_type": "Wait", "inputs": {}}}
STEPS = {"7": {"class_type": "Steps", "inputs": {"steps": 2}}}


async def test_a_socket_without_an_id_is_given_one(server: Server):
    async with server.listen() as listener:
        sid = listener.heard[0]["data"]["sid"]
        assert len(sid) == 32
        await server.queue(SAVE, client_id=sid)
        assert (await listener.until_end())[-1]["data"]["node"] is None


async def test_a_late_listener_learns_what_is_running(server: Server):
    job = await server.queue(WAIT, client_id="late")
    await server.started()
    async with server.listen("other") as other, server.listen("late") as listener:
        assert listener.heard[0]["data"] == {
            "status": {"exec_info": {"queue_remaining": 1, "queue_paused": False}},
            "sid": "late",
        }
        executing = await listener.next()
        assert (executing["type"], executing["data"]) == (
            "executing",
            {"node": "9", "display_node": "9", "prompt_id": job},
        )
        state = await listener.next()
        assert state["data"]["nodes"]["9"]["state"] == "running"
        server.worker.released.set()
        await listener.until_end()
        assert (await other.next())["type"] == "status"
    assert len(other.heard) == 2


async def test_the_end_of_an_old_socket_leaves_its_successor_connected(server: Server):
    async with server.listen("me") as old, server.listen("me") as new:
        await old.socket.close()
        await asyncio.sleep(0.05)
        await server.queue(SAVE, client_id="me")
        types = [message["type"] for message in await new.until_end()]
    assert "executed" in types


async def test_two_tabs_with_one_id_both_hear_everything(server: Server):
    async with server.listen("me") as one, server.listen("me") as two:
        await server.queue(SAVE, client_id="me")
        heard = await asyncio.gather(one.until_end(), two.until_end())
    assert heard[0] == heard[1]


async def test_nonsense_is_ignored_and_too_much_of_it_closes_only_its_socket(server: Server):
    async with server.listen("me") as listener:
        for text in ("", "junk", "[]", '{"type": 3}', '{"type": "feature_flags"}', "[" * 5000):
            await listener.socket.send_str(text)
        await listener.socket.send_bytes(b"\x00" * 100)
        await server.queue(SAVE, client_id="me")
        await listener.until_end()
        async with server.listen("big") as big:
            await big.socket.send_str("x" * (2 * 1024 * 1024))
            frame = await big.socket.receive(timeout=10)
            assert frame.type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED)
            assert big.socket.close_code == 1009
        await server.queue(SAVE, client_id="me")
        await listener.until_end()


async def test_an_endless_client_id_is_refused(server: Server):
    status, answer = await server.get(f"/ws?clientId={'x' * 300}")
    assert (status, answer["error"]["type"]) == (400, "invalid_client_id")


async def open_raw(server: Server, client_id: str) -> socket.socket:
    """A WebSocket that is never read, with as little buffer as the system allows."""
    port = int(server.url.rpartition(":")[2])
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    raw.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(raw, ("127.0.0.1", port))
    request = (
        f"GET /ws?clientId={client_id} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    await loop.sock_sendall(raw, request.encode())
    return raw


async def ping_on(raw: socket.socket) -> None:
    """Send empty pings for some time."""
    for _ in range(100):
        await asyncio.get_running_loop().sock_sendall(raw, b"\x89\x80\x00\x00\x00\x00")
        await asyncio.sleep(0.01)


async def test_a_client_that_never_reads_is_dropped_and_delays_nobody(server: Server):
    raw = await open_raw(server, "stalled")
    try:
        async with server.listen("me") as listener:
            burst = {"1": {"class_type": "Burst", "inputs": {"count": 120}}}  # 12 MB
            await server.ended(await server.queue(burst, client_id="stalled"))
            began = asyncio.get_running_loop().time()
            await server.queue(SAVE, client_id="me")
            types = [message["type"] for message in await listener.until_end()]
            assert asyncio.get_running_loop().time() - began < 1
        assert "executed" in types
        with pytest.raises((ConnectionResetError, BrokenPipeError)):
            await ping_on(raw)
    finally:
        raw.close()


async def test_a_client_that_was_dropped_comes_back_and_learns_what_is_running(server: Server):
    raw = await open_raw(server, "me")
    try:
        prompt = {"1": {"class_type": "Burst", "inputs": {"count": 120}}, **WAIT}
        job = await server.queue(prompt, client_id="me")
        with pytest.raises((ConnectionResetError, BrokenPipeError)):
            await ping_on(raw)
        for _ in range(1000):
            if (await server.get(f"/jobs/{job}"))[1]["progress"]["node"] == "9":
                break
            await asyncio.sleep(0.01)
    finally:
        raw.close()
    async with server.listen("me") as listener:
        executing, state = await listener.next(), await listener.next()
        assert executing["data"] == {"node": "9", "display_node": "9", "prompt_id": job}
        assert state["data"]["nodes"]["9"]["state"] == "running"
        server.worker.released.set()
        assert "execution_success" in [message["type"] for message in await listener.until_end()]


async def test_an_independent_client_follows_a_run(server: Server):
    async with connect(f"{server.url.replace('http', 'ws')}/ws?clientId=them") as connection:
        job = await server.queue(STEPS, client_id="them")
        heard, pictures = [], 0
        async with asyncio.timeout(10):
            async for frame in connection:
                if isinstance(frame, bytes):
                    pictures += 1
                    continue
                message = json.loads(frame)
                heard.append(message["type"])
                if message["type"] == "executing" and message["data"]["node"] is None:
                    assert message["data"]["prompt_id"] == job
                    break
    assert pictures == 2
    assert heard[-3:] == ["execution_success", "status", "executing"]


async def test_a_stopping_server_says_goodbye(server: Server):
    async with server.listen("me") as listener:
        _, frame = await asyncio.gather(server.app.shutdown(), listener.socket.receive(timeout=10))
        assert frame.type is aiohttp.WSMsgType.CLOSE
        assert listener.socket.close_code == 1001


class Pipe:
    """A socket that takes nothing until it is opened."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.open = asyncio.Event()

    async def send_str(self, data: str) -> None:
        await self.open.wait()
        self.sent.append(data)

    async def send_bytes(self, data: bytes) -> None:
        raise AssertionError(data)


async def test_out_of_date_progress_is_replaced_and_nothing_else_is_lost():
    clients, pipe = Clients(), Pipe()
    client = Client("me", pipe, lambda: pytest.fail("it must not be dropped"))
    clients.add(client)
    pump = asyncio.create_task(client.pump())
    count = 10 * BACKLOG
    for index in range(count):
        clients.send(
            "me", [Message("progress", {"value": index}, replaces="progress 1"), Message("executed", {"n": index})]
        )
    pipe.open.set()
    await asyncio.sleep(0.1)  # the pump empties the queue without another wait
    pump.cancel()
    sent = [json.loads(text) for text in pipe.sent]
    assert [it["data"]["n"] for it in sent if it["type"] == "executed"] == list(range(count))
    values = [it["data"]["value"] for it in sent if it["type"] == "progress"]
    assert values == sorted(values)
    assert values[-1] == count - 1
    assert len(values) < BACKLOG


async def test_a_client_that_falls_too_far_behind_is_dropped_once_it_holds_too_much():
    dropped = asyncio.Event()
    client = Client("me", Pipe(), dropped.set)
    clients = Clients()
    clients.add(client)
    for _ in range(MAX_WAITING_BYTES // 100_000):
        clients.send("me", [Message("executed", {"text": "x" * 99_900})])
    assert not dropped.is_set()
    clients.send("me", [Message("executed", {"text": "x" * 300_000})])
    assert dropped.is_set()
