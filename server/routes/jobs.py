"""`/jobs`: every job in every state, with its times; and how one is cancelled."""

from typing import Any

from aiohttp import web

from server.described import described, one_of, text, texts, whole
from server.job_table import Selection
from server.keys import DISPATCHER, STORE
from server.protocol.prompts import is_prompt_id
from server.protocol.records import job_details, job_summary
from server.routes.queue import read_object
from server.wire import json_response, large_json_response

_STATES = ("pending", "in_progress", "completed", "failed", "cancelled")
_MOST = 2**62
"""Larger numbers are none to the store."""


def routes() -> list[web.RouteDef]:
    """The routes of this module."""
    return [
        web.get("/jobs", get_jobs),
        web.post("/jobs/cancel", post_cancel_jobs),
        web.get("/jobs/{job_id}", get_job),
        web.post("/jobs/{job_id}/cancel", post_cancel),
    ]


@described(
    query={
        "status": text(f"some of {', '.join(_STATES)}, comma-separated"),
        "workflow_id": text("jobs of this workflow"),
        "sort_by": one_of("created_at without it", "created_at", "execution_duration"),
        "sort_order": one_of("desc without it", "asc", "desc"),
        "limit": whole("at most so many", minimum=1),
        "offset": whole("after so many"),
    },
    refusal="JobRefusal",
)
async def get_jobs(request: web.Request) -> web.Response:
    """`{"jobs", "pagination"}`, filtered by `status`, sorted by `sort_by`, `sort_order`, cut by `limit`, `offset`."""
    query = request.query
    states = tuple(state for word in query.get("status", "").lower().split(",") if (state := word.strip()))
    unknown = [state for state in states if state not in _STATES]
    if unknown:
        return _bad(f"Invalid status value(s): {', '.join(unknown)}. Valid values: {', '.join(_STATES)}")
    sort_by, sort_order = query.get("sort_by", "created_at"), query.get("sort_order", "desc")
    if sort_by not in ("created_at", "execution_duration"):
        return _bad("sort_by must be 'created_at' or 'execution_duration'")
    if sort_order not in ("asc", "desc"):
        return _bad("sort_order must be 'asc' or 'desc'")
    try:
        limit = int(query["limit"]) if "limit" in query else None
    except ValueError:
        return _bad("limit must be an integer")
    try:
        offset = max(0, int(query.get("offset", "0")))
    except ValueError:
        return _bad("offset must be an integer")
    if limit is not None and limit <= 0:
        return _bad("limit must be a positive integer")
    offset, limit = min(offset, _MOST), None if limit is None else min(limit, _MOST)
    chosen = Selection(
        states, query.get("workflow_id"), sort_by == "execution_duration", sort_order == "asc", limit, offset
    )
    jobs, total = await request.app[STORE].selected(chosen)
    pagination = {"offset": offset, "limit": limit, "total": total, "has_more": offset + len(jobs) < total}

    return await large_json_response(lambda: {"jobs": [job_summary(job) for job in jobs], "pagination": pagination})


@described(refusal="JobRefusal")
async def get_job(request: web.Request) -> web.Response:
    """One job with its outputs and what it ran, or how far it is; 404 for an unknown id."""
    job = await request.app[STORE].get(request.match_info["job_id"])
    if job is None:
        return json_response({"error": "Job not found"}, status=404)
    progress = request.app[DISPATCHER].progress(job.job_id)
    return await large_json_response(lambda: job_details(job) | ({} if progress is None else {"progress": progress}))


@described(refusal="JobRefusal")
async def post_cancel(request: web.Request) -> web.Response:
    """End one job, whether it waits or runs: `{"cancelled": true}`, false if it had ended; 404 for an unknown id."""
    job_id = request.match_info["job_id"]
    if not is_prompt_id(job_id):
        return _malformed([job_id])
    if await request.app[STORE].get(job_id) is None:
        return json_response({"error": "Job not found", "cancelled": False}, status=404)
    return await _cancelled(request, [job_id])


@described(fields={"job_ids": texts("of the jobs to end")}, required=("job_ids",), refusal="JobRefusal")
async def post_cancel_jobs(request: web.Request) -> web.Response:
    """End several jobs, `{"job_ids": [...]}`: `{"cancelled": true}` if any of them waited or ran."""
    body = await read_object(request)
    job_ids = body.get("job_ids")
    if not isinstance(job_ids, list) or not job_ids:
        return _bad("job_ids must be a non-empty list of job ids")
    malformed = [job_id for job_id in job_ids if not is_prompt_id(job_id)]
    return _malformed(malformed) if malformed else await _cancelled(request, job_ids)


async def _cancelled(request: web.Request, job_ids: list[str]) -> web.Response:
    return json_response({"cancelled": bool(await request.app[DISPATCHER].cancel(job_ids))})


def _malformed(job_ids: list[Any]) -> web.Response:
    message = "Job ids are 1 to 64 letters, digits, '-' or '_'"
    return json_response({"error": message, "invalid_ids": job_ids}, status=400)


def _bad(message: str) -> web.Response:
    return json_response({"error": message}, status=400)
