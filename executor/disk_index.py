"""Which memo files there are, how large they are and which were used last: what eviction by bytes goes by.

An index is a convenience and never the truth, which is the files themselves: a lost or damaged one is made anew from
them, and nobody asks it whether a memo exists. Not for several threads; several processes may share the file.
"""

import os
import sqlite3
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

SCHEMA = """
CREATE TABLE IF NOT EXISTS memo (
    key TEXT PRIMARY KEY,
    bytes INTEGER NOT NULL,
    used INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS memo_used ON memo (used);
"""
NEXT_USE = "(SELECT coalesce(max(used), 0) + 1 FROM memo)"
"""Uses are counted, not timed: a clock may be set back, and two uses never tie."""

BUSY_SECONDS = 10.0
"""How long to wait for another process that writes."""

_DAMAGE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT)


class DiskIndex:
    """The index in one SQLite file, opened at the first use. Every call may raise sqlite3.Error or OSError."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None

    def enter(self, key: str, size: int, budget: int) -> list[str]:
        """Enter `key` as the last used, and give the keys that were removed so that all fit into `budget` bytes."""
        connection = self._open()
        with connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute(f"INSERT OR REPLACE INTO memo VALUES (?, ?, {NEXT_USE})", (key, size))
            return _evict(connection, budget)

    def use(self, key: str) -> None:
        """Count a use of `key`, if it is known."""
        connection = self._open()
        with connection:
            connection.execute(f"UPDATE memo SET used = {NEXT_USE} WHERE key = ?", (key,))

    def forget(self, key: str) -> None:
        """Remove `key`, known or not."""
        connection = self._open()
        with connection:
            connection.execute("DELETE FROM memo WHERE key = ?", (key,))

    def reconcile(self, files: Mapping[str, int], budget: int) -> list[str]:
        """Make the index agree with `files` (key -> bytes, longest unused first), which is the truth.

        What was unknown counts as just used. Gives the keys to remove so that all fit into `budget`.
        """
        connection = self._open()
        with connection:
            connection.execute("BEGIN IMMEDIATE")
            known = dict(connection.execute("SELECT key, bytes FROM memo"))
            gone = [(key,) for key in known if key not in files]
            connection.executemany("DELETE FROM memo WHERE key = ?", gone)
            changed = [(key, size) for key, size in files.items() if known.get(key) != size]
            connection.executemany(f"INSERT OR REPLACE INTO memo VALUES (?, ?, {NEXT_USE})", changed)
            return _evict(connection, budget)

    def used(self) -> dict[str, int]:
        """Key -> bytes of all that is entered, the longest unused first."""
        return dict(self._open().execute("SELECT key, bytes FROM memo ORDER BY used"))

    def is_lost(self, error: sqlite3.Error) -> bool:
        """Whether the error came because the file is no sound database, or was removed meanwhile."""
        return _code(error) in _DAMAGE or not self._path.exists()

    def repair(self) -> None:
        """Move a damaged file aside; the next call begins an empty one. Leaves a sound file alone, because another
        process may have repaired it already."""
        self.close()
        with suppress(sqlite3.DatabaseError):
            if self._open().execute("PRAGMA quick_check").fetchone() == ("ok",):
                return
        self.close()
        aside = self._path.with_name(f"{self._path.name}.damaged-{time.time_ns():x}-{os.getpid()}")
        with suppress(FileNotFoundError):
            os.replace(self._path, aside)
        for suffix in ("-wal", "-shm"):
            self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)

    def close(self) -> None:
        """Close the file; a later call opens it again."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _open(self) -> sqlite3.Connection:
        if self._connection is not None and not self._path.exists():
            self.close()  # someone emptied the folder
        if self._connection is None:
            deadline = time.monotonic() + BUSY_SECONDS
            while self._connection is None:
                try:
                    self._connection = _connect(self._path)
                except sqlite3.OperationalError as error:
                    # Two processes that begin the same file at once: the change to WAL does not wait by itself.
                    if not is_busy(error) or time.monotonic() > deadline:
                        raise
                    time.sleep(0.02)
        return self._connection


def is_busy(error: sqlite3.Error) -> bool:
    """Whether another process held the file for longer than we wait."""
    return _code(error) == sqlite3.SQLITE_BUSY


def _code(error: sqlite3.Error) -> int | None:
    code = getattr(error, "sqlite_errorcode", None)  # absent where Python itself raised
    return None if code is None else code & 0xFF


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.executescript(SCHEMA)
    except BaseException:
        connection.close()
        raise
    return connection


def _evict(connection: sqlite3.Connection, budget: int) -> list[str]:
    (total,) = connection.execute("SELECT coalesce(sum(bytes), 0) FROM memo").fetchone()
    evicted = []
    if total > budget:
        for key, size in connection.execute("SELECT key, bytes FROM memo ORDER BY used").fetchall():
            evicted.append(key)
            total -= size
            if total <= budget:
                break
        connection.executemany("DELETE FROM memo WHERE key = ?", [(key,) for key in evicted])
    return evicted
