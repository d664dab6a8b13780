"""Jobs as `/queue`, `/history` and `/jobs` show them."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from server.job_table import JobText
from server.jobs import JobRecord
from server.protocol.prompts import number_on_wire
from server.wire import encode

_SHOWN_KINDS: Final = ("images", "video", "audio")
_SHAPES: Final = (".obj", ".fbx", ".gltf", ".glb")
_LONGEST_TEXT: Final = 1024
"""Characters of a text that a list of jobs repeats."""


def queue_items(jobs: Iterable[JobText]) -> bytes:
    """`[number, id, prompt, extra_data, output ids]` as JSON, one after the other, of jobs that were not parsed."""
    return b",".join([_queue_item(job) for job in jobs])


def history_entries(jobs: Iterable[JobText]) -> bytes:
    """`"id": entry` as JSON, one after the other: what runs left. An interrupted one reads as an error that was not
    completed. Of the stored JSON only the result is parsed."""
    return b",".join([_history_entry(job) for job in jobs])


def job_summary(job: JobRecord) -> dict[str, Any]:
    """One entry of `/jobs`; what is not known yet is left out."""
    result = job.result
    outputs = result.outputs if result else {}
    previews = list(_previews(outputs))
    shown = {
        "id": job.job_id,
        "status": job.state,
        "priority": number_on_wire(job.number),
        "create_time": job.created,
        "execution_start_time": job.started,
        "execution_end_time": job.finished,
        "execution_error": result.error if result else None,
        "outputs_count": sum(len(items) for ui in outputs.values() for items in ui.values() if isinstance(items, list)),
        "previewable_outputs_count": len(previews),
        "preview_output": _preferred(previews),
        "workflow_id": _workflow_id(job.extra_data),
        # How often it was begun, where that is more than once: its worker or the server died while it ran.
        "attempt": job.attempt if job.attempt > 1 else None,
    }
    return {name: value for name, value in shown.items() if value is not None}


def job_details(job: JobRecord) -> dict[str, Any]:
    """One job with its outputs and what it ran."""
    details = job_summary(job) | {"workflow": {"prompt": job.prompt, "extra_data": job.extra_data}}
    if job.result is not None:
        details |= {"outputs": job.result.outputs, "execution_status": _status(job.state, job.result.messages)}
    return details


def _queue_item(job: JobText) -> bytes:
    # An id is made of letters, digits, '-' and '_' (`is_prompt_id`), so it needs no escapes.
    number = str(number_on_wire(job.number)).encode()
    return b'[%b,"%b",%b,%b,%b]' % (number, job.job_id, job.prompt, job.extra_data, job.targets)


def _history_entry(job: JobText) -> bytes:
    result = json.loads(job.result or "{}")
    status = _status(job.state, result.get("messages", ()))
    rest = encode({"outputs": result.get("outputs", {}), "status": status, "meta": result.get("meta", {})})
    return b'"%b":{"prompt":%b,%b' % (job.job_id, _queue_item(job), rest.removeprefix("{").encode())


def _status(state: str, messages: Sequence[Any]) -> dict[str, Any]:
    done = state == "completed"
    return {"status_str": "success" if done else "error", "completed": done, "messages": list(messages)}


def _workflow_id(extra_data: Mapping[str, Any]) -> str | None:
    workflow = (extra_data.get("extra_pnginfo") or {}).get("workflow")
    found = workflow.get("id") if isinstance(workflow, dict) else None
    return found if isinstance(found, str) else None


def _previews(outputs: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Everything that a list of jobs can show a look at: pictures, films, sounds, shapes and texts."""
    for node_id, ui in outputs.items():
        for kind, items in ui.items():
            for item in items if isinstance(items, list) else ():
                if kind == "text" and isinstance(item, str):
                    yield {"content": item[:_LONGEST_TEXT], "nodeId": node_id, "mediaType": kind}
                elif isinstance(item, dict) and _can_be_shown(kind, item):
                    yield {**item, "nodeId": node_id, "mediaType": kind}


def _can_be_shown(kind: str, item: Mapping[str, Any]) -> bool:
    media, name = str(item.get("format", "")), str(item.get("filename", "")).lower()
    return kind in _SHOWN_KINDS or media.startswith(("video/", "audio/")) or name.endswith(_SHAPES)


def _preferred(previews: list[dict[str, Any]]) -> dict[str, Any] | None:
    """The first that was saved, else the first of any kind."""
    return next((item for item in previews if item.get("type") == "output"), previews[0] if previews else None)
