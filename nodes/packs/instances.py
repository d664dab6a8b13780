"""The objects of V1 classes: one for each node, which keeps its attributes from run to run.

Bounded, because nodes come and go while a worker lives. Knows nothing of what the objects do.
"""

import threading
from collections import OrderedDict

LIMIT = 1000
"""How many nodes keep their object; more than any workflow that people draw has of V1 nodes."""


class Instances:
    """The objects by class and node id; the ones unused for longest are dropped. Safe to use from any thread."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._kept: OrderedDict[tuple[type, str], object] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, cls: type, node_id: str) -> object:
        """The object of that node, made if there is none."""
        key = (cls, node_id)
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        made: object = cls()  # outside of the lock: some load a model when they are made
        with self._lock:
            kept = self._kept.setdefault(key, made)
            self._kept.move_to_end(key)
            while len(self._kept) > self._limit:
                self._kept.popitem(last=False)
            return kept

    def clear(self) -> None:
        """Drop them all, and with them the models that some of them hold."""
        with self._lock:
            self._kept.clear()
