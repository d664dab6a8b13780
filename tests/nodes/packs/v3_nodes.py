"""Adapts V3 classes where the shims are, in a process of its own, and brings back what can be compared."""

import base64
import pickle
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]

_AROUND = """
import asyncio, base64, inspect, json, pickle, sys
from pathlib import Path
import torch
from executor.context import ExecutingContext, executing
from executor.installation import make_folders
from executor.schema import ExecutionBlocker, Result
from nodes.packs.shim_finder import install
from nodes.packs.surroundings import make_surroundings
base = Path(sys.argv[1])
install(make_surroundings(make_folders(base), {}, {}, json.loads(sys.argv[3])))
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

steps = Steps()
executing.set(ExecutingContext("job", "7", 0, steps, []))

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

found = {}
"""

_TELL = '\nprint("found " + base64.b64encode(pickle.dumps(found)).decode())\n'


def found(base: Path, code: str, options: str = "{}") -> dict[str, Any]:
    """What the code put into the dict `found`. It may use all that is above."""
    whole = _AROUND + textwrap.dedent(code) + _TELL
    command = [sys.executable, "-c", whole, str(base), "", options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    line = next(line for line in done.stdout.splitlines() if line.startswith("found "))
    values: dict[str, Any] = pickle.loads(base64.b64decode(line.removeprefix("found ")))
    return values
