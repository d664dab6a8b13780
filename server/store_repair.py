"""Opens the job table even if its file is damaged: that is moved aside, and what can still be read of it is kept.

Nothing of a damaged file is deleted, and nothing is begun anew without a word. It knows no job.
"""

import logging
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

from server.job_table import JobTable, Row

log = logging.getLogger(__name__)

_ALWAYS_CHECKED: Final = 64 * 1024 * 1024
"""Bytes up to which a file is checked at each start; a larger one only if the last run did not end by itself."""
_PARTS: Final = ("-wal", "-shm")


def open_table(path: Path, now: int, tell: Callable[[str], None]) -> JobTable:
    """The table in `path`, new or as it was; `tell` hears of damage. Raises what has another cause: locked, newer."""
    unclean = path.with_name(f"{path.name}-wal").exists()
    damage = "it is empty" if path.exists() and path.stat().st_size == 0 else None
    if damage is None:
        try:
            table = JobTable(path, create=True)
        except sqlite3.OperationalError:
            raise  # locked, read-only or full: the file itself is sound
        except sqlite3.DatabaseError as error:
            damage = str(error)
        else:
            damage = table.damage() if unclean or path.stat().st_size <= _ALWAYS_CHECKED else None
            if damage is None:
                return table
            table.close()
    return _anew(path, now, damage, tell)


def _anew(path: Path, now: int, damage: str, tell: Callable[[str], None]) -> JobTable:
    aside = path.with_name(f"{path.name}.damaged-{now}")
    path.rename(aside)
    for part in _PARTS:
        # A log that stayed would be read into the new file.
        with suppress(FileNotFoundError):
            path.with_name(f"{path.name}{part}").rename(aside.with_name(f"{aside.name}{part}"))
    table = JobTable(path, create=True)
    kept = table.adopt(_readable(aside))
    tell(
        f"The job store '{path}' was damaged ({damage}). It was moved to '{aside.name}' beside it, and {kept} of its "
        "jobs were read into a new one."
    )
    return table


def _readable(damaged: Path) -> Iterator[Row]:
    """What a damaged file still gives, from its beginning to the damage and from its end back to it."""
    for order in ("ASC", "DESC"):
        with suppress(sqlite3.Error), closing(sqlite3.connect(damaged)) as old:
            old.row_factory = sqlite3.Row
            yield from old.execute(f"SELECT * FROM jobs NOT INDEXED ORDER BY seq {order}")
