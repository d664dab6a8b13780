"""The token that a request must bring where one is asked for: its file, the cookie and the link that stand for it.

It decides and counts wrong guesses; it knows no request and no route. Nothing of it is ever logged.
"""

import hashlib
import hmac
import os
import secrets
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Final

from executor.whole_files import write_atomic
from server.origin import Refused

MAX_WRONG: Final = 10
"""Wrong tokens from one address within `WRONG_SECONDS`; then no token of that address is looked at."""
WRONG_SECONDS: Final = 60.0
_ADDRESSES: Final = 1024
"""Addresses whose wrong guesses are remembered; a flood of others must not fill the memory."""
_SHORTEST: Final = 16


class AccessError(Exception):
    """The token cannot be kept or read. The text is for the user."""


class Access:
    """The token in `file`; None asks for no token. `open` first."""

    def __init__(self, file: Path | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._file = file
        self._clock = clock
        self._token = ""
        self._once: str | None = None
        self._wrong: dict[str, deque[float]] = {}

    @property
    def asked(self) -> bool:
        """Whether requests need the token."""
        return self._file is not None

    def open(self) -> None:
        """Read the token, or make one that nobody but this user can read. Raises AccessError."""
        if self._file is None:
            return
        try:
            if not self._file.exists():
                write_atomic(self._file, f"{secrets.token_urlsafe(32)}\n".encode(), mode=0o600)
            os.chmod(self._file, 0o600)
            self._token = self._file.read_text().strip()
        except (OSError, ValueError) as error:
            raise AccessError(f"The access token cannot be kept in '{self._file}': {error}.") from None
        if len(self._token) < _SHORTEST:
            message = f"The access token in '{self._file}' has fewer than {_SHORTEST} characters; remove the file."
            raise AccessError(message)
        self._once = secrets.token_urlsafe(24)

    @property
    def once(self) -> str | None:
        """What the link of this start carries, until it has been used."""
        return self._once

    @property
    def cookie_name(self) -> str:
        """A name of this installation alone, since browsers share cookies between the ports of a machine."""
        return f"heddle-{self._derived('name')[:8]}"

    @property
    def cookie(self) -> str:
        """What stands for the token in a browser; the token does not follow from it."""
        return self._derived("cookie")

    def exchange(self, code: str) -> bool:
        """Use up the code of the link."""
        if self._once is None or not _same(code, self._once):
            return False
        self._once = None
        return True

    def verdict(self, token: str | None, cookie: str | None, address: str) -> Refused | None:
        """None if the request may pass. `token`: what it offered in a header or a form; `address`: whose it is."""
        if not self.asked or (cookie is not None and _same(cookie, self.cookie)):
            return None
        if token is None:
            where = f"'{self._file.name}' in the user folder" if self._file is not None else ""
            return Refused(401, f"This server needs its access token; it is in the file {where}.")
        if self._guessed_often(address):
            return Refused(429, "Too many wrong tokens came from this address; try again in a minute.")
        if _same(token, self._token):
            return None
        self._count(address)
        return Refused(401, "This is not the access token of this server.")

    def _derived(self, purpose: str) -> str:
        return hmac.new(self._token.encode(), purpose.encode(), hashlib.sha256).hexdigest()

    def _guessed_often(self, address: str) -> bool:
        guesses = self._wrong.get(address, deque())
        while guesses and guesses[0] <= self._clock() - WRONG_SECONDS:
            guesses.popleft()
        return len(guesses) >= MAX_WRONG

    def _count(self, address: str) -> None:
        guesses = self._wrong.pop(address, None) or deque(maxlen=MAX_WRONG)
        guesses.append(self._clock())
        self._wrong[address] = guesses
        while len(self._wrong) > _ADDRESSES:
            del self._wrong[next(iter(self._wrong))]


def _same(one: str, other: str) -> bool:
    """Compared in a time that does not tell how much of it is right."""
    return hmac.compare_digest(one.encode(errors="replace"), other.encode())
