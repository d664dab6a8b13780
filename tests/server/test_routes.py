"""Every route answers with the expected shape, with and without the prefix, and says what it is for."""

import ast
import inspect
from pathlib import Path

import pytest
from aiohttp import web

import server as server_package
from server.app import all_routes
from tests.server.conftest import Server

SAVE = {"1": {"class_type": "Save", "inputs": {"name": "a"}}}


def shape(value):
    """The types of a JSON value: of all members of an object, of the first item of a list."""
    if isinstance(value, dict):
        return {key: shape(item) for key, item in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return type(value)


ERROR = {"error": {"type": str, "message": str, "details": str, "extra_info": {}}, "node_errors": {}}

HEALTH = {
    "status": str,
    "worker": str,
    "workers": [{"state": str, "running": [], "silent_seconds": float}],
    "running": type(None),
    "queue_remaining": int,
    "notices": [],
}

ANSWERS = [
    ("GET", "/prompt", None, 200, {"exec_info": {"queue_remaining": int, "queue_paused": bool}}),
    ("POST", "/prompt", {"prompt": SAVE}, 200, {"prompt_id": str, "number": int, "node_errors": {}}),
    ("POST", "/prompt", {"prompt": {}}, 400, ERROR),
    ("POST", "/workflow/convert", {"nodes": [], "links": []}, 200, {"prompt": {}, "warnings": []}),
    ("POST", "/workflow/convert", {"workflow": {"nodes": []}}, 200, {"prompt": {}, "warnings": []}),
    ("POST", "/workflow/convert", {"prompt": SAVE}, 400, ERROR),
    ("GET", "/queue", None, 200, {"queue_pending": [], "queue_running": [], "queue_paused": bool}),
    ("POST", "/queue", {"clear": True}, 200, bytes),
    ("POST", "/queue", {"delete": ["unknown"]}, 200, bytes),
    ("POST", "/queue", {"delete": "unknown"}, 400, ERROR),
    ("POST", "/queue", {"pause": False}, 200, bytes),
    ("POST", "/queue", {"pause": "yes"}, 400, ERROR),
    ("POST", "/queue", {"move": {"prompt_id": "unknown", "to": "front"}}, 404, ERROR),
    ("POST", "/queue", {"move": {"prompt_id": "unknown", "to": "bottom"}}, 400, ERROR),
    ("POST", "/queue", {"move": {"prompt_id": "unknown", "number": True}}, 400, ERROR),
    ("POST", "/queue", {"move": {"prompt_id": "unknown", "to": "front", "number": 1}}, 400, ERROR),
    ("POST", "/queue", {"move": []}, 400, ERROR),
    ("POST", "/interrupt", None, 200, bytes),
    ("POST", "/interrupt", {"prompt_id": "unknown"}, 200, bytes),
    ("POST", "/interrupt", {"prompt_id": 3}, 400, ERROR),
    ("POST", "/free", None, 200, bytes),
    ("POST", "/free", {"unload_models": True}, 200, bytes),
    ("GET", "/history", None, 200, {}),
    ("GET", "/history?max_items=0", None, 200, {}),
    ("GET", "/history?max_items=3&offset=-1", None, 200, {}),
    ("GET", "/history?max_items=abc", None, 400, ERROR),
    ("GET", "/history/unknown", None, 200, {}),
    ("POST", "/history", {"clear": True}, 200, bytes),
    (
        "GET",
        "/jobs",
        None,
        200,
        {"jobs": [], "pagination": {"offset": int, "limit": type(None), "total": int, "has_more": bool}},
    ),
    ("GET", "/jobs?status=zz", None, 400, {"error": str}),
    ("GET", "/jobs?limit=0", None, 400, {"error": str}),
    ("GET", "/jobs/unknown", None, 404, {"error": str}),
    ("POST", "/jobs/unknown/cancel", None, 404, {"error": str, "cancelled": bool}),
    ("POST", "/jobs/not an id/cancel", None, 400, {"error": str, "invalid_ids": [str]}),
    ("POST", "/jobs/cancel", {"job_ids": ["unknown"]}, 200, {"cancelled": bool}),
    ("POST", "/jobs/cancel", {"job_ids": ["known", "not an id", 3]}, 400, {"error": str, "invalid_ids": [str]}),
    ("POST", "/jobs/cancel", {}, 400, {"error": str}),
    ("GET", "/node_replacements", None, 200, {}),
    ("GET", "/internal/logs", None, 200, str),
    ("GET", "/internal/folder_paths", None, 200, {"checkpoints": [str], "embeddings": [str]}),
    ("GET", "/internal/files/output", None, 200, []),
    ("GET", "/internal/files/models", None, 400, ERROR),
    ("PATCH", "/internal/logs/subscribe", {"clientId": "x", "enabled": True}, 200, bytes),
    ("PATCH", "/internal/logs/subscribe", {"clientId": "x"}, 400, ERROR),
    ("GET", "/v2/userdata", None, 200, []),
    ("GET", "/v2/userdata?path=none", None, 404, ERROR),
    ("GET", "/v2/userdata?path=../..", None, 403, ERROR),
    ("POST", "/users", {"username": "other"}, 400, {"error": str}),
    ("GET", "/experiment/models/preview/checkpoints/0/none.safetensors", None, 404, ERROR),
    ("GET", "/experiment/models/preview/checkpoints/7/none.safetensors", None, 404, ERROR),
    ("GET", "/features", None, 200, {"supports_preview_metadata": bool, "max_upload_size": int}),
    ("GET", "/users", None, 200, {"storage": str, "migrated": bool}),
    ("GET", "/extensions", None, 200, []),
    ("GET", "/i18n", None, 200, {}),
    ("GET", "/packs", None, 200, []),
    ("GET", "/extensions/none/a.js", None, 404, ERROR),
    ("GET", "/workflow_templates", None, 200, {}),
    ("GET", "/workflow_templates/none/a.json", None, 404, ERROR),
    ("GET", "/global_subgraphs", None, 200, {}),
    ("GET", "/global_subgraphs/none", None, 200, type(None)),
    ("GET", "/models", None, 200, [str]),
    ("GET", "/models/checkpoints", None, 200, []),
    ("GET", "/models/unet", None, 404, ERROR),
    ("GET", "/experiment/models", None, 200, [{"name": str, "folders": [str]}]),
    ("GET", "/experiment/models/checkpoints", None, 200, []),
    ("GET", "/embeddings", None, 200, []),
    ("GET", "/object_info/No such node", None, 200, {}),
    ("GET", "/settings", None, 200, {}),
    ("GET", "/settings/Some.Setting", None, 200, type(None)),
    ("GET", "/userdata", None, 400, ERROR),
    ("GET", "/userdata?dir=workflows", None, 404, ERROR),
    ("GET", "/userdata?dir=../..", None, 403, ERROR),
    ("GET", "/userdata/none.json", None, 404, ERROR),
    ("DELETE", "/userdata/none.json", None, 404, ERROR),
    ("POST", "/userdata/none.json/move/other.json", None, 404, ERROR),
    ("GET", "/view", None, 404, ERROR),
    ("GET", "/view?filename=none.png", None, 404, ERROR),
    ("GET", "/view?filename=none.png&type=bogus", None, 400, ERROR),
    ("GET", "/view_metadata/checkpoints?filename=none.safetensors", None, 404, ERROR),
    ("POST", "/upload/image", {}, 400, ERROR),
    ("POST", "/upload/mask", {}, 400, ERROR),
    ("GET", "/health", None, 200, HEALTH),
    ("GET", "/nothing/here", None, 404, ERROR),
]


@pytest.mark.parametrize("prefix", ["", "/api"])
@pytest.mark.parametrize(("method", "path", "body", "status", "expected"), ANSWERS)
async def test_each_route_answers_in_its_shape(server: Server, prefix, method, path, body, status, expected):
    options = {} if body is None else {"json": body}
    found = await server.ask(method, prefix + path, **options)
    assert (found[0], shape(found[1])) == (status, expected), found[1]


async def test_an_unknown_address_or_method_is_a_sentence(server: Server):
    status, body = await server.post("/nothing", {})
    assert status == 405
    assert "does not answer POST" in body["error"]["message"]
    status, body = await server.get("/nothing")
    assert (status, body["error"]["message"]) == (404, "There is nothing at '/nothing'.")


async def test_system_stats_tell_memory_devices_and_versions(server: Server):
    status, body = await server.get("/system_stats")
    assert status == 200
    assert body["devices"] == [
        {
            "name": "cpu",
            "type": "cpu",
            "index": None,
            "vram_total": 1000,
            "vram_free": 400,
            "torch_vram_total": 1000,
            "torch_vram_free": 400,
        }
    ]
    system = body["system"]
    assert system["pytorch_version"] == "2.13.0+cpu"
    assert system["heddle_version"] == "1.2.3"
    assert system["ram_total"] > system["ram_free"] > 0
    assert {"os", "comfyui_version", "python_version", "embedded_python", "argv"} <= set(system)


def api_routes() -> list[web.RouteDef]:
    return [route for route in all_routes() if route.path not in ("/", "/{path:.+}")]


def test_every_route_also_answers_under_the_prefix():
    plain = {(route.method, route.path) for route in api_routes() if not route.path.startswith("/api/")}
    prefixed = {
        (route.method, route.path.removeprefix("/api")) for route in api_routes() if route.path.startswith("/api/")
    }
    assert plain == prefixed
    assert len(plain) > 35


def test_the_table_above_covers_every_route():
    app = web.Application()
    app.add_routes(api_routes())
    asked = {(method, path.partition("?")[0]) for method, path, *_ in ANSWERS}
    elsewhere = {
        "/ws",
        "/login",
        "/openapi.json",
        "/internal/logs/raw",
        "/object_info",
        "/system_stats",
        "/settings",
        "/settings/{id}",
        "/userdata/{file}",
    }
    for route in api_routes():
        if route.path.startswith("/api/") or route.path in elsewhere:
            continue
        resource = web.DynamicResource(route.path) if "{" in route.path else web.PlainResource(route.path)
        matched = [path for method, path in asked if method == route.method and resource._match(path) is not None]
        assert matched, f"{route.method} {route.path} is in no case"


def test_every_handler_says_what_it_is_for():
    for route in all_routes():
        first = (inspect.getdoc(route.handler) or "").partition("\n")[0]
        assert first.endswith((".", "`", "?")), f"{route.method} {route.path} has no documentation"
        assert len(first) > 20


def awaits(function: ast.AsyncFunctionDef) -> bool:
    return any(isinstance(node, ast.Await | ast.AsyncFor | ast.AsyncWith) for node in ast.walk(function))


def lazy_coroutines(source: str) -> list[str]:
    found = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.AsyncFunctionDef))
    return [node.name for node in found if not awaits(node)]


def test_no_async_function_of_the_server_runs_without_waiting():
    """One that never waits does its work on the event loop: make it a plain function and wrap it in `threaded`."""
    files = list(Path(server_package.__file__).parent.rglob("*.py"))
    excused = {("clients.py", "send_str"), ("clients.py", "send_bytes")}  # a Protocol has no bodies
    excused.add(("middleware.py", "add_headers"))  # aiohttp's signals are coroutines; this one only fills a mapping
    excused.add(("pack_proxy.py", "_never"))  # stands for a handler in another process, and is never called
    found = {(file.name, name) for file in files for name in lazy_coroutines(file.read_text())}
    assert found == excused
    assert sum(source.read_text().count("async def") for source in files) > 50


def test_the_rule_above_finds_what_it_looks_for():
    assert lazy_coroutines("async def bad():\n  return open('f').read()\nasync def good():\n  await x()") == ["bad"]
