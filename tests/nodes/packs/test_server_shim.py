"""`server.PromptServer.instance` and `execution`, as packs use them; each case is a line of a pack and its value."""

from pathlib import Path
from typing import Any

import pytest

from tests.nodes.packs.in_worker import evaluate

SETUP = """
import asyncio, execution, server
from aiohttp import web
from server import BinaryEventTypes, PromptServer
from executor.context import ExecutingContext, executing
instance = PromptServer.instance
heard = []
asyncio.run(around.host.start(lambda message: heard.append([message.event, message.client_id, str(message.data)])))
def said(*_):
    told = list(heard)
    heard.clear()
    return told
def inside(job, node, ask):
    token = executing.set(ExecutingContext(job, node, 0, None, []))
    try:
        return ask()
    finally:
        executing.reset(token)
@instance.routes.get("/toys")
async def toys(request):
    return web.json_response({})
def shout(request):
    return {**request, "loud": True}
instance.add_on_prompt_handler(shout)
from nodes.declare import Shown, node

@node("ToyShow", category="toys", is_output=True)
def toy_show(*, x: int) -> Shown:
    "Shows."
    return Shown({"x": [x]})

around.node_types["ToyShow"] = toy_show.node_type
def verdict(prompt):
    good, error, outputs, _ = asyncio.run(execution.validate_prompt("1", prompt))
    return [good, error and error["type"], outputs]
around.host.job_began("job-1", "client-1")
"""

CASES: list[tuple[str, Any]] = [
    ("server.__file__.endswith('shims/server.py')", True),
    ("[type(instance.routes).__name__, type(instance.app).__name__]", ["RouteTableDef", "Application"]),
    ("[list(route) for route in around.host.services().routes]", [["HEAD", "/toys"], ["GET", "/toys"]]),
    ("said(instance.send_sync('toys.event', {'a': 1}))", [["toys.event", None, "{'a': 1}"]]),
    ("said(instance.send_sync('toys.event', {}, instance.client_id))", [["toys.event", "client-1", "{}"]]),
    ("said(asyncio.run(instance.send('toys.event', {}, sid='x')))", [["toys.event", "x", "{}"]]),
    ("said(instance.send_sync(BinaryEventTypes.PREVIEW_IMAGE, b'abc'))", [[1, None, "b'abc'"]]),
    ("said(instance.send_progress_text('hi', '7'))", [[3, None, "b'\\x00\\x00\\x00\\x017hi'"]]),
    ("instance.client_id", "client-1"),
    ("instance.last_node_id", None),
    ("inside('job-1', '42', lambda: [instance.last_node_id, instance.last_prompt_id])", ["42", "job-1"]),
    ("list(instance.sockets)", ["client-1"]),
    ("[instance.address, instance.port]", ["127.0.0.1", 8188]),
    ("instance.trigger_on_prompt({'prompt': {}})", {"prompt": {}, "loud": True}),
    ("around.host.rewrite_prompt({'prompt': {}})", {"prompt": {}, "loud": True}),
    ("instance.prompt_queue.get_tasks_remaining()", 1),
    ("instance.get_queue_info()", {"exec_info": {"queue_remaining": 1}}),
    (
        "instance.prompt_queue.get_current_queue()",
        [[[0, "job-1", {}, {"client_id": "client-1"}, []]], []],
    ),
    (
        "instance.prompt_queue.put(1)",
        "RuntimeError: The queue is in Heddle's server: post the prompt to its route /prompt.",
    ),
    ("asyncio.run_coroutine_threadsafe(asyncio.sleep(0, 'ran'), instance.loop).result(10)", "ran"),
    ("instance.user_manager.get_request_user_id(None)", "default"),
    ("instance.user_manager.get_request_user_filepath(None, 'a/b.json')", "BASE/user/default/a/b.json"),
    ("instance.user_manager.get_request_user_filepath(None, '../b.json')", None),
    ("execution.full_type_name(ValueError)", "ValueError"),
    ("execution.full_type_name(web.Response)", "aiohttp.web_response.Response"),
    (
        "asyncio.run(execution.validate_prompt('1', {'3': {'class_type': 'Nothing', 'inputs': {}}}))[0]",
        False,
    ),
    (
        "verdict({'3': {'class_type': 'Nothing', 'inputs': {}}})",
        [False, "missing_node_type", []],
    ),
    (
        "verdict({'3': {'class_type': 'ToyShow', 'inputs': {}}, '4': {'class_type': 'ToyShow', 'inputs': {'x': 1}}})",
        [True, None, ["4"]],
    ),
    (
        "list(asyncio.run(execution.validate_prompt('1', {'3': {'class_type': 'ToyShow', 'inputs': {}}}))[3])",
        ["3"],
    ),
    (
        "execution.PromptExecutor(instance)",
        "RuntimeError: Heddle runs prompts in its own executor: post the prompt to /prompt instead.",
    ),
]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("heddle")


@pytest.fixture(scope="module")
def values(base: Path) -> list[Any]:
    return evaluate(base, SETUP, [line for line, _ in CASES])


@pytest.mark.parametrize(("place", "line"), list(enumerate(line for line, _ in CASES)), ids=[one for one, _ in CASES])
def test_a_pack_asks(place: int, line: str, values: list[Any], base: Path) -> None:
    expected = CASES[place][1]
    assert values[place] == (expected.replace("BASE", str(base)) if isinstance(expected, str) else expected), line


def test_our_own_server_is_forgotten_by_name_only(base: Path) -> None:
    lines = ["make_app.__module__", "sys.modules['server'] is shim", "'server.app' in sys.modules"]
    setup, before = "import sys, server as shim", "from server.app import make_app\n"
    assert evaluate(base, setup, lines, before=before) == ["server.app", True, False]
