"""Files that clients bring and fetch: names that stay inside, types that cannot run.

Where a path may lie is decided by `executor.folders.confined`, and how it is written by `executor.whole_files`; here
nothing joins paths from requests by itself.
"""

import filecmp
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final
from urllib.parse import quote

from aiohttp import web

from executor.folders import PathError, confined
from executor.whole_files import beside, flush, put, put_new

_MAGIC: Final = (
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"GIF8", "image/gif"),
    (8, b"WEBP", "image/webp"),
    (0, b"BM", "image/bmp"),
    (4, b"ftypavif", "image/avif"),
    (4, b"ftypM4A", "audio/mp4"),
    (4, b"ftyp", "video/mp4"),
    (0, b"\x1a\x45\xdf\xa3", "video/webm"),
    (8, b"WAVE", "audio/wav"),
    (0, b"OggS", "audio/ogg"),
    (0, b"fLaC", "audio/flac"),
    (0, b"ID3", "audio/mpeg"),
)
"""Offset, bytes and type of what browsers may show in place. Everything else is only offered for download."""

_UNKNOWN: Final = "application/octet-stream"
_CHUNK: Final = 1024 * 1024


def store_upload(source: IO[bytes], path: Path, *, overwrite: bool) -> Path:
    """Keep an upload at `path`, or, if another file has that name, at `name (1)` and so on. Returns where it lies.

    A file with the same content is left as it is, and its path returned.
    """
    with beside(path) as (temporary, file):
        while chunk := source.read(_CHUNK):
            file.write(chunk)
        flush(file)
        if overwrite:
            put(temporary, path)
            return path
        for candidate in _free_names(path):
            if put_new(temporary, candidate):
                return candidate
            if candidate.is_file() and filecmp.cmp(temporary, candidate, shallow=False):
                return candidate
    raise AssertionError("the names are endless")


def upload_name(name: object) -> str:
    """A plain file name, as an upload brings it. Raises PathError for anything that is more, or less, than that."""
    if not isinstance(name, str) or not name.strip(". ") or len(name.encode(errors="replace")) > 200:
        raise PathError("The upload needs a file name of 1 to 200 bytes.")
    if any(character in '/\\:*?"<>|' or unicodedata.category(character) in ("Cc", "Cs") for character in name):
        raise PathError(f"'{name[:80]!r}' is not a plain file name.")
    return name


def inline_type(path: Path) -> str | None:
    """The media type, read from the first bytes, if browsers may show the file in place; else None."""
    with path.open("rb") as file:
        head = file.read(16)
    return next((kind for at, magic, kind in _MAGIC if head[at : at + len(magic)] == magic), None)


def user_file(path: Path, *, kind: str | None) -> web.FileResponse:
    """Serve bytes that a user or a node made as the media type `kind`, or (None) as a download."""
    return web.FileResponse(path, headers=user_headers(path.name, kind))


def user_headers(name: str, kind: str | None) -> dict[str, str]:
    """Headers under which user-made content of media type `kind` (None: unknown) can do no harm in our origin."""
    ascii_name = name.encode("ascii", "replace").decode().replace('"', "'").replace("\\", "_")
    disposition = "inline" if kind else "attachment"
    return {
        "Content-Type": kind or _UNKNOWN,
        "Content-Disposition": f"{disposition}; filename=\"{ascii_name}\"; filename*=UTF-8''{quote(name, safe='')}",
        "Content-Security-Policy": "sandbox; default-src 'none'",
        "Cache-Control": "no-cache",
    }


def existing(root: Path, name: str) -> Path | None:
    """The regular file `name` under `root`, or None. Raises PathError if it leads outside."""
    path = confined(root, name)
    return path if path.is_file() else None


def _free_names(path: Path) -> Iterator[Path]:
    yield path
    number = 1
    while True:
        yield path.with_name(f"{path.stem} ({number}){path.suffix}")
        number += 1
