"""Which pack was being imported when a worker process ended: after the second time, it is left out until it changes.

One such end may have been a user's impatience. A note lies on disk only while a pack is imported, or after
that has ended a process; notes that cannot be written are done without.
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


class Attempts:
    """The notes, in a folder of their own, one for each pack and process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def ended(self, source: PackSource, digest: str) -> bool:
        """Whether importing this pack, as it is now, has ended too many processes."""
        deaths = 0
        for note in self._notes(source):
            with suppress(OSError, ValueError):
                noted, began = note.read_text(encoding="utf-8").split()
                deaths += noted == digest and not _lives(int(note.suffix[1:]), float(began))
        return deaths >= DEATHS

    @contextmanager
    def trying(self, source: PackSource, digest: str) -> Iterator[None]:
        """Around code of the pack that runs while packs are loaded."""
        own = self.folder / f"{_key(source)}.{os.getpid()}"
        with suppress(OSError):
            self.folder.mkdir(parents=True, exist_ok=True)
            own.write_text(f"{digest} {psutil.Process().create_time()}", encoding="utf-8")
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


def _lives(pid: int, began: float) -> bool:
    try:
        process = psutil.Process(pid)
        return process.create_time() == began and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
