"""A node pack in a real worker process, as clients of the server meet it: its node, routes, messages, and its death."""

import asyncio
import os
import shutil
import signal
import struct
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import main
from executor.command_flags import run_parser
from executor.process import ProcessWorker
from executor.worker_options import worker_options_of
from tests.server.conftest import Server

PACK = """
from aiohttp import web
from server import PromptServer

WEB_DIRECTORY = "./web"
asked = []

@PromptServer.instance.routes.post("/toys/{name}")
async def hello(request):
    return web.json_response({"hello": request.match_info["name"], "said": await request.json(), "asked": asked})

def look(body):
    asked.append(sorted(body["prompt"]))
    body["prompt"]["1"]["inputs"]["text"] += "!"
    return body

PromptServer.instance.add_on_prompt_handler(look)

class Toy:
    @classmethod
    def INPUT_TYPES(cls):
        return {
            "required": {"text": ("STRING", {"default": "a"})},
            "hidden": {"key": "API_KEY_COMFY_ORG", "node_id": "UNIQUE_ID"},
        }

    RETURN_TYPES = ("STRING",)
    FUNCTION = "go"
    OUTPUT_NODE = True
    CATEGORY = "toys"

    def go(self, text, key, node_id):
        server = PromptServer.instance
        server.send_sync("toys.said", {"key": key, "client": server.client_id}, server.client_id)
        server.send_progress_text("working", node_id, server.client_id)
        return {"ui": {"text": [text]}, "result": (text,)}

NODE_CLASS_MAPPINGS = {"ToyNode": Toy}
"""
TOY = {"1": {"class_type": "ToyNode", "inputs": {"text": "hello"}}}


def installation(base: Path) -> Any:
    """The options of a worker whose installation has two packs, one of them broken."""
    files = {
        "toys/__init__.py": PACK,
        "toys/web/a.js": "export {}",
        "broken/__init__.py": "import nothing_of_that_name",
    }
    for name, text in files.items():
        path = base / "custom_nodes" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    line = ["graph.json", "--cpu", "--cache-none", "--base-directory", str(base)]
    return worker_options_of(run_parser().parse_args(line), main.HERE)


@pytest.fixture
def sockets(monkeypatch) -> Iterator[Path]:
    """Where worker processes put their sockets: those that are killed leave them behind. Not in tmp_path, because the
    path of a socket has about a hundred characters."""
    folder = Path(tempfile.mkdtemp())
    monkeypatch.setenv("TMPDIR", str(folder))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
async def packed(sockets, start, tmp_path) -> Server:
    """A server whose worker has the packs."""
    assert sockets.is_dir()
    return await start(ProcessWorker(main.make_worker, installation(tmp_path / "home")), worker_deadline=120.0)


async def test_a_pack_is_reached_through_the_server(packed: Server):
    _, reports = await packed.get("/api/packs")
    assert [(report["name"], report["node_types"]) for report in reports] == [("broken", []), ("toys", ["ToyNode"])]
    assert "nothing_of_that_name" in reports[0]["error"]
    assert (await packed.get("/extensions"))[1] == ["/extensions/toys/a.js"]
    assert (await packed.get("/extensions/toys/a.js"))[1] == b"export {}"
    _, info = await packed.get("/object_info/ToyNode")
    assert info["ToyNode"]["input"]["hidden"] == {"key": "API_KEY_COMFY_ORG", "node_id": "UNIQUE_ID"}

    async with packed.listen("me") as listener:
        job = await packed.queue(TOY, client_id="me", extra_data={"api_key_comfy_org": "s3cret"})
        heard = await listener.until_end()
    assert {"type": "toys.said", "data": {"key": "s3cret", "client": "me"}} in heard
    assert listener.pictures == [struct.pack(">II", 3, 1) + b"1working"]
    assert (await packed.ended(job))["outputs"]["1"] == {"text": ["hello!"]}

    for prefix in ("", "/api"):
        _, answer = await packed.post(f"{prefix}/toys/you", {"a": 1})
        assert answer == {"hello": "you", "said": {"a": 1}, "asked": [["1"]]}

    os.kill(packed.worker.pid, signal.SIGKILL)
    statuses = []
    while not statuses or statuses[-1] != 200:
        status, answer = await packed.post("/toys/again", {})
        statuses.append(status)
        assert status == 200 or "The node pack 'toys'" in answer["error"]["message"]
        await asyncio.sleep(0.05)
    assert set(statuses) <= {200, 502, 503}
    assert answer["asked"] == []  # another process, which has seen no prompt
