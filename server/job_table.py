"""The SQL of the job store: one table, one row a job, every statement a method. Synchronous, and knows no JSON shape.

Order never depends on a clock: `seq` counts acceptances and `rank` counts endings.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

from server.queue_order import Move, renumbered

SCHEMA_VERSION: Final = 1

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS jobs (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  state TEXT NOT NULL CHECK (state IN ('pending', 'in_progress', 'completed', 'failed', 'cancelled')),
  number REAL NOT NULL,
  attempt INTEGER NOT NULL DEFAULT 0,
  client_id TEXT,
  prompt TEXT NOT NULL,
  extra_data TEXT NOT NULL,
  targets TEXT NOT NULL,
  created INTEGER NOT NULL,
  started INTEGER,
  finished INTEGER,
  rank INTEGER,
  result TEXT
);
CREATE INDEX IF NOT EXISTS jobs_by_state ON jobs (state, number, seq);
CREATE UNIQUE INDEX IF NOT EXISTS jobs_by_rank ON jobs (rank) WHERE rank IS NOT NULL;
CREATE TABLE IF NOT EXISTS marks (name TEXT PRIMARY KEY);
"""

_PAUSED: Final = "SELECT 1 FROM marks WHERE name = 'paused'"
_NO_PROMPT: Final = (
    "seq, id, state, number, attempt, client_id, '{}' AS prompt, extra_data, targets, created, started, finished, "
    "rank, result"
)
_AS_TEXT: Final = (
    "seq, rank, state, number, CAST(id AS BLOB), CAST(prompt AS BLOB), CAST(extra_data AS BLOB), "
    "CAST(targets AS BLOB), CAST(result AS BLOB)"
)

Row = sqlite3.Row


@dataclass(frozen=True, slots=True)
class Selection:
    """Which jobs a list shows, and in which order."""

    states: tuple[str, ...] = ()
    """Empty: all."""
    workflow_id: str | None = None
    by_duration: bool = False
    """Sorted by the time that they ran, not by that of their acceptance."""
    ascending: bool = False
    limit: int | None = None
    offset: int = 0


class JobText(NamedTuple):
    """A job in the JSON that it was stored in, for lists too long to be parsed and written anew."""

    seq: int
    rank: int | None
    state: str
    number: float
    job_id: bytes
    prompt: bytes
    extra_data: bytes
    targets: bytes
    result: bytes | None


class JobTable:
    """One connection to the job table; use each from one thread at a time."""

    def __init__(self, path: Path, *, create: bool) -> None:
        # Autocommit: each statement is its own transaction unless a method opens one.
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10.0)
        self._db.row_factory = sqlite3.Row
        self._level = ""
        self._unfinished: int | None = None
        """How many jobs are, where that is known: counting many takes long. Only the connection that writes asks."""
        if create:
            self._create()

    def _create(self) -> None:
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        if version > SCHEMA_VERSION:
            self._db.close()
            raise ValueError(f"it was written by a newer Heddle (schema {version}, this one knows {SCHEMA_VERSION})")
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.executescript(_SCHEMA)
        self._db.execute(f"PRAGMA user_version={SCHEMA_VERSION}")

    def damage(self) -> str | None:
        """What is wrong with the file, if anything; reads all of it."""
        try:
            found = self._db.execute("PRAGMA quick_check(1)").fetchone()[0]
        except sqlite3.DatabaseError as error:
            return str(error)
        return None if found == "ok" else str(found).replace("\n", " ")

    def adopt(self, rows: Iterable[Row]) -> int:
        """Take over the rows of another table, each once; how many there were."""
        before = self._db.total_changes
        with self._whole():
            for row in rows:
                names = ", ".join(row.keys())
                marks = ", ".join("?" * len(row.keys()))
                self._db.execute(f"INSERT OR IGNORE INTO jobs ({names}) VALUES ({marks})", tuple(row))
        return self._db.total_changes - before

    def close(self) -> None:
        """Close the connection; the last one to close folds the log back into the file."""
        self._db.close()

    def insert(self, row: dict[str, Any], *, number: float | None, front: bool, limit: int) -> float | None:
        """Add a pending job; its number, or None if `limit` jobs are unfinished. Raises sqlite3.IntegrityError for a
        known id."""
        if self.unfinished() >= limit:
            return None
        with self._whole():
            last = self._db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'jobs'").fetchone()
            seq = (last["seq"] if last else 0) + 1
            place = number if number is not None else (-seq if front else seq)
            self._db.execute(
                "INSERT INTO jobs (seq, id, state, number, client_id, prompt, extra_data, targets, created) "
                "VALUES (:seq, :id, 'pending', :number, :client_id, :prompt, :extra_data, :targets, :created)",
                {**row, "seq": seq, "number": place},
            )
        self._unfinished = self.unfinished() + 1
        return float(place)

    def claim(self, now: int) -> Row | None:
        """Move the first pending job to in_progress, counting the attempt; None too while the queue is paused."""
        return self._changed_one(
            "UPDATE jobs SET state = 'in_progress', attempt = attempt + 1, started = ? WHERE seq = "
            "(SELECT seq FROM jobs WHERE state = 'pending' ORDER BY number, seq LIMIT 1) "
            f"AND NOT EXISTS ({_PAUSED}) RETURNING *",
            (now,),
        )

    def pause(self, paused: bool) -> None:
        """Let no job be claimed, or let them be claimed again."""
        self._db.execute(
            "INSERT OR IGNORE INTO marks (name) VALUES ('paused')"
            if paused
            else "DELETE FROM marks WHERE name = 'paused'"
        )

    def paused(self) -> bool:
        """Whether no job may be claimed."""
        return bool(self._db.execute(_PAUSED).fetchall())

    def move(self, move: Move) -> None:
        """Give a pending job another place in the queue. Raises NotWaiting."""
        with self._whole():
            rows = self._db.execute("SELECT id, number FROM jobs WHERE state = 'pending' ORDER BY number, seq")
            numbers = renumbered([(row["id"], row["number"]) for row in rows], move)
            self._db.executemany(
                "UPDATE jobs SET number = ? WHERE id = ?", [(number, job_id) for job_id, number in numbers.items()]
            )

    def requeue(self, job_id: str, *, forgive: bool) -> None:
        """Move a running job back to pending; `forgive` does not count the attempt against it."""
        self._db.execute(
            "UPDATE jobs SET state = 'pending', attempt = attempt - ? WHERE id = ? AND state = 'in_progress'",
            (int(forgive), job_id),
        )

    def finish(self, job_id: str, state: str, result: str, now: int, keep: int) -> Row | None:
        """End an unfinished job, and drop the oldest ended ones beyond `keep`."""
        self._unfinished = None
        with self._whole():
            row = self._changed_one(
                "UPDATE jobs SET state = ?, result = ?, finished = ?, "
                "rank = (SELECT coalesce(max(rank), 0) + 1 FROM jobs) "
                "WHERE id = ? AND state IN ('pending', 'in_progress') RETURNING *",
                (state, result, now, job_id),
            )
            self._db.execute("DELETE FROM jobs WHERE rank <= (SELECT max(rank) FROM jobs) - ?", (keep,))
        return row

    def withdraw(self, job_ids: Sequence[str] | None, now: int) -> dict[str, str | None]:
        """Cancel pending jobs (None: all of them); returns the ids that were pending, each with its client."""
        waiting = self._db.execute(
            "SELECT id, client_id FROM jobs WHERE state = 'pending' ORDER BY number, seq"
        ).fetchall()
        wanted = None if job_ids is None else set(job_ids)
        self._unfinished = None
        chosen = {row["id"]: row["client_id"] for row in waiting if wanted is None or row["id"] in wanted}
        with self._whole():
            self._db.executemany(
                "UPDATE jobs SET state = 'cancelled', finished = ?, "
                "rank = (SELECT coalesce(max(rank), 0) + 1 FROM jobs) WHERE id = ? AND state = 'pending'",
                [(now, job_id) for job_id in chosen],
            )
        return chosen

    def forget(self, job_ids: Iterable[str] | None) -> None:
        """Delete ended jobs (None: all of them)."""
        if job_ids is None:
            self._db.execute("DELETE FROM jobs WHERE rank IS NOT NULL")
            return
        with self._whole():
            self._db.executemany("DELETE FROM jobs WHERE id = ? AND rank IS NOT NULL", [(i,) for i in job_ids])

    def unfinished(self) -> int:
        """How many jobs are pending or running."""
        if self._unfinished is None:
            query = "SELECT count(*) FROM jobs WHERE state IN ('pending', 'in_progress')"
            self._unfinished = self._db.execute(query).fetchone()[0]
        return self._unfinished

    def one(self, job_id: str) -> Row | None:
        """The job with this id."""
        row: Row | None = self._db.execute("SELECT * FROM jobs WHERE id = ?", (job_id,)).fetchone()
        return row

    def in_state(self, state: str) -> list[Row]:
        """Unfinished jobs of a state, in the order in which they run."""
        return self._db.execute("SELECT * FROM jobs WHERE state = ? ORDER BY number, seq", (state,)).fetchall()

    def ended(self, skip: int, count: int, page: int) -> Iterator[list[JobText]]:
        """Jobs that ran and ended, oldest first, `count` of them after `skip`, in pages."""
        first = self._db.execute(
            "SELECT rank FROM jobs WHERE rank IS NOT NULL AND result IS NOT NULL ORDER BY rank LIMIT 1 OFFSET ?",
            (skip,),
        ).fetchone()
        above = first["rank"] - 1 if first else None
        while above is not None and count > 0:
            jobs = self._texts("rank > ? AND result IS NOT NULL ORDER BY rank LIMIT ?", above, min(page, count))
            if not jobs:
                return
            yield jobs
            above, count = jobs[-1].rank, count - len(jobs)

    def one_ended(self, job_id: str) -> list[JobText]:
        """The job with this id, if it ran and ended."""
        return self._texts("id = ? AND rank IS NOT NULL AND result IS NOT NULL", job_id)

    def ended_count(self) -> int:
        """How many jobs ran and ended."""
        count: int = self._db.execute(
            "SELECT count(*) FROM jobs WHERE rank IS NOT NULL AND result IS NOT NULL"
        ).fetchone()[0]
        return count

    def selected(self, chosen: Selection) -> tuple[list[Row], int]:
        """The jobs of a list without their prompts, and how many it has in all."""
        conditions, values = ["1"], list[object]()
        if chosen.states:
            conditions.append(f"state IN ({', '.join('?' * len(chosen.states))})")
            values += chosen.states
        if chosen.workflow_id is not None:
            conditions.append("json_extract(extra_data, '$.extra_pnginfo.workflow.id') = ?")
            values.append(chosen.workflow_id)
        where = " AND ".join(conditions)
        total: int = self._db.execute(f"SELECT count(*) FROM jobs WHERE {where}", values).fetchone()[0]
        order = "ASC" if chosen.ascending else "DESC"
        keys = f"coalesce(finished - started, 0) {order}, seq {order}" if chosen.by_duration else f"seq {order}"
        rows = self._db.execute(
            f"SELECT {_NO_PROMPT} FROM jobs WHERE {where} ORDER BY {keys} LIMIT ? OFFSET ?",
            [*values, -1 if chosen.limit is None else chosen.limit, chosen.offset],
        ).fetchall()
        return rows, total

    def waiting(self, state: str, after: tuple[float, int] | None, count: int) -> list[JobText]:
        """Up to `count` unfinished jobs of a state in the order in which they run, those behind (number, seq)."""
        behind = "" if after is None else "AND (number, seq) > (?, ?) "
        return self._texts(f"state = ? {behind}ORDER BY number, seq LIMIT ?", state, *(after or ()), count)

    def _texts(self, which: str, *values: object) -> list[JobText]:
        cursor = self._db.cursor()
        cursor.row_factory = None  # plain tuples, which are made sooner than rows
        return list(map(JobText._make, cursor.execute(f"SELECT {_AS_TEXT} FROM jobs WHERE {which}", values)))

    @contextmanager
    def committing(self, *, durable: bool) -> Iterator[None]:
        """Commit what is done inside as one; if that raises, nothing of it was done. Not `durable`: the commit
        survives the death of this process, but perhaps not a loss of power."""
        level = "FULL" if durable else "NORMAL"
        if level != self._level:
            self._db.execute(f"PRAGMA synchronous={level}")
            self._level = level
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        finally:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
                self._unfinished = None

    @contextmanager
    def _whole(self) -> Iterator[None]:
        """All of the changes inside, or none."""
        self._db.execute("SAVEPOINT change")
        try:
            yield
            self._db.execute("RELEASE change")
        except BaseException:
            if self._db.in_transaction:  # a full disk ends it at once
                self._db.execute("ROLLBACK TO change")
                self._db.execute("RELEASE change")
            raise

    def _changed_one(self, statement: str, values: Mapping[str, object] | tuple[object, ...]) -> Row | None:
        # fetchall, not fetchone: a RETURNING statement commits only when it has been read to its end.
        rows = self._db.execute(statement, values).fetchall()
        return rows[0] if rows else None
