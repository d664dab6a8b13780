"""What was told to a client lately, numbered, so that one whose connection broke can ask for what it missed.

Of messages only: previews are out of date by then. It knows no socket.
"""

from collections import OrderedDict, deque
from typing import Final

MAX_BYTES: Final = 4 * 1024 * 1024
MAX_MESSAGES: Final = 5000
MAX_CLIENTS: Final = 64
"""Clients whose messages are kept; those that came longest ago go first."""


class Journal:
    """The last messages to one client id."""

    def __init__(self, first: int) -> None:
        self.last = first
        """The number of the last message."""
        self._texts: deque[str] = deque()
        self._bytes = 0

    def add(self, text: str) -> int:
        """Keep a message; its number."""
        self._texts.append(text)
        self._bytes += len(text)
        self.last += 1
        while len(self._texts) > MAX_MESSAGES or (self._bytes > MAX_BYTES and len(self._texts) > 1):
            self._bytes -= len(self._texts.popleft())
        return self.last

    def since(self, number: int) -> list[tuple[int, str]] | None:
        """The messages after this one with their numbers; None if some of them are no longer known, or never were."""
        oldest = self.last - len(self._texts)
        if not oldest <= number <= self.last:
            return None
        return [(seq, text) for seq, text in enumerate(self._texts, oldest + 1) if seq > number]


class Journals:
    """The journals of the clients that asked for one."""

    def __init__(self, first: int) -> None:
        """`first`: higher than any number of an earlier run of the server, so that these are known to be too old."""
        self._first = first
        self._journals: OrderedDict[str, Journal] = OrderedDict()

    def of(self, sid: str) -> Journal | None:
        """The journal of this client id, if there is one."""
        return self._journals.get(sid)

    def begin(self, sid: str) -> Journal:
        """The journal of this client id, from now on if there was none."""
        journal = self._journals.setdefault(sid, Journal(self._first))
        self._journals.move_to_end(sid)
        while len(self._journals) > MAX_CLIENTS:
            self._journals.popitem(last=False)
        return journal
