"""Adapts V3 classes where the shims are, in a process of its own, and brings back what can be compared."""

import base64
import json
import pickle
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]

_AROUND = """
import asyncio, base64, inspect, json, pickle, sys, traceback
from pathlib import Path
import torch
from executor.context import ExecutingContext, executing
from executor.installation import make_folders
from executor.schema import ExecutionBlocker, Result
from nodes.packs.shim_finder import install
from nodes.packs.surroundings import make_surroundings
base = Path(sys.argv[1])
install(make_surroundings(make_folders(base), {}, {}, json.loads(sys.argv[2])))
from comfy_api.latest import ComfyAPI, ComfyAPISync, ComfyExtension, Input, InputImpl, Types, io, ui
from nodes.packs import v3

class Steps:
    def __init__(self):
        self.told = []
    def step(self, value, total, preview=None):
        self.told.append((value, total, preview() if preview else None))
    def text(self, text):
        self.told.append(text)
    def check(self):
        pass

def toy(schema, run=None, **methods):
    run = run or (lambda cls, **given: io.NodeOutput(*[given] * len(schema.outputs)))
    body = {"define_schema": lambda cls: schema, "execute": run, **methods}
    body = {name: classmethod(one) if inspect.isfunction(one) else one for name, one in body.items()}
    return type("Toy", (io.ComfyNode,), body)

def adapt(cls):
    return v3.node_type(cls, "custom_nodes.toys", "digest")

def schema(*inputs, outputs=(io.Int.Output(),), **more):
    return io.Schema(node_id="Toy", category="toys", inputs=list(inputs), outputs=list(outputs), **more)

def attempt(function, *given, **named):
    try:
        return function(*given, **named)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
"""

_SERVE = """
def run(code):
    names = dict(globals(), found={}, steps=Steps())
    executing.set(ExecutingContext("job", "7", 0, names["steps"], []))
    try:
        exec(code, names)
        return names["found"]
    except Exception:
        return traceback.format_exc()

for line in sys.stdin:
    told = pickle.dumps(run(base64.b64decode(line).decode()))
    print("told " + base64.b64encode(told).decode(), flush=True)
"""

Found = Callable[[str], dict[str, Any]]
"""Runs code with the names above, and gives what it put into the dict `found`."""


@contextmanager
def shims(base: Path, options: dict[str, Any] | None = None) -> Iterator[Found]:
    """One process for many pieces of code, each of which has names of its own."""
    command = [sys.executable, "-c", _AROUND + _SERVE, str(base), json.dumps(options or {})]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        given, told = process.stdin, process.stdout

        def found(code: str) -> dict[str, Any]:
            given.write(base64.b64encode(textwrap.dedent(code).encode()).decode() + "\n")
            given.flush()
            line = next(line for line in told if line.startswith("told "))
            values = pickle.loads(base64.b64decode(line.removeprefix("told ")))
            assert isinstance(values, dict), values
            return values

        try:
            yield found
        finally:
            given.close()
            process.wait(timeout=30)
