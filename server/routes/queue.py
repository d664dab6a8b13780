"""`/queue`, `/interrupt` and `/free`: what waits and runs, and how to stop it."""

from typing import Any

from aiohttp import web

from server.errors import ApiError
from server.keys import CREDENTIALS, DISPATCHER, SETTINGS, STORE
from server.protocol.records import queue_item
from server.wire import json_response, read_json


def routes() -> list[web.RouteDef]:
    """The routes of this module."""
    return [
        web.get("/queue", get_queue),
        web.post("/queue", post_queue),
        web.post("/interrupt", post_interrupt),
        web.post("/free", post_free),
    ]


async def get_queue(request: web.Request) -> web.Response:
    """`{"queue_running", "queue_pending"}`, each in the order in which it runs."""
    store = request.app[STORE]
    running = [queue_item(job) for job in await store.in_state("in_progress")]
    pending = [queue_item(job) for job in await store.in_state("pending")]
    return json_response({"queue_running": running, "queue_pending": pending})


async def post_queue(request: web.Request) -> web.Response:
    """Withdraw pending jobs: `{"clear": true}` or `{"delete": [prompt_id, ...]}`. Unknown ids are no error."""
    body = await read_object(request)
    chosen = None if body.get("clear") else id_list(body)
    request.app[CREDENTIALS].drop(await request.app[STORE].withdraw(chosen))
    request.app[DISPATCHER].announce()
    return web.Response()


async def post_interrupt(request: web.Request) -> web.Response:
    """Stop all running jobs; with `{"prompt_id": id}` only that one, if it runs. Always 200."""
    body = await read_object(request)
    prompt_id = body.get("prompt_id")
    if prompt_id is not None and not isinstance(prompt_id, str):
        raise ApiError(400, "invalid_request", "'prompt_id' must be text.")
    await request.app[DISPATCHER].interrupt(prompt_id)
    return web.Response()


async def post_free(request: web.Request) -> web.Response:
    """After what runs now, drop the loaded models (`unload_models`) and every memo too (`free_memory`)."""
    body = await read_object(request)
    free_memory = bool(body.get("free_memory"))
    unload_models = bool(body.get("unload_models")) or free_memory
    if unload_models:
        request.app[DISPATCHER].free(unload_models=unload_models, free_memory=free_memory)
    return web.Response()


async def read_object(request: web.Request) -> dict[str, Any]:
    """The JSON object in the body; an empty body is an empty object. Raises ApiError 400 for any other value."""
    body = await read_json(request, request.app[SETTINGS].max_json_size, empty={})
    if not isinstance(body, dict):
        raise ApiError(400, "invalid_request", "The body must be a JSON object.")
    return body


def id_list(body: dict[str, Any]) -> list[str]:
    """The job ids under `delete`. Raises ApiError 400 for anything but a list of text."""
    ids = body.get("delete", [])
    if not isinstance(ids, list) or not all(isinstance(job_id, str) for job_id in ids):
        raise ApiError(400, "invalid_request", "'delete' must be a list of prompt ids.")
    return ids
