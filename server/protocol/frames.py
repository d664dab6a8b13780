"""What a socket carries, as data: text frames, binary frames, and the few of them that belong to no run.

It knows the layout of a frame, not when one is sent; runs are told by `messages`.
"""

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from executor.progress import Preview

_PLAIN_PREVIEW: Final = 1
_TEXT: Final = 3
_DESCRIBED_PREVIEW: Final = 4
_PICTURE_KINDS: Final = {"image/jpeg": 1, "image/png": 2}


@dataclass(frozen=True, slots=True)
class Message:
    """A text frame `{"type", "data"}`."""

    type: str
    data: Mapping[str, Any]
    replaces: str | None = None
    """An unsent message with the same key is out of date once this one exists."""
    everyone: bool = False


@dataclass(frozen=True, slots=True)
class Binary:
    """A binary frame, in both forms that clients negotiate; most frames have only one."""

    plain: bytes
    described: bytes
    replaces: str


Frame = Message | Binary


def exec_info(remaining: int, paused: bool) -> dict[str, Any]:
    """How many jobs wait or run, and whether those that wait are held back."""
    return {"exec_info": {"queue_remaining": remaining, "queue_paused": paused}}


def status(remaining: int, paused: bool, sid: str | None = None) -> Message:
    """The state of the queue; a new socket also learns its id."""
    data: dict[str, Any] = {"status": exec_info(remaining, paused)}
    return Message("status", data | ({"sid": sid} if sid is not None else {}), everyone=True)


def features(max_upload_size: int) -> dict[str, Any]:
    """What this server can do beyond the oldest clients' expectations."""
    return {"supports_preview_metadata": True, "max_upload_size": max_upload_size}


def finished(job_id: str) -> Message:
    """The last message of every run."""
    return Message("executing", {"node": None, "prompt_id": job_id})


def withdrawal(job_id: str, now: int) -> Message:
    """A job that waited was cancelled, and never ran."""
    data: dict[str, Any] = {"prompt_id": job_id, "node_id": None, "node_type": "", "executed": [], "timestamp": now}
    return Message("execution_interrupted", data)


def picture(metadata: Mapping[str, Any], preview: Preview) -> Binary:
    """A preview; `metadata` names its node and job for the clients that asked for that."""
    described = json.dumps({**metadata, "image_type": preview.media_type}).encode()
    return Binary(
        struct.pack(">II", _PLAIN_PREVIEW, _PICTURE_KINDS[preview.media_type]) + preview.image,
        struct.pack(">II", _DESCRIBED_PREVIEW, len(described)) + described + preview.image,
        replaces=f"preview {metadata['node_id']}",
    )


def text(node_id: str, line: str) -> Binary:
    """A line of text on a node; a newer one stands in its place."""
    name = node_id.encode(errors="replace")
    frame = struct.pack(">II", _TEXT, len(name)) + name + line.encode(errors="replace")
    return Binary(frame, frame, replaces=f"text {node_id}")
