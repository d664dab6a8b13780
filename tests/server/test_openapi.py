"""The description of the API: every route is in it, and what it says of a route is what the route does."""

import ast
import fnmatch
import inspect
import re
import sys

import pytest
from aiohttp import web

from server.app import all_routes, api_routes
from server.described import description_of
from server.openapi import PREFIX, describe, described_path
from server.protocol import prompts
from server.routes import editor
from tests.server.conftest import Server
from tests.server.test_routes import ANSWERS


@pytest.fixture(scope="module")
def document() -> dict:
    return describe(api_routes(), editor.routes(), "1.2.3")


def operation_of(document: dict, method: str, path: str) -> dict:
    """What the document says of a route of the application, or of an address that it answers."""
    bare = path.removeprefix(PREFIX) or "/"
    for template, entry in document["paths"].items():
        pattern = re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(template))
        fits = bare == template or re.fullmatch(pattern, bare)
        if fits and method.lower() in entry and template != "/{path}":
            return entry[method.lower()]
    return document["paths"]["/{path}"]["get"]


async def test_the_document_is_served_with_every_route_in_it(server: Server):
    status, document = await server.get("/openapi.json")
    assert (status, document["openapi"], document["info"]["version"]) == (200, "3.1.0", "1.2.3")
    assert [entry["url"] for entry in document["servers"]] == ["/", "/api"]
    assert await server.get("/api/openapi.json") == (200, document)
    for route in all_routes():
        path = described_path(route.path)
        own = path in document["paths"]
        assert own or path.startswith("/api/"), path
        entry = document["paths"][path if own else path.removeprefix("/api")]
        method = "get" if route.method == "*" else route.method.lower()
        said = entry[method]
        names = re.findall(r"\{(\w+)", route.path)
        assert [it["name"] for it in said["parameters"] if it["in"] == "path"] == names
        assert said["summary"]
    routes = {(described_path(route.path), route.method) for route in [*api_routes(), *editor.routes()]}
    assert sum(len(set(entry) - {"servers"}) for entry in document["paths"].values()) == len(routes)


def test_every_operation_has_a_name_of_its_own_and_every_reference_leads_somewhere(document: dict):
    operations = [it for entry in document["paths"].values() for key, it in entry.items() if key != "servers"]
    names = [operation["operationId"] for operation in operations]
    assert len(set(names)) == len(names) > 45
    for reference in re.findall(r"'\$ref': '#/components/schemas/(\w+)'", str(document)):
        assert reference in document["components"]["schemas"]
    assert document["paths"]["/extensions/{pack}/{path}"]["get"]["parameters"][1]["schema"]["pattern"] == ".+"
    fields = document["paths"]["/prompt"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert fields["required"] == ["prompt"]


async def test_each_answer_has_the_media_type_that_was_announced(server: Server, document: dict):
    for method, path, body, status, _ in ANSWERS:
        responses = operation_of(document, method, path.partition("?")[0])["responses"]
        options = {} if body is None else {"json": body}
        async with server.session.request(method, server.url + path, **options) as answer:
            assert answer.status == status
            content = await answer.read()
        said = responses.get(str(status), responses["default"])
        if content:
            assert any(fnmatch.fnmatch(answer.content_type, media) for media in said["content"]), path
        else:
            assert "content" not in said, path
        assert (str(status) in responses) == (status < 400), path


async def test_the_page_and_the_files_have_the_media_types_that_were_announced(server: Server, document: dict):
    (server.folders.output / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    for path in ("/", "/view?filename=a.png", "/system_stats", "/settings", "/object_info"):
        async with server.session.get(server.url + path) as answer:
            assert answer.status == 200
            said = operation_of(document, "GET", path.partition("?")[0])["responses"]["200"]["content"]
            assert any(fnmatch.fnmatch(answer.content_type, media) for media in said)


READS_QUERY = {"_whole": 1, "_flag": 1}
"""Functions of the routes that read a query parameter, and which of their arguments names it."""


def handlers() -> list:
    return [inspect.unwrap(route.handler) for route in api_routes()]


def words_read(source: str, holder: str, readers: dict[str, int] | None = None) -> set[str]:
    """The constant names that are read from the mapping `holder` (the last part of its name)."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Call(ast.Attribute(value, "get"), [ast.Constant(str() as name), *_]) if named(value) == holder:
                found.add(name)
            case ast.Subscript(value, ast.Constant(str() as name)) if named(value) == holder:
                found.add(name)
            case ast.Compare(ast.Constant(str() as name), [ast.In() | ast.NotIn()], [value]) if named(value) == holder:
                found.add(name)
            case ast.Call(ast.Name(function), arguments) if readers and function in readers:
                argument = arguments[readers[function]]
                found |= {argument.value} if isinstance(argument, ast.Constant) else set()
    return found


def named(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


@pytest.mark.parametrize("module", sorted({handler.__module__ for handler in handlers()}))
def test_every_parameter_that_a_module_reads_is_described_and_no_other(module):
    source = inspect.getsource(sys.modules[module])
    described = {name for it in handlers() if it.__module__ == module for name in description_of(it).query}
    assert words_read(source, "query", READS_QUERY) == described


@pytest.mark.parametrize("module", sorted({handler.__module__ for handler in handlers()}))
def test_every_field_of_a_body_that_a_module_reads_is_described_and_no_other(module):
    source = inspect.getsource(sys.modules[module])
    read = words_read(source, "body") | words_read(source, "form", {"_text": 1})
    if module.endswith(".history"):
        read.add("delete")  # by a function of the queue's
    if module.endswith(".prompt"):
        read |= words_read(inspect.getsource(prompts), "body")
    described = {name for it in handlers() if it.__module__ == module for name in description_of(it).fields}
    assert read == described


def test_the_rules_above_find_what_they_look_for():
    source = 'request.query.get("a")\nrequest.query["b"]\n"c" in query\n_flag(request, "d")\nother.get("e")'
    assert words_read(source, "query", READS_QUERY) == {"a", "b", "c", "d"}


def test_a_route_that_nobody_described_is_in_the_document_all_the_same():
    def get_extra(_request: web.Request) -> web.Response:
        """Something new."""
        return web.Response()

    said = describe([web.get("/extra/{name}", get_extra)], [], "1")["paths"]["/extra/{name}"]["get"]
    assert (said["summary"], [it["name"] for it in said["parameters"]]) == ("Something new.", ["name"])
