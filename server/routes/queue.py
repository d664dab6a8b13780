"""`/queue`, `/interrupt` and `/free`: what waits and runs, in which order, and how to stop it."""

from collections.abc import AsyncIterator
from types import NoneType
from typing import Any

from aiohttp import web

from server.described import described, flag, text, texts, thing
from server.errors import ApiError
from server.jobs import JobStore, UnfinishedState
from server.keys import DISPATCHER, SETTINGS, STORE
from server.protocol.records import queue_items
from server.protocol.reordering import parse_move
from server.queue_order import NotWaiting
from server.streaming import stream_json
from server.wire import encode, read_json


def routes() -> list[web.RouteDef]:
    """The routes of this module."""
    return [
        web.get("/queue", get_queue),
        web.post("/queue", post_queue),
        web.post("/interrupt", post_interrupt),
        web.post("/free", post_free),
    ]


async def get_queue(request: web.Request) -> web.StreamResponse:
    """`{"queue_running", "queue_pending", "queue_paused"}`, the jobs in the order in which they run."""
    return await stream_json(request, _told(request.app[STORE]))


@described(
    fields={
        "clear": flag("withdraw all"),
        "delete": texts("withdraw these"),
        "pause": flag("hold back what waits, or let it go on"),
        "move": thing("prompt_id, and its new place"),
    },
    answers={200: None},
)
async def post_queue(request: web.Request) -> web.Response:
    """Withdraw pending jobs (`clear`, `delete`), hold the queue back (`pause`), or give one job another place (`move`).

    `{"clear": true}` or `{"delete": [prompt_id, ...]}`: unknown ids are no error. `{"pause": true}`, and false to go
    on; it stays so over restarts. `{"move": {"prompt_id": id, "to": "front" | "back"}}`, or with `"before": other`,
    `"after": other` or `"number": priority` in place of `to`; 404 if a job does not wait.
    """
    body = await read_object(request)
    move, pause = parse_move(body.get("move")), body.get("pause")
    chosen = None if body.get("clear") else id_list(body)
    if not isinstance(pause, (bool, NoneType)):
        raise ApiError(400, "invalid_request", "'pause' must be true or false.")
    store, dispatcher = request.app[STORE], request.app[DISPATCHER]
    if move is not None:
        try:
            await store.move(move)
        except NotWaiting as missing:
            raise ApiError(404, "not_found", f"No job '{missing}' is waiting.") from None
    if pause is not None:
        await store.pause(pause)
        dispatcher.wake()
    await dispatcher.withdraw(chosen)
    dispatcher.announce()
    return web.Response()


@described(fields={"prompt_id": text("only this one")}, answers={200: None})
async def post_interrupt(request: web.Request) -> web.Response:
    """Stop all running jobs; with `{"prompt_id": id}` only that one, if it runs. Always 200."""
    body = await read_object(request)
    prompt_id = body.get("prompt_id")
    if prompt_id is not None and not isinstance(prompt_id, str):
        raise ApiError(400, "invalid_request", "'prompt_id' must be text.")
    await request.app[DISPATCHER].interrupt(prompt_id)
    return web.Response()


@described(
    fields={"unload_models": flag("drop loaded models"), "free_memory": flag("and every memo")}, answers={200: None}
)
async def post_free(request: web.Request) -> web.Response:
    """After what runs now, drop the loaded models (`unload_models`) and every memo too (`free_memory`)."""
    body = await read_object(request)
    free_memory = bool(body.get("free_memory"))
    unload_models = bool(body.get("unload_models")) or free_memory
    if unload_models:
        request.app[DISPATCHER].free(unload_models=unload_models, free_memory=free_memory)
    return web.Response()


async def _told(store: JobStore) -> AsyncIterator[bytes]:
    # What waits comes first: a job that begins meanwhile is told twice rather than never.
    states: tuple[tuple[bytes, UnfinishedState], ...] = (
        (b'{"queue_pending":[', "pending"),
        (b'],"queue_running":[', "in_progress"),
    )
    for opening, state in states:
        between = opening
        async for page in store.queued(state, queue_items):
            yield between
            yield page
            between = b","
        if between == opening:
            yield opening
    yield f'],"queue_paused":{encode(store.paused)}}}'.encode()


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
