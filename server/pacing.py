"""How often a run tells the state of its nodes: what comes too soon waits and is told with what follows.

Only `progress_state` is held back; everything else passes in its order. Knows no socket and sets no timer.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Final

from server.protocol.frames import Frame, Message

_ENDS: Final = ("execution_success", "execution_interrupted")


class Pace:
    """Of one run: at most one `progress_state` in `interval` seconds of `clock`, and one more before its end."""

    def __init__(self, interval: float, clock: Callable[[], float]) -> None:
        self._interval = interval
        self._clock = clock
        self._next = clock()
        self._held: Message | None = None
        self._failed = False

    def frames(self, told: Iterable[Frame]) -> list[Frame]:
        """What may be sent now of what is told now."""
        passed: list[Frame] = []
        for frame in told:
            if isinstance(frame, Message) and frame.type == "progress_state":
                self._hold(frame)
                if self._clock() >= self._next:
                    passed += self.rest()
                continue
            if isinstance(frame, Message) and self._ends_with(frame):
                passed += self.rest()
            passed.append(frame)
        return passed

    def wait(self) -> float | None:
        """Seconds until what is held back may be sent; None if there is nothing."""
        return None if self._held is None else max(0.0, self._next - self._clock())

    def rest(self) -> list[Frame]:
        """What is held back, which is sent now."""
        held, self._held = self._held, None
        if held is None:
            return []
        self._next = self._clock() + self._interval
        return [held]

    def _hold(self, state: Message) -> None:
        """Put a newer state over the held one. What it says nothing of is as it was."""
        if self._held is not None:
            nodes = {**self._held.data["nodes"], **state.data["nodes"]}
            # Who takes several together for one may not be given the latest alone.
            replaces = state.replaces if state.replaces == self._held.replaces else None
            state = replace(state, data={**state.data, "nodes": nodes}, replaces=replaces)
        self._held = state

    def _ends_with(self, message: Message) -> bool:
        """Whether nothing that was held back may come after this: clients show the run as over."""
        if message.type in _ENDS:
            return True
        blocked = message.data.get("exception_type") == "ExecutionBlocked"
        if message.type != "execution_error" or blocked or self._failed:
            return False
        self._failed = True  # of many failures only the first one hurries
        return True
