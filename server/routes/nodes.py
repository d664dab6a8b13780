"""`/object_info`: which node types there are."""

import asyncio
from collections.abc import Mapping

from aiohttp import web

from executor.folders import Folders
from executor.schema import NodeDefinition
from server.keys import CATALOGUE, FOLDERS
from server.protocol.object_info import object_info
from server.wire import encode, json_response, threaded


def routes() -> list[web.RouteDef]:
    """The routes of this module."""
    return [
        web.get("/object_info", get_object_info),
        web.get("/object_info/{class_type}", get_node),
        web.get("/node_replacements", threaded(get_replacements)),
    ]


async def get_object_info(request: web.Request) -> web.Response:
    """Every node type with its inputs, outputs and widgets; waits until the worker has loaded them, else 503."""
    definitions = await request.app[CATALOGUE].refreshed()
    return await _described(definitions, request.app[FOLDERS])


async def get_node(request: web.Request) -> web.Response:
    """`{class_type: entry}` for one node type; `{}` for an unknown one."""
    definitions = await request.app[CATALOGUE].refreshed()
    class_type = request.match_info["class_type"]
    chosen = {class_type: definitions[class_type]} if class_type in definitions else {}
    return await _described(chosen, request.app[FOLDERS])


def get_replacements(_request: web.Request) -> web.Response:
    """Old names of node types and what stands for them now: there are none."""
    return json_response({})


async def _described(definitions: Mapping[str, NodeDefinition], folders: Folders) -> web.Response:
    text = await asyncio.to_thread(lambda: encode(object_info(definitions, folders.list)))
    return web.Response(text=text, content_type="application/json")
