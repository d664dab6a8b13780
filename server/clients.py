"""The connected sockets and what is on its way to each.

Every socket has its own bounded queue and its own task that empties it, so one that stops reading delays nobody and
is dropped. It knows frames, not what they say, and not how a socket was made.
"""

import asyncio
import itertools
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from server.journal import Journals
from server.protocol.frames import Frame, Message
from server.wire import encode

log = logging.getLogger(__name__)

MAX_WAITING_BYTES: Final = 4 * 1024 * 1024
MAX_OFFERED_BYTES: Final = 1024 * 1024
"""Bytes on their way to a client from which on frames that may be lost are."""
BACKLOG: Final = 32
"""Frames from which on an out-of-date one is replaced instead of sent."""
STALL_SECONDS: Final = 10.0


class Socket(Protocol):
    """The part of a WebSocket that is written to."""

    async def send_str(self, data: str) -> None:
        """Send a text frame; returns when the network has room for more."""
        ...

    async def send_bytes(self, data: bytes) -> None:
        """Send a binary frame; returns when the network has room for more."""
        ...


@dataclass(frozen=True, slots=True)
class Packed:
    """A frame as bytes and text, made once for all sockets."""

    text: str | None
    plain: bytes = b""
    described: bytes = b""
    replaces: str | None = None

    @classmethod
    def of(cls, frame: Frame) -> "Packed":
        """Encode a frame."""
        if isinstance(frame, Message):
            return cls(encode({"type": frame.type, "data": frame.data}), replaces=frame.replaces)
        return cls(None, frame.plain, frame.described, frame.replaces)

    def numbered(self, seq: int | None) -> "Packed":
        """The same with its number in the client's journal, for who asked for numbers."""
        if seq is None or self.text is None:
            return self
        return Packed(numbered(self.text, seq), replaces=self.replaces)

    @property
    def size(self) -> int:
        """Bytes it may occupy."""
        return len(self.text) if self.text is not None else len(self.described)


class Client:
    """One socket. `drop` ends its connection at once."""

    def __init__(self, sid: str, socket: Socket, drop: Callable[[], None]) -> None:
        self.sid = sid
        self.counts = False
        """The client wants every message with its number."""
        self.describes_previews = False
        """The client asked for previews that name their node."""
        self._socket = socket
        self._drop = drop
        self._lost = 0
        """Frames that were dropped because the client does not keep up."""
        self._waiting: dict[str | int, Packed] = {}
        self._bytes = 0
        self._serial = itertools.count()
        self._filled = asyncio.Event()

    def negotiate(self, flags: Mapping[str, Any]) -> None:
        """Take the client's feature flags; only a true JSON `true` counts."""
        self.describes_previews = flags.get("supports_preview_metadata") is True

    def put(self, packed: Packed, seq: int | None = None) -> None:
        """Queue a frame, `seq` is its number; it never waits. A client that fell too far behind is dropped instead."""
        if self.counts:
            packed = packed.numbered(seq)
        key: str | int = next(self._serial)
        if packed.replaces is not None and len(self._waiting) >= BACKLOG:
            key = packed.replaces
            older = self._waiting.pop(key, None)
            self._bytes -= older.size if older else 0
        self._waiting[key] = packed
        self._bytes += packed.size
        if self._bytes > MAX_WAITING_BYTES and len(self._waiting) > 1:
            log.warning("A WebSocket client does not read its messages and was disconnected.")
            self._waiting.clear()
            self._bytes = 0
            self._drop()
        self._filled.set()

    def offer(self, packed: Packed) -> None:
        """Queue a frame that may be lost; it is if the client does not keep up."""
        if self._waiting and self._bytes + packed.size > MAX_OFFERED_BYTES:
            if not self._lost:
                log.warning("Node packs send more than a WebSocket client reads; it loses messages of theirs.")
            self._lost += 1
            return
        self.put(packed)

    async def pump(self) -> None:
        """Send what is queued until the socket ends or stalls."""
        try:
            while True:
                await self._filled.wait()
                self._filled.clear()
                while self._waiting:
                    packed = self._waiting.pop(next(iter(self._waiting)))
                    self._bytes -= packed.size
                    async with asyncio.timeout(STALL_SECONDS):
                        await self._send(packed)
        except (OSError, TimeoutError):
            self._drop()

    async def _send(self, packed: Packed) -> None:
        if packed.text is not None:
            await self._socket.send_str(packed.text)
        else:
            await self._socket.send_bytes(packed.described if self.describes_previews else packed.plain)


class Clients:
    """All sockets. Several may share an id (two tabs, or a reconnect that overtakes its predecessor's end)."""

    def __init__(self, first: int = 0) -> None:
        """Messages are numbered from `first` on, which must be higher than what an earlier run came to."""
        self._clients: list[Client] = []
        self._journals = Journals(first)

    def add(self, client: Client) -> None:
        """From now on `client` hears what concerns its id."""
        self._clients.append(client)

    def follow(self, client: Client, since: int) -> int | None:
        """Number the messages to `client` from now on, which is not added yet, and queue those after `since` that it
        missed. Returns the number of the last; None if it must be told anew, because `since` is too old or 0."""
        journal = self._journals.begin(client.sid)
        client.counts = True
        missed = journal.since(since)
        client.put(Packed(journal_mark(journal.last, complete=missed is not None)))
        for seq, text in missed or ():
            client.put(Packed(text), seq)
        return None if missed is None else journal.last

    def remove(self, client: Client) -> None:
        """Forget this socket, and only this one."""
        self._clients.remove(client)

    def has(self, sid: str) -> bool:
        """Whether a socket has this id."""
        return any(client.sid == sid for client in self._clients)

    def send(self, sid: str | None, frames: Iterable[Frame]) -> None:
        """Queue frames for the sockets with this id; nobody has the id None. Frames for everyone go to everyone."""
        for frame in frames:
            everyone = isinstance(frame, Message) and frame.everyone
            listeners = [client for client in self._clients if everyone or (sid is not None and client.sid == sid)]
            journal = self._journals.of(sid) if sid is not None else None
            if everyone:
                self._tell(Packed.of(frame), listeners)
            elif listeners or (journal is not None and isinstance(frame, Message)):
                packed = Packed.of(frame)
                seq = journal.add(packed.text) if journal is not None and packed.text is not None else None
                for client in listeners:
                    client.put(packed, seq)

    def offer(self, sid: str | None, packed: Packed) -> None:
        """Queue a frame that may be lost for the sockets with this id, or (None) for all."""
        for client in self._clients:
            if sid is None or client.sid == sid:
                client.offer(packed)

    def broadcast(self, message: Message) -> None:
        """Queue a message for all sockets."""
        self._tell(Packed.of(message), self._clients)

    def _tell(self, packed: Packed, listeners: Iterable[Client]) -> None:
        """Queue what is for everyone. It has no number: it says how things are, and the next one says so again."""
        for client in listeners:
            client.put(packed)


def numbered(text: str, seq: int) -> str:
    """A message, which is a JSON object, with its number in it."""
    return f'{text[:-1]},"seq":{seq}}}'


def journal_mark(last: int, *, complete: bool) -> str:
    """What a client that asked for what it missed hears first."""
    return encode({"type": "missed", "data": {"last": last, "complete": complete}})
