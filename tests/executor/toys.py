"""Toy nodes, and prompts written as short text, for the executor's tests. No tensor, no file but what a test makes."""

# ruff: noqa: ARG001, ARG005 - bodies take what their sockets say

import asyncio
import json
import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from executor.cache import Cache, MemoryCache
from executor.events import Event, NodeExecuted
from executor.folders import Folders
from executor.local import InProcessWorker
from executor.progress import Preview, Progress
from executor.schema import (
    MISSING,
    FolderChoices,
    InputError,
    InputSocket,
    NodeDefinition,
    NodeType,
    OutputSocket,
    Result,
    RunInfo,
    Widget,
)
from executor.worker import Device, Job, WorkerReport

MEBIBYTE = 2**20


@dataclass
class Bench:
    """What toy nodes share with the test: which of them ran, and gates that hold them."""

    ran: list[str] = field(default_factory=list)
    threads: list[str] = field(default_factory=list)
    running: int = 0
    most_running: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)
    gate: threading.Event = field(default_factory=threading.Event)
    held: threading.Event = field(default_factory=threading.Event)
    arrived: int = 0
    both: threading.Barrier = field(default_factory=lambda: threading.Barrier(2, timeout=120))

    def take(self) -> list[str]:
        """The ids of the nodes that ran since the last call."""
        taken, self.ran = self.ran, []
        return taken


def number(name: str, default: Any = MISSING, **limits: Any) -> InputSocket:
    return InputSocket(name, "INT", Widget("number", **limits), default=default)


def link(name: str, kind: str = "INT", *, required: bool = True) -> InputSocket:
    return InputSocket(name, kind, required=required)


def toy(
    class_type: str,
    inputs: tuple[InputSocket, ...],
    outputs: str,
    body: Callable[..., Any],
    *,
    fingerprint: Callable[..., str] | None = None,
    injected: Mapping[str, str] | None = None,
    **more: Any,
) -> NodeType:
    """A node type. `outputs` is like "INT STRING[]" (brackets mark a list); the body returns a tuple of them."""
    sockets = tuple(
        OutputSocket(f"out{i}", kind.removesuffix("[]"), kind.endswith("[]")) for i, kind in enumerate(outputs.split())
    )

    def call(info: RunInfo, bench: Bench, **given: Any) -> Any:
        with bench.lock:
            bench.ran.append(info.node_id)
            bench.threads.append(threading.current_thread().name)
            bench.running += 1
            bench.most_running = max(bench.most_running, bench.running)
        try:
            answer = body(**given, **({"bench": bench} if "bench" in body.__code__.co_varnames else {}))
        finally:
            with bench.lock:
                bench.running -= 1
        return answer if isinstance(answer, Result) or asyncio.iscoroutine(answer) else Result(answer)

    definition = NodeDefinition(
        class_type=class_type,
        inputs=inputs,
        outputs=sockets,
        category="toys",
        display_name=class_type,
        injected={"info": "RunInfo", "bench": "Bench", **(injected or {})},
        **more,
    )
    return NodeType(definition, call, fingerprint)


def _show(value: Any) -> Result:
    return Result((), {"values": [value], "kind": "toy"})


def _either(a: int = 0, b: int = 0) -> tuple[int]:
    return (a or b,)


def _fail(value: Any, message: str) -> Result:
    raise InputError("value", message)


def _crash(value: Any) -> Result:
    raise ZeroDivisionError


def _steps(count: int, seconds: float, progress: Progress) -> tuple[int]:
    for step in range(1, count + 1):
        time.sleep(seconds)
        progress.step(step, count, lambda: Preview(b"picture", "image/png"))
    return (count,)


async def _gathered(value: Any, count: int, bench: Bench) -> Result:
    bench.arrived += 1
    while bench.arrived < count:  # noqa: ASYNC110 - each call may come from another run and loop
        await asyncio.sleep(0.005)
    return Result((value,))


async def _nap(value: Any, seconds: float) -> Result:
    await asyncio.sleep(seconds)
    return Result((value,))


def _meet(value: Any, bench: Bench) -> tuple[Any]:
    bench.both.wait()
    return (value,)


def _held(value: Any, bench: Bench) -> tuple[Any]:
    bench.held.set()
    bench.gate.wait(300)
    return (value,)


def _read(file: str, folders: Folders) -> tuple[str]:
    return (folders.annotated(file).read_text(),)


def _file_digest(file: str, folders: Folders) -> str:
    path = folders.annotated(file)
    if path.stat().st_size == 0:
        raise ValueError(f"The file '{file}' is empty; choose another.")
    return path.read_text()


def toy_types() -> dict[str, NodeType]:
    """All toy nodes, by class_type."""
    anything = link("value", "*")
    seconds = InputSocket("seconds", "FLOAT", Widget("number", min=0.0), default=0.0)
    message = InputSocket("message", "STRING", Widget("text"), default="It cannot be.")
    types = [
        toy("Number", (number("value", 0, min=-1000, max=10_000_000),), "INT", lambda value: (value,)),
        toy("Add", (link("a"), number("b", 1)), "INT", lambda a, b: (a + b,)),
        toy("Divide", (number("a"), number("b")), "INT INT", lambda a, b: (a // b, a % b)),
        toy("Text", (InputSocket("text", "STRING", Widget("text")),), "STRING", lambda text: (text,)),
        toy("Ratio", (InputSocket("ratio", "FLOAT", Widget("number", max=1.0)),), "FLOAT", lambda ratio: (ratio,)),
        toy("Flag", (InputSocket("flag", "BOOLEAN", Widget("toggle")),), "BOOLEAN", lambda flag: (flag,)),
        toy("Pick", (InputSocket("of", "COMBO", Widget("combo", choices=("red", "blue"))),), "COMBO", lambda of: (of,)),
        toy("Either", (link("a", required=False), link("b", "INT,FLOAT", required=False)), "INT", _either),
        toy("Thing", (number("size", 1),), "THING", lambda size: (bytearray(size),)),
        toy("Use", (link("thing", "THING"),), "INT", lambda thing: (len(thing),)),
        toy("Show", (anything,), "", _show, is_output=True),
        toy("Fail", (anything, message), "INT", _fail),
        toy("Crash", (anything,), "INT", _crash),
        toy("Short", (), "INT INT", lambda: (1,)),
        toy("Unsayable", (), "", lambda: Result((), {"image": object()}), is_output=True),
        toy("Steps", (number("count"), seconds), "INT", _steps, injected={"progress": "Progress"}),
        toy("Nap", (anything, seconds), "*", _nap, lane="loop"),
        toy("Gathered", (anything, number("count")), "*", _gathered, lane="loop"),
        toy("Meet", (anything,), "*", _meet),
        toy("DeviceHeld", (anything,), "*", _held, lane="device"),
        toy("Held", (anything,), "*", _held),
        toy("Count", (number("count"),), "INT[]", lambda count: (list(range(count)),)),
        toy("Sum", (link("value"),), "INT", lambda value: (sum(value),), input_is_list=True),
        toy(
            "Read",
            (InputSocket("file", "COMBO", Widget("combo", choices=FolderChoices("input"))),),
            "STRING",
            _read,
            fingerprint=_file_digest,
            injected={"folders": "Folders"},
        ),
        toy("Needy", (), "INT", lambda printer: (1,), injected={"printer": "Printer"}),
    ]  # fmt: skip
    return {node_type.definition.class_type: node_type for node_type in types}


def definitions() -> dict[str, NodeDefinition]:
    return {name: node_type.definition for name, node_type in toy_types().items()}


def prompt(text: str) -> dict[str, Any]:
    """A wire prompt from lines such as `b = Add a 1`, where `a` or `a.1` is an output of another line and all else is a
    JSON literal, or a plain word; `name=value` names the input."""
    lines = [line.split(" = ") for line in text.strip().splitlines()]
    ids = {node_id.strip() for node_id, _ in lines}
    known = definitions()
    nodes: dict[str, Any] = {}
    for node_id, made_by in lines:
        class_type, *arguments = made_by.split()
        names = [socket.name for socket in known[class_type].inputs] if class_type in known else []
        inputs: dict[str, Any] = {}
        for position, argument in enumerate(arguments):
            name, _, value = argument.rpartition("=")
            inputs[name or names[position]] = _value(value, ids)
        nodes[node_id.strip()] = {"class_type": class_type, "inputs": inputs}
    return nodes


def _value(text: str, ids: set[str]) -> Any:
    source, _, output = text.partition(".")
    if source in ids and (not output or output.isdigit()):
        return [source, int(output or 0)]
    try:
        return json.loads(text)
    except ValueError:
        return text


def chain(length: int) -> dict[str, Any]:
    """A number, `length` additions one after the other, and the node that shows the result."""
    nodes: dict[str, Any] = {"n0": {"class_type": "Number", "inputs": {"value": 0}}}
    for i in range(1, length + 1):
        nodes[f"n{i}"] = {"class_type": "Add", "inputs": {"a": [f"n{i - 1}", 0], "b": 1}}
    nodes["shown"] = {"class_type": "Show", "inputs": {"value": [f"n{length}", 0]}}
    return nodes


def folders(root: Path) -> Folders:
    for name in ("input", "output", "temp", "user"):
        (root / name).mkdir(exist_ok=True)
    return Folders(root / "input", root / "output", root / "temp", root / "user", {})


def report() -> WorkerReport:
    return WorkerReport((Device("toy", "cpu", None, 2, 1),), {"toys": "1"})


def toy_worker(
    root: Path,
    bench: Bench | None = None,
    cache: Cache | None = None,
    unload: Callable[[], None] = lambda: None,
    more: tuple[NodeType, ...] = (),
) -> InProcessWorker:
    """A worker with the toy nodes; also the factory of worker processes."""
    return InProcessWorker(
        toy_types() | {node_type.definition.class_type: node_type for node_type in more},
        folders(root),
        MemoryCache(64 * MEBIBYTE) if cache is None else cache,
        {"Bench": bench or Bench()},
        report,
        unload,
    )


def talking_worker(root: Path) -> InProcessWorker:
    """One that has something to say while it is made."""
    try:
        raise ValueError("inside")
    except ValueError:
        logging.getLogger("toys").warning("a word from %s", "within", exc_info=True)
    return toy_worker(root)


def broken_worker(reason: str) -> InProcessWorker:
    """A factory that cannot make its worker."""
    raise FileNotFoundError(reason)


async def run(worker: Any, text: str | Mapping[str, Any], **job: Any) -> list[Event]:
    """All events of one job."""
    wire = prompt(text) if isinstance(text, str) else text
    return [event async for event in worker.run(Job("job", wire, **job))]


def shown(events: list[Event]) -> dict[str, list[Any]]:
    """What each node showed, whether it ran or was reused."""
    return {event.node_id: event.ui["values"] for event in events if isinstance(event, NodeExecuted) and event.ui}
