"""The API described as an OpenAPI 3.1 document, made of the route table, the handlers' docstrings and `described`.

Nothing is written down here that a route says itself, so the document cannot fall behind. It serves nothing.
"""

import inspect
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from aiohttp import web

from server.described import JSON, Description, description_of

PREFIX: Final = "/api"
_PARAMETER: Final = re.compile(r"\{(\w+)(?::([^{}]*))?\}")
_ABOUT: Final = (
    "Node graphs for diffusion models: jobs, their results, models and the user's files. Every route answers at the "
    "root and under `/api`, the pages of the editor apart. Progress is told by the WebSocket at `/ws`. What node packs "
    "answer at addresses of their own is not described here."
)

_ERROR: Final = {
    "type": "object",
    "required": ["type", "message", "details", "extra_info"],
    "properties": {
        "type": {"type": "string", "description": "for programs"},
        "message": {"type": "string", "description": "a sentence for the user"},
        "details": {"type": "string"},
        "extra_info": {"type": "object"},
    },
}
_SCHEMAS: Final[Mapping[str, Any]] = {
    "Error": _ERROR,
    "Refusal": {
        "type": "object",
        "required": ["error", "node_errors"],
        "properties": {
            "error": {"$ref": "#/components/schemas/Error"},
            "node_errors": {
                "type": "object",
                "description": "what is wrong with each node of a prompt",
                "additionalProperties": {
                    "type": "object",
                    "properties": {
                        "errors": {"type": "array", "items": {"$ref": "#/components/schemas/Error"}},
                        "dependent_outputs": {"type": "array", "items": {"type": "string"}},
                        "class_type": {"type": "string"},
                    },
                },
            },
        },
    },
    "JobRefusal": {
        "type": "object",
        "required": ["error"],
        "properties": {
            "error": {"anyOf": [{"type": "string"}, {"$ref": "#/components/schemas/Error"}]},
            "invalid_ids": {"type": "array"},
            "cancelled": {"type": "boolean"},
        },
    },
}


def describe(api: Iterable[web.RouteDef], pages: Iterable[web.RouteDef], version: str) -> dict[str, Any]:
    """The document of the routes of the `api`, also under the prefix, and of the `pages`, which are not."""
    paths: dict[str, Any] = {}
    for route in api:
        _add(paths, route, {})
    for route in pages:
        _add(paths, route, {"servers": [{"url": "/"}]})
    return {
        "openapi": "3.1.0",
        "info": {"title": "Heddle", "version": version, "description": _ABOUT},
        "servers": [{"url": "/"}, {"url": PREFIX}],
        "paths": paths,
        "components": {"schemas": _SCHEMAS},
    }


def described_path(path: str) -> str:
    """A path of the route table as the document writes it: parameters without their patterns."""
    return _PARAMETER.sub(r"{\1}", path)


def _add(paths: dict[str, Any], route: web.RouteDef, more: Mapping[str, Any]) -> None:
    entry = paths.setdefault(described_path(route.path), dict(more))
    method = "get" if route.method == "*" else route.method.lower()  # what is left at any method, reads above all
    entry[method] = _operation(route)


def _operation(route: web.RouteDef) -> dict[str, Any]:
    description = description_of(route.handler)
    about = inspect.getdoc(route.handler) or ""
    module = route.handler.__module__.rpartition(".")[2]
    operation: dict[str, Any] = {
        "operationId": f"{module}.{getattr(route.handler, '__name__', '')}",
        "tags": [module],
        "summary": about.partition("\n")[0],
        "parameters": [*_path_parameters(route.path), *_query_parameters(description)],
        "responses": {str(status): _answer(media) for status, media in description.answers.items()},
    }
    if "\n" in about:
        operation["description"] = about
    refusal = {"$ref": f"#/components/schemas/{description.refusal}"}
    operation["responses"]["default"] = {"description": "Refused", "content": {JSON: {"schema": refusal}}}
    if description.body is not None:
        operation["requestBody"] = _body(description, description.body)
    return operation


def _path_parameters(path: str) -> list[dict[str, Any]]:
    found = _PARAMETER.finditer(path)
    return [
        {
            "name": match[1],
            "in": "path",
            "required": True,
            "schema": {"type": "string", **({"pattern": match[2]} if match[2] else {})},
        }
        for match in found
    ]


def _query_parameters(description: Description) -> list[dict[str, Any]]:
    return [_query_parameter(name, schema) for name, schema in description.query.items()]


def _query_parameter(name: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    kind = {key: value for key, value in schema.items() if key != "description"}
    return {"name": name, "in": "query", "description": schema.get("description", ""), "schema": kind}


def _body(description: Description, media: str) -> dict[str, Any]:
    schema: dict[str, Any] = {}
    if description.fields:
        schema = {"type": "object", "properties": dict(description.fields)}
        if description.required:
            schema["required"] = list(description.required)
    return {"required": bool(description.required), "content": {media: {"schema": schema}}}


def _answer(media: str | None) -> dict[str, Any]:
    return {"description": "Done"} if media is None else {"description": "Done", "content": {media: {}}}
