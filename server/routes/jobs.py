"""`/jobs`: every job in every state, with its times."""

from aiohttp import web

from server.jobs import JobRecord
from server.keys import STORE
from server.protocol.records import job_details, job_summary
from server.wire import json_response

_STATES = ("pending", "in_progress", "completed", "failed", "cancelled")


def routes() -> list[web.RouteDef]:
    """The routes of this module."""
    return [web.get("/jobs", get_jobs), web.get("/jobs/{job_id}", get_job)]


async def get_jobs(request: web.Request) -> web.Response:
    """`{"jobs", "pagination"}`, filtered by `status`, sorted by `sort_by`, `sort_order`, cut by `limit`, `offset`."""
    query = request.query
    states = [state for state in query.get("status", "").lower().split(",") if state]
    unknown = [state for state in states if state not in _STATES]
    if unknown:
        return _bad(f"Invalid status value(s): {', '.join(unknown)}. Valid values: {', '.join(_STATES)}")
    if query.get("sort_by", "created_at") not in ("created_at", "execution_duration"):
        return _bad("sort_by must be 'created_at' or 'execution_duration'")
    if query.get("sort_order", "desc") not in ("asc", "desc"):
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
    jobs = [job for job in await request.app[STORE].listed() if not states or job.state in states]
    if query.get("sort_by") == "execution_duration":
        jobs.sort(key=_duration, reverse=True)
    if query.get("sort_order") == "asc":
        jobs.reverse()
    workflow_id = query.get("workflow_id")
    shown = [summary for job in jobs if workflow_id in (None, (summary := job_summary(job)).get("workflow_id"))]
    page = shown[offset : None if limit is None else offset + limit]
    pagination = {"offset": offset, "limit": limit, "total": len(shown), "has_more": offset + len(page) < len(shown)}
    return json_response({"jobs": page, "pagination": pagination})


async def get_job(request: web.Request) -> web.Response:
    """One job with its outputs and what it ran; 404 for an unknown id."""
    job = await request.app[STORE].get(request.match_info["job_id"])
    if job is None:
        return json_response({"error": "Job not found"}, status=404)
    return json_response(job_details(job))


def _duration(job: JobRecord) -> int:
    return (job.finished or 0) - (job.started or 0) if job.started and job.finished else 0


def _bad(message: str) -> web.Response:
    return json_response({"error": message}, status=400)
