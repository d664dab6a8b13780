"""`/prompt` and `/workflow/convert`: accept a graph, in the API's form or the editor's, and say how much is waiting."""

import asyncio
import logging
from collections.abc import Mapping
from typing import Any, Final

from aiohttp import web

from executor.worker import Validation, WorkerLost
from executor.workflow import is_workflow
from server.conversion import convert, with_prompt
from server.described import described, flag, number, text, texts, thing
from server.errors import ApiError
from server.jobs import DuplicateJob, NewJob, QueueFull, now_ms
from server.keys import CATALOGUE, CREDENTIALS, DISPATCHER, SETTINGS, STORE, WORKERS
from server.pool import WorkerPool
from server.protocol.frames import exec_info
from server.protocol.prompts import PromptRequest, accepted, parse_prompt_request, refused
from server.routes.queue import read_object
from server.wire import encode, json_response, parse_json, read_json

log = logging.getLogger(__name__)

_REWRITE_SECONDS: Final = 5.0


def routes() -> list[web.RouteDef]:
    """The routes of this module."""
    return [
        web.get("/prompt", get_prompt),
        web.post("/prompt", post_prompt),
        web.post("/workflow/convert", post_convert),
    ]


async def get_prompt(request: web.Request) -> web.Response:
    """How many jobs are pending or running: `{"exec_info": {"queue_remaining": n, "queue_paused": false}}`."""
    remaining = await request.app[STORE].count()
    return json_response(exec_info(remaining, request.app[STORE].paused))


@described(
    fields={
        "prompt": thing("node id -> {class_type, inputs}, or an editor document"),
        "client_id": text("the socket that hears of the run"),
        "prompt_id": text("the id that the job shall have"),
        "number": number("its place in the queue; smaller ones run first"),
        "front": flag("before everything that waits"),
        "extra_data": thing("extra_pnginfo, preview_method and credentials"),
        "partial_execution_targets": texts("the output nodes to run; all without it"),
    },
    required=("prompt",),
)
async def post_prompt(request: web.Request) -> web.Response:
    """Queue a prompt: 200 once it is on the disk, 400 with what is wrong with it, 409 for a known `prompt_id`.

    An editor document, alone or under `prompt`, is converted first; the answer's `warnings` then say what did not fit.
    """
    body = await read_json(request, request.app[SETTINGS].max_json_size)
    uuid_only = request.app[SETTINGS].uuid_prompt_ids
    if not is_workflow(body):
        # What cannot be a request is refused before anyone waits for a worker.
        parse_prompt_request(body, now_ms(), uuid_only=uuid_only)
    await request.app[CATALOGUE].definitions()  # so that a worker that cannot start is said, not waited for
    body, warnings = await with_prompt(body, request.app[CATALOGUE])
    body = await _rewritten(request.app[WORKERS], body)
    asked = parse_prompt_request(body, now_ms(), uuid_only=uuid_only)
    validation = await request.app[WORKERS].ask(lambda worker: worker.validate(asked.prompt, asked.targets))
    told = {"warnings": warnings} if warnings else {}
    if not validation.outputs:
        return json_response(refused(validation) | told, status=400)
    place = await _added(request, asked, validation)
    dispatcher = request.app[DISPATCHER]
    dispatcher.announce()
    dispatcher.wake()
    return json_response(accepted(asked.prompt_id, place, validation) | told)


@described(fields={"workflow": thing("an editor document, unless it is the body itself")})
async def post_convert(request: web.Request) -> web.Response:
    """The prompt that the editor would send of a document: `{"prompt", "warnings"}`; 400 if it is none.

    The body is the document itself, or `{"workflow": document}`.
    """
    body = await read_object(request)
    document = body.get("workflow") if "workflow" in body and not is_workflow(body) else body
    converted = await convert(document, request.app[CATALOGUE])
    return json_response({"prompt": converted.prompt, "warnings": converted.warnings})


async def _rewritten(pool: WorkerPool, body: Any) -> Any:
    """The body as the packs want it that asked to see every prompt; as it was if they fail or take too long."""
    station = pool.pack_station
    if station is None or station.services is None or not station.services.rewrites_prompts:
        return body
    try:
        rewritten: Any = await asyncio.wait_for(station.worker.rewrite_prompt(body), _REWRITE_SECONDS)
        if isinstance(rewritten, Mapping):
            return await asyncio.to_thread(lambda: parse_json(encode(rewritten).encode()))
        reason = "they gave no JSON object"
    except WorkerLost as lost:
        pool.lost(station)
        reason = str(lost)
    except TimeoutError:
        reason = f"they took more than {_REWRITE_SECONDS:g} s"
    except (RuntimeError, ApiError) as error:
        reason = str(error)
    log.warning("The node packs that rewrite prompts failed, so this one stays as it was: %s", reason)
    return body


async def _added(request: web.Request, asked: PromptRequest, validation: Validation) -> float:
    """Put the job on the disk, and what it brought of credentials elsewhere; its number in the queue.

    Raises ApiError if it is not accepted.
    """
    new = NewJob(
        asked.prompt_id,
        asked.prompt,
        validation.outputs,
        asked.extra_data,
        asked.client_id,
        asked.number,
        asked.front,
    )
    credentials = request.app[CREDENTIALS]
    # Before it is in the store, because it may run as soon as it is.
    kept = credentials.keep(new.job_id, asked.credentials)
    place: float | None = None
    try:
        place = await request.app[STORE].add(new)
    except DuplicateJob:
        message = f"A job with the prompt_id '{asked.prompt_id}' exists already; leave prompt_id out to get a new one."
        raise ApiError(409, "duplicate_prompt_id", message) from None
    except QueueFull:
        message = f"{request.app[SETTINGS].max_queue} jobs wait already; try again when some have ended."
        raise ApiError(429, "queue_full", message, headers={"Retry-After": "10"}) from None
    finally:
        if kept and place is None:
            credentials.drop([new.job_id])
    return place
