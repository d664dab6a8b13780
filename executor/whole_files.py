"""The one way in which files are written: beside their place, down to the disk, and only then under their name.

After any crash a file is the old one, the new one, or not there. What a crash leaves beside it is swept up later. It
knows neither what is written nor who may write where; that is `executor.folders`.
"""

import os
import secrets
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Final

_SUFFIX: Final = ".heddle-tmp"
_ABANDONED_SECONDS: Final = 60.0


def write_atomic(path: Path, content: bytes, *, mode: int | None = None) -> None:
    """Make `content` the content of `path`: afterwards, and after any crash, the file is the old one or the new one.

    `mode`: who may read it; it is never another one, not even for a moment.
    """
    with beside(path) as (temporary, file):
        if mode is not None:
            temporary.chmod(mode)  # while it is empty
        file.write(content)
        flush(file)
        put(temporary, path)


Content = bytes | Callable[[], Iterable[bytes]]
"""Of a file: whole, or something that gives it piece by piece, for what is too large to be held."""


def write_new(path: Path, content: Content, *, durable: bool = True) -> bool:
    """Write a file that is not there yet; False if one of this name is. Not `durable`: a loss of power may cost it."""
    with beside(path) as (temporary, file):
        file.writelines([content] if isinstance(content, bytes) else content())
        if durable:
            flush(file)
        return put_new(temporary, path)


@contextmanager
def beside(path: Path) -> Iterator[tuple[Path, IO[bytes]]]:
    """A new file in the folder of `path`, gone at the end unless it was `put`. Makes the folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{secrets.token_hex(8)}{_SUFFIX}")
    try:
        with temporary.open("xb") as file:
            yield temporary, file
    finally:
        temporary.unlink(missing_ok=True)


def flush(file: IO[bytes]) -> None:
    """Return when what was written is on the disk."""
    file.flush()
    os.fsync(file.fileno())


def put(temporary: Path, path: Path) -> None:
    """Give a finished file its name, in place of whatever has it."""
    temporary.replace(path)
    _flush_folder(path.parent)


def put_new(temporary: Path, path: Path) -> bool:
    """Give a finished file its name; False if something has that already."""
    try:
        os.link(temporary, path)  # unlike a rename, a link never replaces
    except FileExistsError:
        return False
    except OSError:  # a file system without links: take the name first, then put the content in its place
        try:
            path.touch(exist_ok=False)
        except FileExistsError:
            return False
        temporary.replace(path)
    _flush_folder(path.parent)
    return True


def is_unfinished(path: Path) -> bool:
    """A file that is being written, or was when something crashed: nobody shall be shown it."""
    return path.name.endswith(_SUFFIX)


def sweep(root: Path) -> None:
    """Remove what writes that a crash cut short have left under `root`."""
    for leftover in root.rglob(f".*{_SUFFIX}"):
        with suppress(OSError):
            if time.time() - leftover.stat().st_mtime > _ABANDONED_SECONDS:
                leftover.unlink()


def _flush_folder(folder: Path) -> None:
    """So that the name, too, outlives a loss of power. Some systems cannot; then the file's content has to do."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
