"""Node types without torch, under the names that the cases use: a worker process of them is ready in half a second.

For cases about the server, which restart it again and again. Everything around the nodes is what users run.
"""

import asyncio
import io
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image

from executor.cache import MemoryCache
from executor.folders import Folders
from executor.local import InProcessWorker
from executor.schema import InputSocket, NodeDefinition, NodeType, OutputSocket, Result, Widget
from executor.worker import Device, WorkerReport
from executor.worker_options import WorkerOptions
from nodes.output_files import OutputSeries


def number(name: str, default: float = 0) -> InputSocket:
    return InputSocket(name, "INT" if isinstance(default, int) else "FLOAT", Widget("number"), default=default)


def text(name: str) -> InputSocket:
    return InputSocket(name, "STRING", Widget("text"), default="")


def link(name: str) -> InputSocket:
    return InputSocket(name, "IMAGE")


def _type(name: str, inputs: tuple[InputSocket, ...], call: Callable[..., Any], *, shows: bool = False) -> NodeType:
    outputs = () if shows else (OutputSocket("image", "IMAGE"),)
    injected = {"folders": "Folders"} if shows else {}
    definition = NodeDefinition(name, inputs, outputs, "light", name, is_output=shows, injected=injected)
    return NodeType(definition, call)


def empty(width: int, height: int, batch_size: int, color: int) -> Result:  # noqa: ARG001 - there is one
    return Result(((width, height, color),))


def save(folders: Folders, images: Any, filename_prefix: str = "x") -> Result:
    return _saved(folders, "output", images, filename_prefix)


def preview(folders: Folders, images: Any) -> Result:
    return _saved(folders, "temp", images, "preview")


def _saved(folders: Folders, place: Any, images: Any, prefix: str) -> Result:
    width, height, color = images
    held = io.BytesIO()
    Image.new("RGB", (width, height), (color >> 16 & 255, color >> 8 & 255, color & 255)).save(held, "PNG")
    return Result((), {"images": [OutputSeries(folders, place, prefix).save(".png", held.getvalue())]})


async def sleep(way: str) -> Result:
    await asyncio.sleep(float(way))
    return Result(((1, 1, 0),))


def tally(file: str, line: str, seconds: float) -> Result:
    with Path(file).open("a") as lines:
        lines.write(f"{line}\n")
    time.sleep(seconds)
    return Result(((1, 1, 0),))


async def death(way: str) -> Result:
    await asyncio.sleep(0.2)  # so that it has been told that it runs
    os.kill(os.getpid(), signal.SIGSEGV if "segfault" in way else signal.SIGKILL)
    return Result(((1, 1, 0),))


def show(folders: Folders, value: Any) -> Result:
    return Result((), {"text": [f"{value} in {folders.output.name}"]})


def report() -> WorkerReport:
    return WorkerReport((Device("cpu", "cpu", None, 0, 0),), {})


def make_light_worker(options: WorkerOptions) -> InProcessWorker:
    """Stands in for `main.make_worker`."""
    types = (
        _type("EmptyImage", (number("width"), number("height"), number("batch_size", 1), number("color")), empty),
        _type("SaveImage", (link("images"), text("filename_prefix")), save, shows=True),
        _type("PreviewImage", (link("images"),), preview, shows=True),
        _type("HostileSleep", (text("way"),), sleep),
        _type("HostileDeath", (text("way"),), death),
        _type("HostileShow", (link("value"),), show, shows=True),
        _type("Tally", (text("file"), text("line"), number("seconds", 0.0)), tally),
    )
    return InProcessWorker(
        {it.definition.class_type: it for it in types},
        options.folders,
        MemoryCache(2**20),
        {},
        report,
        lambda: None,
    )
