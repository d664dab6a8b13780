"""Prints what the engine costs beside the nodes' own work, as a table with the limits that Heddle sets itself.

    python -m tests.benchmarks.engine

Nodes are trivial toys, so that what is measured is all overhead; the last rows run the embedded model. Best of a few
repetitions. Rows marked (CPU) give the processor time of the one process that works, because on a shared machine the
wall clock also measures the neighbours. Ends with an error if a limit is missed.
"""

import asyncio
import ctypes
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp.test_utils import TestServer

from executor.cache import MemoryCache, NoCache
from executor.graph import NodeId
from executor.plan import make_plan
from executor.process import ProcessWorker
from executor.prompt import parse_prompt
from executor.signature import signatures
from server.app import make_app
from server.settings import ServerSettings
from tests.executor.toys import Bench, chain, definitions, folders, link, run, toy, toy_worker

ROOT = Path(__file__).resolve().parents[2]
MILLI = 1000
IN_OPEN = 0x20

Row = tuple[str, str, str, bool]


def sleeping(value: Any) -> tuple[Any]:
    """A blocking node of one second."""
    time.sleep(1.0)
    return (value,)


SLEEP = toy("Sleep", (link("value", "*"),), "*", sleeping)


def sign_and_plan(root: Path) -> Row:
    """Signatures and plan of a chain of 800 nodes of which nothing is cached."""
    known, times = definitions(), []
    for _ in range(9):
        parsed = parse_prompt(chain(798), known, folders(root))
        targets = [NodeId(output) for output in parsed.validation.outputs]
        began = time.process_time()
        signed = signatures(parsed.graph, parsed.graph.order(), known, {})
        plan, _ = make_plan(parsed.graph, targets, signed, MemoryCache(0))
        times.append(time.process_time() - began)
        assert len(plan.run) == 800
    return timed("signatures + plan, 800-node chain (CPU)", min(times), 0.020)


async def over_http(root: Path) -> Row:
    """A fully cached chain of 1,000 nodes: from the POST to the message that ends the run."""
    async with AsyncExitStack() as stack:
        worker = ProcessWorker(toy_worker, root)
        app = make_app([worker], folders(root), ServerSettings(editor=root, port=0))
        server = await stack.enter_async_context(TestServer(app))
        session = await stack.enter_async_context(aiohttp.ClientSession())
        socket = await stack.enter_async_context(session.ws_connect(server.make_url("/ws?clientId=bench")))
        body = {"prompt": chain(998), "client_id": "bench"}
        times = []
        for _ in range(12):
            began = time.perf_counter()
            async with session.post(server.make_url("/prompt"), json=body) as answer:
                job = (await answer.json())["prompt_id"]
            while not await ends(socket, job):
                pass
            times.append(time.perf_counter() - began)
    return timed("cached 1,000-node chain over HTTP and WebSocket", min(times[1:]), 0.150)


async def ends(socket: aiohttp.ClientWebSocketResponse, job: str) -> bool:
    """Whether the next message is the last one of the job."""
    message = await socket.receive()
    if message.type is not aiohttp.WSMsgType.TEXT:
        return False
    told = json.loads(message.data)
    return told["type"] == "executing" and told["data"] == {"node": None, "prompt_id": job}


async def uncached(root: Path) -> list[Row]:
    """Chains of trivial nodes: what each node costs, and whether that depends on their number."""
    per_node = {length: await best(3, lambda length=length: one_run(root, length)) for length in (1000, 5000, 10_000)}
    costs = [seconds / length for length, seconds in per_node.items()]
    spread = max(costs) / min(costs) - 1
    return [
        timed("uncached chain of 1,000 trivial nodes, overhead per node (CPU)", costs[0], 0.0003),
        timed("10,000 trivial nodes (CPU)", per_node[10_000], 5.0),
        ("1,000, 5,000, 10,000: cost per node differs by", f"{spread:.0%}", "20 %", spread <= 0.20),
    ]


async def one_run(root: Path, length: int) -> float:
    """Processor seconds from a wire prompt to the last event, nothing cached before or after."""
    worker = toy_worker(root, cache=NoCache())
    wire = chain(length - 2)
    began = time.process_time()
    events = await run(worker, wire)
    seconds = time.process_time() - began
    assert len(events[-1].executed) == length
    await worker.close()
    return seconds


async def best(times: int, work: Callable[[], Awaitable[float]]) -> float:
    """The shortest of several."""
    return min([await work() for _ in range(times)])


async def overlap(root: Path) -> Row:
    """Two independent blocking nodes of one second each."""
    worker = toy_worker(root, more=(SLEEP,))
    text = {"n": {"class_type": "Number", "inputs": {"value": 1}}}
    for name in "ab":
        text[name] = {"class_type": "Sleep", "inputs": {"value": ["n", 0]}}
        text[f"show {name}"] = {"class_type": "Show", "inputs": {"value": [name, 0]}}
    text["b"]["inputs"]["value"] = 2
    began = time.perf_counter()
    events = await run(worker, text)
    seconds = time.perf_counter() - began
    assert len(events[-1].executed) == 5
    await worker.close()
    return timed("two independent blocking nodes of 1 s", seconds, 1.1)


async def records(root: Path) -> Row:
    """The most memory that a run of 10,000 nodes holds beside its prompt, its values (one integer a node) included."""
    worker = toy_worker(root, Forgetful(), NoCache())
    wire = chain(9998)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    tracemalloc.reset_peak()
    async for _ in worker.run(job_of(wire)):
        pass
    peak = tracemalloc.get_traced_memory()[1] - before
    tracemalloc.stop()
    await worker.close()
    megabytes = peak / 2**20
    return ("the executor's own records, 10,000 nodes", f"{megabytes:.1f} MB", "50 MB", megabytes < 50)


class Forgetful(Bench):
    """Does not write down which nodes ran."""

    @property
    def ran(self) -> list[str]:
        return []

    @ran.setter
    def ran(self, value: list[str]) -> None:
        del value

    @property
    def threads(self) -> list[str]:
        return []

    @threads.setter
    def threads(self, value: list[str]) -> None:
        del value


def job_of(wire: dict[str, Any]) -> Any:
    """The job of a wire prompt."""
    from executor.worker import Job

    return Job("job", wire)


def after_restart(root: Path) -> list[Row]:
    """The embedded model's picture in a second process: the first one's results are on disk, its picture is gone."""
    checkpoint = root / "models" / "checkpoints" / "heddle_scenes.safetensors"
    checkpoint.parent.mkdir(parents=True)
    shutil.copy(ROOT / "models" / "checkpoints" / checkpoint.name, checkpoint)
    first = command_line(root)
    assert len(first["executed"]) > 5, first
    for file in first["files"]:
        Path(file).unlink()
    opened = Opens(checkpoint)
    again = command_line(root)
    count = opened.count()
    assert again["files"] == first["files"], again
    return [
        timed("the same graph after a restart, sampler's result on disk", again["seconds"], 1.0),
        (f"  nodes that ran: {len(again['executed'])}; checkpoint opened", f"{count} times", "0 times", count == 0),
    ]


def command_line(root: Path) -> dict[str, Any]:
    """`main.py run` of the default workflow in an installation of its own."""
    command = [sys.executable, "main.py", "run", "workflows/text_to_image.json", "--json", "--cpu"]
    done = subprocess.run(
        [*command, "--base-directory", str(root)], cwd=ROOT, check=True, capture_output=True, text=True
    )
    report: dict[str, Any] = json.loads(done.stdout)
    return report


class Opens:
    """Counts how often any process opens a file, as the kernel tells it (Linux, inotify)."""

    def __init__(self, path: Path) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        self._watch = libc.inotify_init1(os.O_NONBLOCK)
        if self._watch < 0 or libc.inotify_add_watch(self._watch, os.fsencode(path), IN_OPEN) < 0:
            raise OSError(ctypes.get_errno(), "inotify")
        with path.open("rb"):
            pass
        assert self.count() == 1, "it sees an opening"

    def count(self) -> int:
        """Since the last time."""
        try:
            return len(os.read(self._watch, 4096)) // 16  # events without a name have 16 bytes
        except BlockingIOError:
            return 0


def timed(name: str, seconds: float, limit: float) -> Row:
    """A row for a duration."""
    return name, duration(seconds), duration(limit), seconds <= limit


def duration(seconds: float) -> str:
    """In the unit that reads best."""
    return f"{seconds:.2f} s" if seconds >= 0.5 else f"{seconds * MILLI:.3g} ms"


async def in_loop(root: Path) -> list[Row]:
    """The rows that need an event loop."""
    return [
        await over_http(root),
        *await uncached(root),
        await overlap(root),
        await records(root),
    ]


def main() -> int:
    """Print the table; 1 if a limit is missed."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        rows = [sign_and_plan(root), *asyncio.run(in_loop(root)), *after_restart(root)]
    print(f"{'':<62}{'measured':>12}   at most")
    for name, value, limit, met in rows:
        print(f"{name:<62}{value:>12}   {limit:<10}{'' if met else 'MISSED'}")
    return 0 if all(met for *_, met in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
