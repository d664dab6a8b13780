"""Reads what a safetensors file says of itself, and says in one sentence what is wrong with a file that is none.

It opens no tensor data, so it is cheap on files of any size.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LARGEST_HEADER = 100_000_000
"""Bytes; the same bound as in the safetensors library."""

ITEM_SIZES = {
    "BOOL": 1, "U8": 1, "I8": 1, "F8_E5M2": 1, "F8_E4M3": 1, "F8_E8M0": 1,
    "I16": 2, "U16": 2, "F16": 2, "BF16": 2,
    "I32": 4, "U32": 4, "F32": 4,
    "I64": 8, "U64": 8, "F64": 8, "C64": 8,
}  # fmt: skip


class CheckpointError(ValueError):
    """A model file is unusable. The text names the file, what is wrong with it, and the remedy."""


@dataclass(frozen=True, slots=True)
class Header:
    """Names, shapes and types of all tensors of a file."""

    path: Path
    shapes: Mapping[str, tuple[int, ...]]
    dtypes: Mapping[str, str]
    metadata: Mapping[str, str]


def read_header(path: Path) -> Header:
    """The header of a safetensors file whose size agrees with it. Raises CheckpointError for any other file."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            start = file.read(512)
            length = int.from_bytes(start[:8], "little")
            problem = _foreign(start, size) or _bad_length(length, size)
            if problem:
                raise CheckpointError(f"{path.name} {problem}")
            file.seek(8)
            text = file.read(length)
    except OSError as error:
        raise CheckpointError(f"{path.name} cannot be read: {error.strerror or error}.") from error
    try:
        entries: dict[str, Any] = json.loads(text)
        metadata = entries.pop("__metadata__", {})
        shapes = {name: tuple(int(side) for side in entry["shape"]) for name, entry in entries.items()}
        dtypes = {name: str(entry["dtype"]) for name, entry in entries.items()}
        end = max((int(entry["data_offsets"][1]) for entry in entries.values()), default=0)
        problem = _misplaced(entries)
    except (ValueError, TypeError, KeyError, AttributeError, IndexError, RecursionError) as error:
        raise CheckpointError(f"{path.name} is damaged: its safetensors header is not readable ({error}).") from error
    if 8 + length + end > size:
        raise CheckpointError(
            f"{path.name} is truncated: its header promises {8 + length + end:,} bytes and the file has {size:,}. "
            "Download or copy it again."
        )
    if problem:
        raise CheckpointError(f"{path.name} is damaged: {problem}. Download or copy it again.")
    return Header(path, shapes, dtypes, {str(key): str(value) for key, value in metadata.items()})


def _misplaced(entries: Mapping[str, Any]) -> str | None:
    """What is wrong with where the tensors lie: each needs the place of its size, and none that of another."""
    end = 0
    for name, entry in sorted(entries.items(), key=lambda item: tuple(item[1]["data_offsets"])):
        begin, stop = entry["data_offsets"]
        size = ITEM_SIZES.get(entry["dtype"])
        wanted = None if size is None else size * math.prod(entry["shape"])
        if begin < end:
            return f"the tensor '{name}' lies over another, or before the data"
        if wanted is not None and stop - begin != wanted:
            return f"the tensor '{name}' needs {wanted:,} bytes and has {stop - begin:,}"
        end = stop
    return None


def _foreign(start: bytes, size: int) -> str | None:
    """What the file is if it begins like something that is no safetensors file."""
    if size == 0:
        return "is empty. Download or copy it again."
    if size < 8:
        return f"is too short to be a model file ({size} bytes). Download or copy it again."
    text = start.lstrip()[:64].lower()
    if text.startswith((b"<!doctype", b"<html", b"<?xml")):
        return "is a web page (HTML), not a model file. Download the file itself; the site may ask you to log in first."
    if start.startswith(b"version https://git-lfs"):
        return "is a Git LFS pointer, not the model itself. Fetch it with `git lfs pull`."
    if start.startswith(b"GGUF"):
        return "is a GGUF file, where a safetensors file is wanted."
    return None


def _bad_length(length: int, size: int) -> str | None:
    if 2 <= length <= min(size - 8, LARGEST_HEADER):
        return None
    if length > size - 8 and 2 <= length <= LARGEST_HEADER:
        return (
            f"is truncated inside its header ({length:,} bytes announced, the file has {size:,}), or is no safetensors "
            "file. Download or copy it again."
        )
    return f"is no safetensors file: its first eight bytes announce a header of {length:,} bytes."
