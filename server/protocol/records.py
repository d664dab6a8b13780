"""Jobs as `/queue`, `/history` and `/jobs` show them."""

from collections.abc import Mapping
from typing import Any

from server.jobs import JobRecord
from server.protocol.prompts import number_on_wire


def queue_item(job: JobRecord) -> list[Any]:
    """`[number, id, prompt, extra_data, output ids]`."""
    return [number_on_wire(job.number), job.job_id, job.prompt, job.extra_data, list(job.targets)]


def history_entry(job: JobRecord) -> dict[str, Any]:
    """What an ended run left; an interrupted one reads as an error that was not completed."""
    result = job.result
    return {
        "prompt": queue_item(job),
        "outputs": result.outputs if result else {},
        "status": _status(job),
        "meta": result.meta if result else {},
    }


def job_summary(job: JobRecord) -> dict[str, Any]:
    """One entry of `/jobs`; what is not known yet is left out."""
    result = job.result
    outputs = result.outputs if result else {}
    shown = {
        "id": job.job_id,
        "status": job.state,
        "priority": number_on_wire(job.number),
        "create_time": job.created,
        "execution_start_time": job.started,
        "execution_end_time": job.finished,
        "execution_error": result.error if result else None,
        "outputs_count": sum(len(items) for ui in outputs.values() for items in ui.values() if isinstance(items, list)),
        "preview_output": _preview_output(outputs),
        "workflow_id": _workflow_id(job.extra_data),
    }
    return {name: value for name, value in shown.items() if value is not None}


def job_details(job: JobRecord) -> dict[str, Any]:
    """One job with its outputs and what it ran."""
    details = job_summary(job) | {"workflow": {"prompt": job.prompt, "extra_data": job.extra_data}}
    if job.result is not None:
        details |= {"outputs": job.result.outputs, "execution_status": _status(job)}
    return details


def _status(job: JobRecord) -> dict[str, Any]:
    done = job.state == "completed"
    messages = list(job.result.messages) if job.result else []
    return {"status_str": "success" if done else "error", "completed": done, "messages": messages}


def _workflow_id(extra_data: Mapping[str, Any]) -> str | None:
    workflow = (extra_data.get("extra_pnginfo") or {}).get("workflow")
    found = workflow.get("id") if isinstance(workflow, dict) else None
    return found if isinstance(found, str) else None


def _preview_output(outputs: Mapping[str, Any]) -> dict[str, Any] | None:
    """The first saved picture, else the first picture of any kind."""
    pictures = [
        {**item, "nodeId": node_id, "mediaType": "images"}
        for node_id, ui in outputs.items()
        for item in ui.get("images", ())
        if isinstance(item, dict)
    ]
    return next((item for item in pictures if item.get("type") == "output"), pictures[0] if pictures else None)
