"""The credentials of jobs that have not ended: in memory and nowhere else, so a restart of the server forgets them.

Not in the job store, because that is a file; not in a job's record, because records are shown.
"""

from collections.abc import Iterable, Mapping


class Credentials:
    """Job id -> hidden input -> secret."""

    def __init__(self) -> None:
        self._kept: dict[str, Mapping[str, str]] = {}

    def keep(self, job_id: str, secrets: Mapping[str, str]) -> bool:
        """Keep what a job brought; False if it brought nothing, or if a job of this id has some already."""
        if not secrets or job_id in self._kept:
            return False
        self._kept[job_id] = dict(secrets)
        return True

    def of(self, job_id: str) -> Mapping[str, str]:
        """What the job brought."""
        return self._kept.get(job_id, {})

    def drop(self, job_ids: Iterable[str]) -> None:
        """These jobs have ended, or were never accepted."""
        for job_id in job_ids:
            self._kept.pop(job_id, None)
