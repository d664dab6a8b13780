"""Prints how durable jobs and the protocol perform, as a table with the limits that Heddle sets itself.

    python -m tests.benchmarks.protocol          all rows
    python -m tests.benchmarks.protocol queue    those of one part: traffic, queue, clients, kill or turnaround

The server is the real one, a process of its own with a worker process of its own; its nodes are toys. The peer's figure
is given where one is known. Ends with an error if a limit is missed.
"""

import asyncio
import contextlib
import itertools
import json
import os
import signal
import socket
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from executor.folders import Folders
from executor.local import InProcessWorker
from executor.process import ProcessWorker
from executor.progress import Progress
from executor.schema import InputSocket, Result, Widget
from server.app import make_app
from server.serve import serve
from server.settings import ServerSettings
from tests.executor.toys import chain, folders, toy, toy_worker

ROOT = Path(__file__).resolve().parents[2]
JOBS = int(os.environ.get("HEDDLE_BENCHMARK_JOBS", "10000"))
"""A smaller number for a quick look; the limits are those of 10,000."""
MEGABYTE = 1_000_000
MILLI = 1000

Row = tuple[str, str, str, bool]


def _note(name: str, seconds: float, folders: Folders, progress: Progress) -> Result:
    with (folders.user / "ran").open("a") as file:
        file.write(f"{name}\n")
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        progress.check()
        time.sleep(0.01)
    return Result((), {"text": [name]})


def noting_worker(root: Path) -> InProcessWorker:
    """The toy nodes, and `Note`, which writes down that it ran."""
    inputs = (InputSocket("name", "STRING", Widget("text")), InputSocket("seconds", "FLOAT", Widget("number"), 0.0))
    note = toy("Note", inputs, "", _note, injected={"folders": "Folders", "progress": "Progress"}, is_output=True)
    return toy_worker(root, more=(note,))


async def be_server(root: Path) -> None:
    """The process that is measured."""
    await serve(
        make_app([ProcessWorker(noting_worker, root)], folders(root), ServerSettings(port=0)), ServerSettings(port=0)
    )


@dataclass
class Served:
    """The server, spoken to."""

    process: asyncio.subprocess.Process
    url: str
    session: aiohttp.ClientSession

    async def post(self, path: str, body: Any) -> Any:
        async with self.session.post(self.url + path, json=body) as answer:
            text = await answer.read()
            assert answer.status == 200, text
            return json.loads(text) if text else None

    async def get(self, path: str) -> bytes:
        async with self.session.get(self.url + path) as answer:
            return await answer.read()

    async def remaining(self) -> int:
        """Jobs that wait or run."""
        info = json.loads(await self.get("/prompt"))
        return int(info["exec_info"]["queue_remaining"])

    async def drained(self) -> None:
        """Return when no job is left."""
        while await self.remaining():  # noqa: ASYNC110 - the server is asked as any client would
            await asyncio.sleep(0.05)

    def received(self, path: str) -> int:
        """Bytes of an answer, read as fast as they come: what a client does with them is its own affair."""
        host, port = self.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as raw:
            raw.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n".encode())
            room, count = bytearray(MEGABYTE), 0
            while more := raw.recv_into(room):
                count += more
            return count

    def processor_seconds(self) -> float:
        """What the server's process, without its worker, has computed so far."""
        ticks = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()[11:13]
        return sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")

    def megabytes(self) -> float:
        """The most memory that the process has held so far."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmHWM"))


@contextlib.asynccontextmanager
async def serving(root: Path) -> AsyncIterator[Served]:
    """A server on `root` whose worker is ready; killed at the end."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.benchmarks.protocol", "serve", str(root)),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        line = (await process.stdout.readline()).decode()
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
            served = Served(process, line.removeprefix("Heddle is at ").strip(), session)
            await served.get("/object_info")
            yield served
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def graph(length: int, first: int) -> dict[str, Any]:
    """A chain that nobody has run yet."""
    wire = chain(length - 2)
    node = next(node for node in wire.values() if node["class_type"] == "Number")
    node["inputs"]["value"] = first
    return wire


def note(name: str, seconds: float = 0.0) -> dict[str, Any]:
    """A prompt that leaves a line behind."""
    return {"1": {"class_type": "Note", "inputs": {"name": name, "seconds": seconds}}}


async def traffic(root: Path) -> list[Row]:
    """Everything that a WebSocket carries during a run of 800 nodes of which none is remembered."""
    async with serving(root) as served, served.session.ws_connect(f"{served.url}/ws?clientId=me") as listening:
        await listening.receive()
        await served.post("/prompt", {"prompt": graph(800, 1), "client_id": "me"})
        size = 0
        while True:
            message = await listening.receive()
            size += len(message.data)
            if message.type is aiohttp.WSMsgType.TEXT and '"node":null' in message.data:
                break
    name = "bytes over the WebSocket, 800-node run (ComfyUI: 128 MB)"
    return [(name, f"{size / MEGABYTE:.2f} MB", "1 MB", size < MEGABYTE)]


async def queue(root: Path) -> list[Row]:
    """Very many jobs that wait, and what the server says of them meanwhile."""
    async with serving(root) as served:
        for index in range(100):
            await served.post("/prompt", {"prompt": graph(60, 1000 + index)})
        await served.drained()
        await served.post("/queue", {"pause": True})
        bodies = [{"prompt": graph(60, 10_000 + index)} for index in range(JOBS)]
        waiting = iter(bodies)

        async def submit() -> None:
            for body in waiting:
                await served.post("/prompt", body)

        began, computed = time.perf_counter(), served.processor_seconds()
        await asyncio.gather(*(submit() for _ in range(8)))
        rate = JOBS / (time.perf_counter() - began)
        accepting = (served.processor_seconds() - computed) / JOBS
        computed = served.processor_seconds()
        listed = await best_of(10, lambda: asyncio.to_thread(served.received, "/queue"))
        computed = (served.processor_seconds() - computed) / 10
        told = await best_of(10, lambda: asyncio.to_thread(served.received, "/history?max_items=100"))
        assert len(json.loads(await served.get("/queue"))["queue_pending"]) == JOBS
        assert len(json.loads(await served.get("/history?max_items=100"))) == 100
        held = served.megabytes()
    return [
        (f"{JOBS:,} jobs of 60 nodes: submitted", f"{rate:.0f} /s", "300 /s", rate >= 300),
        at_most("  the server's processor time for each", accepting, 1 / 300),
        at_most("  /queue with all of them, to its last byte", listed, 0.1),
        at_most("  of that, the server's processor time", computed, 0.1),
        at_most("  /history?max_items=100", told, 0.1),
        ("  the server's memory at its highest", f"{held:.0f} MB", "400 MB", held < 400),
    ]


async def clients(root: Path) -> list[Row]:
    """200 sockets that hear of the same jobs, one of which never reads."""
    late: list[float] = []

    async def listen(connection: aiohttp.ClientWebSocketResponse) -> None:
        async for message in connection:
            now = time.time()
            if message.type is not aiohttp.WSMsgType.TEXT or '"timestamp":' not in message.data:
                continue
            late.append(now - json.loads(message.data)["data"]["timestamp"] / MILLI)

    async with serving(root) as served, contextlib.AsyncExitStack() as stack:
        connections = [
            await stack.enter_async_context(served.session.ws_connect(f"{served.url}/ws?clientId=all"))
            for _ in range(199)
        ]
        stack.enter_context(await never_reading(served.url, "all"))
        listeners = [asyncio.create_task(listen(connection)) for connection in connections]
        for index in range(30):
            await served.post("/prompt", {"prompt": graph(12, 50_000 + index), "client_id": "all"})
            await asyncio.sleep(0.1)
        await served.drained()
        await asyncio.sleep(0.5)
        for listener in listeners:
            listener.cancel()
        await asyncio.gather(*listeners, return_exceptions=True)
    assert len(late) >= 199 * 30 * 3, len(late)
    return [at_most("200 WebSocket clients, one never reads: latency of an event, p99", quantile(late, 0.99), 0.1)]


async def never_reading(url: str, client_id: str) -> socket.socket:
    """A WebSocket with as little room as the system allows, which nobody reads."""
    port = int(url.rpartition(":")[2])
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    raw.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(raw, ("127.0.0.1", port))
    lines = (
        f"GET /ws?clientId={client_id} HTTP/1.1", f"Host: 127.0.0.1:{port}", "Upgrade: websocket",
        "Connection: Upgrade", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13", "", "",
    )  # fmt: skip
    await loop.sock_sendall(raw, "\r\n".join(lines).encode())
    return raw


async def kill(root: Path) -> list[Row]:
    """The server is killed while 50 jobs wait behind one that runs, and started again."""
    names = [f"job {index}" for index in range(50)]
    async with serving(root) as served:
        await served.post("/prompt", {"prompt": note("running", 60.0)})
        while not (root / "user" / "ran").is_file():  # noqa: ASYNC110 - another process writes it
            await asyncio.sleep(0.01)
        for name in names:
            await served.post("/prompt", {"prompt": note(name)})
        os.kill(served.process.pid, signal.SIGKILL)
        await served.process.wait()
    async with serving(root) as served:
        running: list[Any] = []
        while not running:
            running = json.loads(await served.get("/queue"))["queue_running"]
        await served.post(f"/jobs/{running[0][1]}/cancel", None)  # its second attempt
        await served.drained()
        ended = json.loads(await served.get("/history"))
    ran = [line for line in (root / "user" / "ran").read_text().splitlines() if line != "running"]
    lost, twice = set(names) - set(ran), len(ran) - len(set(ran))
    completed = sum(entry["status"]["completed"] for entry in ended.values())
    good = ran == names and completed == 50
    return [("kill -9 with 50 pending jobs, restart: run", str(completed), "50", good)] + [
        (f"  {what}", str(count), "0", count == 0) for what, count in (("lost", len(lost)), ("run twice", twice))
    ]


async def turnaround(root: Path) -> list[Row]:
    """From the POST to the message of success, one client, one job after the other, every commit on the disk."""
    times: list[float] = []
    async with serving(root) as served, served.session.ws_connect(f"{served.url}/ws?clientId=me") as listening:
        await listening.receive()
        for index in range(320):
            body = {"prompt": graph(3, 90_000 + index), "client_id": "me"}
            began = time.perf_counter()
            await served.post("/prompt", body)
            while '"type":"execution_success"' not in (await listening.receive()).data:
                pass
            times.append(time.perf_counter() - began)
    times = times[20:]
    return [
        at_most("submit to success, one client: p50", quantile(times, 0.5), 0.010),
        at_most("  p99", quantile(times, 0.99), 0.040),
    ]


async def best_of(times: int, work: Callable[[], Awaitable[Any]]) -> float:
    """Seconds of the fastest of several."""
    found = []
    for _ in range(times):
        began = time.perf_counter()
        await work()
        found.append(time.perf_counter() - began)
    return min(found)


def quantile(values: list[float], part: float) -> float:
    """The value below which `part` of them lie."""
    return sorted(values)[min(len(values) - 1, int(part * len(values)))]


def at_most(name: str, seconds: float, limit: float) -> Row:
    """A row for a duration."""
    return name, f"{seconds * MILLI:.3g} ms", f"{limit * MILLI:g} ms", seconds < limit


PARTS = {"traffic": traffic, "queue": queue, "clients": clients, "kill": kill, "turnaround": turnaround}


async def measure(parts: list[str]) -> list[Row]:
    """The rows of these parts, each with a server of its own."""
    rows = []
    for part in parts:
        with tempfile.TemporaryDirectory() as folder:
            rows.append(await PARTS[part](Path(folder)))
    return list(itertools.chain(*rows))


def main(words: list[str]) -> int:
    """Print the table; 1 if a limit is missed."""
    if words[:1] == ["serve"]:
        asyncio.run(be_server(Path(words[1])))
        return 0
    rows = asyncio.run(measure(words or list(PARTS)))
    print(f"{'':<66}{'measured':>10}   limit")
    for name, value, limit, met in rows:
        print(f"{name:<66}{value:>10}   {limit:<10}{'' if met else 'MISSED'}")
    return 0 if all(met for *_, met in rows) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
