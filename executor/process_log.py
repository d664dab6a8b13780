"""The log of a worker process, as its parent tells it: one stream, one format, and an editor's panel shows all of it.

What native code or `print` writes goes to the standard streams, which both processes share; it is not kept.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Logged:
    """To the parent: a line of the log, with the traceback if it has one."""

    logger: str
    level: int
    created: float
    text: str


class LogSender(logging.Handler):
    """Sends what is logged in this process, from whatever thread, instead of writing it."""

    def __init__(self, send: Callable[[Logged], None]) -> None:
        super().__init__()
        self._send = send

    def emit(self, record: logging.LogRecord) -> None:
        """Send one line."""
        try:
            self._send(Logged(record.name, record.levelno, record.created, self.format(record)))
        except Exception:  # noqa: BLE001 - a line that cannot be worded must not fail who logs it
            self.handleError(record)


def log_here(logged: Logged) -> None:
    """Log in this process what another one said."""
    logger = logging.getLogger(logged.logger)
    if logger.isEnabledFor(logged.level):
        fields = {
            "name": logged.logger,
            "levelno": logged.level,
            "levelname": logging.getLevelName(logged.level),
            "created": logged.created,
            "msg": logged.text,
        }
        logger.handle(logging.makeLogRecord(fields))
