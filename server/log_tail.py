"""The last lines of the log, for the panel of an editor: kept for who asks, told to who subscribed.

What workers log is among them; what is merely printed is not. Nothing is written to a file.
"""

import asyncio
import logging
from collections import deque
from datetime import datetime
from typing import Any, Final

from server.clients import Clients, Packed
from server.protocol.frames import Message

_KEPT: Final = 300
_FORMAT: Final = "%(levelname)s %(name)s: %(message)s"


class LogTail(logging.Handler):
    """Hears the root logger between `start` and `stop`; entries are `{"t": time, "m": line}`."""

    def __init__(self, clients: Clients) -> None:
        super().__init__()
        self.setFormatter(logging.Formatter(_FORMAT))
        self._clients = clients
        self._loop: asyncio.AbstractEventLoop | None = None
        self._entries: deque[dict[str, str]] = deque(maxlen=_KEPT)
        self._subscribers: set[str] = set()

    @property
    def entries(self) -> list[dict[str, str]]:
        """Oldest first."""
        return list(self._entries)

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Hear what is logged from now on."""
        self._loop = loop
        logging.getLogger().addHandler(self)

    def stop(self) -> None:
        """Hear nothing more."""
        logging.getLogger().removeHandler(self)
        self._loop = None

    def subscribe(self, client_id: str, *, wanted: bool) -> None:
        """Tell a client every line from now on, or no longer."""
        if wanted:
            self._subscribers = {client_id, *filter(self._clients.has, self._subscribers)}
        else:
            self._subscribers.discard(client_id)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line; called by whatever thread logs."""
        entry = {"t": datetime.fromtimestamp(record.created).isoformat(), "m": f"{self.format(record)}\n"}
        self._entries.append(entry)
        loop = self._loop
        if self._subscribers and loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self._tell, entry)

    def _tell(self, entry: dict[str, Any]) -> None:
        packed = Packed.of(Message("logs", {"entries": [entry], "size": None}))
        for client_id in self._subscribers:
            self._clients.offer(client_id, packed)  # may be lost, or a slow reader would be told of that for ever
