"""What the executor remembers of finished nodes, and what it forgets first. Knows signatures, never nodes or ids.

Only the memory tier is here; the others are `disk_cache` and `tiered_cache`. The executor asks no more of a cache than
the protocol says.
"""

import heapq
import itertools
import sys
import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from executor.signature import Signature

ENTRY_BYTES = 512
"""Counted for each memo beside its values, so that a million tiny memos are not free."""


@dataclass(frozen=True, slots=True)
class Memo:
    """One remembered execution."""

    outputs: tuple[tuple[Any, ...], ...]
    """For each output socket the list of its values; a node that was called once has lists of one."""
    ui: Mapping[str, Any] | None = None
    seconds: float = 0.0
    """What it took to make."""
    shown_state: str = ""
    """Of the files that `ui` names, at the time of making; see `TieredCache`."""


class Cache(Protocol):
    """A store of memos. May forget at any time; must never return another node's memo."""

    def has(self, signature: Signature) -> bool:
        """Whether `get` would give a memo now. Cheap, and no sign of interest: it does not keep the memo longer."""
        ...

    def get(self, signature: Signature) -> Memo | None:
        """The memo, which counts as used."""
        ...

    def put(self, signature: Signature, memo: Memo) -> None:
        """Remember a finished execution."""
        ...

    def retain(self, signatures: Collection[Signature]) -> None:
        """A run begins that consists of these; others may be forgotten, if that is the cache's policy."""
        ...

    def clear(self) -> None:
        """Forget everything that takes memory."""
        ...

    def close(self) -> None:
        """Finish what is under way. Nothing is put afterwards."""
        ...


class NoCache:
    """Remembers nothing, so that everything runs each time."""

    def has(self, signature: Signature) -> bool:  # noqa: ARG002 - the protocol's name
        """Never."""
        return False

    def get(self, signature: Signature) -> Memo | None:  # noqa: ARG002 - the protocol's name
        """Nothing."""
        return None

    def put(self, signature: Signature, memo: Memo) -> None:
        """Forget it at once."""

    def retain(self, signatures: Collection[Signature]) -> None:
        """Nothing to forget."""

    def clear(self) -> None:
        """Nothing to forget."""

    def close(self) -> None:
        """Nothing to finish."""


@dataclass(slots=True)
class _Entry:
    memo: Memo
    size: int
    priority: float
    ticket: int


class MemoryCache:
    """Memos in memory within a budget of bytes. Safe to use from several threads.

    Eviction is GreedyDual-Size (Cao and Irani, Cost-Aware WWW Proxy Caching Algorithms, 1997): a memo's priority is
    L + seconds / bytes, taken anew at each use, and the lowest goes first, the longest unused among equals. L is the
    priority of the last one evicted, so that what was once dear but is no longer used ages too.
    """

    def __init__(
        self,
        budget: int,
        size_of: Callable[[Any], int] = sys.getsizeof,
        *,
        most_memos: int = sys.maxsize,
        shortage: Callable[[], int] = lambda: 0,
        only_current: bool = False,
    ) -> None:
        """`budget` is in bytes, which `size_of` tells of a value; `most_memos` may limit their number as well.

        `shortage` tells how many bytes the machine lacks, asked at every `put`: so much is given up. `only_current`
        forgets, as a run begins, whatever does not occur in it.
        """
        self.budget = budget
        self._most_memos = most_memos
        self._shortage = shortage
        self._only_current = only_current
        self._size_of = size_of
        self._entries: dict[Signature, _Entry] = {}
        self._queue: list[tuple[float, int, Signature]] = []
        self._tickets = itertools.count()
        self._floor = 0.0
        self._used = 0
        self._lock = threading.Lock()

    @property
    def used(self) -> int:
        """Bytes taken by all memos; never above the budget."""
        return self._used

    def __len__(self) -> int:
        return len(self._entries)

    def has(self, signature: Signature) -> bool:
        """Whether the memo is held."""
        return signature in self._entries

    def get(self, signature: Signature) -> Memo | None:
        """The memo, which now counts as used."""
        with self._lock:
            entry = self._entries.get(signature)
            if entry is None:
                return None
            self._touch(signature, entry)
            return entry.memo

    def put(self, signature: Signature, memo: Memo) -> None:
        """Hold the memo, evicting others for it. One that exceeds the whole budget is not held."""
        size = ENTRY_BYTES + sum(self._size_of(value) for values in memo.outputs for value in values)
        with self._lock:
            self._drop(signature)
            if size > self.budget or self._most_memos < 1:
                return
            while self._used + size > self.budget or len(self._entries) >= self._most_memos:
                self._evict()
            entry = self._entries[signature] = _Entry(memo, size, 0.0, 0)
            self._used += size
            self._touch(signature, entry)
            target = self._used - max(0, self._shortage())
            while self._entries and self._used > target:
                self._evict()

    def retain(self, signatures: Collection[Signature]) -> None:
        """Forget what does not occur, if that is the policy."""
        if self._only_current:
            with self._lock:
                for signature in self._entries.keys() - set(signatures):
                    self._drop(signature)

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._entries.clear()
            self._queue.clear()
            self._used = 0
            self._floor = 0.0

    def close(self) -> None:
        """Nothing to finish."""

    def _touch(self, signature: Signature, entry: _Entry) -> None:
        entry.priority = self._floor + entry.memo.seconds / entry.size
        entry.ticket = next(self._tickets)
        heapq.heappush(self._queue, (entry.priority, entry.ticket, signature))
        if len(self._queue) > 64 + 4 * len(self._entries):  # mostly tickets of earlier uses
            self._queue = [(held.priority, held.ticket, key) for key, held in self._entries.items()]
            heapq.heapify(self._queue)

    def _evict(self) -> None:
        while True:
            priority, ticket, signature = heapq.heappop(self._queue)
            entry = self._entries.get(signature)
            if entry is not None and entry.ticket == ticket:
                self._floor = priority
                self._drop(signature)
                return

    def _drop(self, signature: Signature) -> None:
        entry = self._entries.pop(signature, None)
        if entry is not None:
            self._used -= entry.size
