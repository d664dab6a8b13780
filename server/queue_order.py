"""Where a waiting job moves to: the numbers by which the queue is ordered, made anew. Pure; knows no store.

Smaller numbers run first, equal ones in the order of their acceptance.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal


class Declined(Exception):
    """A change of the queue that is not made, for a reason that touches no other change."""


class NotWaiting(Declined):
    """The job with this id does not wait."""


@dataclass(frozen=True, slots=True)
class Move:
    """One job gets another place, said in one of three ways."""

    job_id: str
    place: Literal["front", "back", "before", "after"] | None = None
    neighbour: str | None = None
    """The waiting job `before` or `after` which it goes."""
    number: float | None = None
    """Its new priority, where no `place` is given."""


def renumbered(waiting: Sequence[tuple[str, float]], move: Move) -> dict[str, float]:
    """The new numbers of jobs among those that wait (id and number, in order). Raises NotWaiting.

    Usually one job gets one; only where no number fits between two neighbours, all are spread anew.
    """
    numbers = dict(waiting)
    for job_id in (move.job_id, move.neighbour):
        if job_id is not None and job_id not in numbers:
            raise NotWaiting(job_id)
    if move.place is None:
        return {} if move.number is None else {move.job_id: move.number}
    others = [job_id for job_id, _ in waiting if job_id != move.job_id]
    if not others or move.neighbour == move.job_id:
        return {}
    at = _index(others, move)
    if at == 0:
        return {move.job_id: numbers[others[0]] - 1}
    if at == len(others):
        return {move.job_id: numbers[others[-1]] + 1}
    before, behind = numbers[others[at - 1]], numbers[others[at]]
    middle = before / 2 + behind / 2
    if before < middle < behind:
        return {move.job_id: middle}
    return _spread([*others[:at], move.job_id, *others[at:]], min(numbers.values()), max(numbers.values()))


def _index(others: Sequence[str], move: Move) -> int:
    match move.place:
        case "front":
            return 0
        case "back":
            return len(others)
        case _:
            return others.index(move.neighbour or "") + (move.place == "after")


def _spread(order: Sequence[str], first: float, last: float) -> dict[str, float]:
    """Different numbers up to `last`, so that what comes later with the same number stays behind."""
    count = len(order)
    span = max(last - first, 0.5, 8 * count * math.ulp(max(abs(first), abs(last))))
    return {job_id: last - span * (count - 1 - index) / count for index, job_id in enumerate(order)}
