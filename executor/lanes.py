"""Which nodes of a run may start, in which order, and how many at once in each lane. Starts nothing itself."""

import heapq
import math

from executor.graph import NodeId
from executor.schema import Lane


class Lanes:
    """The ready nodes of one run, and the free places of each lane."""

    def __init__(self, threads: int) -> None:
        """`threads`: how many blocking nodes may run beside the device's one. Coroutines are not limited."""
        self._free: dict[Lane, float] = {"device": 1, "thread": threads, "loop": math.inf}
        self._ready: dict[Lane, list[tuple[int, NodeId]]] = {"device": [], "thread": [], "loop": []}

    def add(self, node_id: NodeId, lane: Lane, position: int) -> None:
        """A node is ready; those with a lower position go first."""
        heapq.heappush(self._ready[lane], (position, node_id))

    def next(self) -> tuple[NodeId, Lane] | None:
        """A ready node whose lane has a free place, which it does not take yet."""
        for lane, ready in self._ready.items():
            if ready and self._free[lane]:
                return heapq.heappop(ready)[1], lane
        return None

    def enter(self, lane: Lane) -> None:
        """A node takes a place."""
        self._free[lane] -= 1

    def leave(self, lane: Lane) -> None:
        """It is free again."""
        self._free[lane] += 1
