"""`/settings`: what the editor remembers for its user."""

import asyncio

from aiohttp import web

from server.described import JSON, described
from server.keys import SETTINGS, USER_SETTINGS
from server.routes.queue import read_object
from server.wire import json_response, read_json, threaded


def routes() -> list[web.RouteDef]:
    """The routes of this module."""
    return [
        web.get("/settings", threaded(get_settings)),
        web.post("/settings", post_settings),
        web.get("/settings/{id}", threaded(get_setting)),
        web.post("/settings/{id}", post_setting),
    ]


def get_settings(request: web.Request) -> web.Response:
    """All settings as one object; 409 if the file is damaged."""
    return json_response(request.app[USER_SETTINGS].read())


def get_setting(request: web.Request) -> web.Response:
    """The value of one setting, `null` if it was never set."""
    return json_response(request.app[USER_SETTINGS].read().get(request.match_info["id"]))


@described(body=JSON, answers={200: None})
async def post_settings(request: web.Request) -> web.Response:
    """Merge an object into the settings."""
    changes = await read_object(request)
    await asyncio.to_thread(request.app[USER_SETTINGS].merge, changes)
    return web.Response()


@described(body=JSON, answers={200: None})
async def post_setting(request: web.Request) -> web.Response:
    """Set one setting to the JSON value in the body."""
    value = await read_json(request, request.app[SETTINGS].max_json_size)
    await asyncio.to_thread(request.app[USER_SETTINGS].merge, {request.match_info["id"]: value})
    return web.Response()
