"""The server's log as files: one JSON object a line, in `user/logs`, the old ones dropped before they fill the disk.

Of this process only; what a worker prints goes where the server's own output goes.
"""

import json
import logging
from datetime import UTC, datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Final

_MOST_BYTES: Final = 10 * 1024 * 1024
_KEPT: Final = 5
"""Full files beside the one that is written."""
_LONGEST: Final = 64 * 1024
"""Characters of a message or a traceback that are kept."""


class LogFile(RotatingFileHandler):
    """Hears the root logger between `start` and `stop`. A log that cannot be written stops nothing."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        super().__init__(folder / "heddle.jsonl", maxBytes=_MOST_BYTES, backupCount=_KEPT, encoding="utf-8", delay=True)
        self.setFormatter(_JsonLine())

    def start(self) -> None:
        """Write what is logged from now on."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            logging.getLogger(__name__).warning("There will be no log in '%s': %s", self._folder, error)
            return
        logging.getLogger().addHandler(self)

    def stop(self) -> None:
        """Write nothing more."""
        logging.getLogger().removeHandler(self)
        self.close()

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """A full disk must not end what wanted to say something."""


class _JsonLine(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        said = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage()[:_LONGEST],
        }
        if record.exc_info:
            said["traceback"] = self.formatException(record.exc_info)[-_LONGEST:]
        return json.dumps(said)
