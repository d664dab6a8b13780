"""Which pack was being imported when a worker process ended: after the second time, it is left out until it changes.

A note lies on disk while a pack is imported. One that outlives its process counts only while the parent of that process
lives on, as a server does when its worker dies: otherwise both were stopped, or the machine was, which is no fault of
the pack. Notes that cannot be written are done without.
"""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from nodes.packs.discovery import PackSource

DEATHS = 2
"""So many processes may end in the import of a pack before it is no longer tried."""

_GIVEN_UP = ".given_up"
"""Suffix of the note that a pack is no longer tried; others end with the number of their process."""


class Attempts:
    """The notes, in a folder of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def ended(self, source: PackSource, digest: str) -> bool:
        """Whether importing this pack, as it is now, has ended too many processes."""
        deaths = 0
        for note in self._notes(source):
            with suppress(OSError, ValueError):
                noted, *processes = note.read_text(encoding="utf-8").split()
                if noted != digest:
                    continue
                if note.suffix == _GIVEN_UP:
                    return True
                own, parent = processes
                deaths += not _lives(own) and _lives(parent)
        if deaths < DEATHS:
            return False
        with suppress(OSError):
            (self.folder / f"{_key(source)}{_GIVEN_UP}").write_text(digest, encoding="utf-8")
        return True

    @contextmanager
    def trying(self, source: PackSource, digest: str) -> Iterator[None]:
        """Around code of the pack that runs while packs are loaded."""
        own = self.folder / f"{_key(source)}.{os.getpid()}"
        with suppress(OSError):
            self.folder.mkdir(parents=True, exist_ok=True)
            own.write_text(f"{digest} {_identity(os.getpid())} {_identity(os.getppid())}", encoding="utf-8")
        try:
            yield
        finally:
            with suppress(OSError):
                own.unlink()

    def forgive(self, source: PackSource) -> None:
        """A process survived the whole import, so nothing is held against the pack any more."""
        for note in self._notes(source):
            with suppress(OSError):
                note.unlink()

    def _notes(self, source: PackSource) -> list[Path]:
        return list(self.folder.glob(f"{_key(source)}.*")) if self.folder.is_dir() else []


def _key(source: PackSource) -> str:
    return hashlib.sha256(str(source.path).encode("utf-8", "surrogateescape")).hexdigest()[:16]


def _identity(pid: int) -> str:
    """A process, told from later ones of the same number by when it began."""
    try:
        return f"{pid}@{psutil.Process(pid).create_time()}"
    except psutil.Error:
        return f"{pid}@"


def _lives(identity: str) -> bool:
    pid = int(identity.partition("@")[0])
    try:
        return _identity(pid) == identity and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
