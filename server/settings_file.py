"""The editor's settings: one JSON object in the user's folder, merged and replaced as a whole.

A file that does not parse is reported and left alone, never silently overwritten.
"""

import json
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from executor.whole_files import write_atomic
from server.errors import ApiError, not_stored


class SettingsFile:
    """The settings at `path`. Methods block on the disk and may be called from several threads."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._last = path.with_name(f"{path.name}.last")
        """A copy for the day on which something else damages the file."""
        self._lock = threading.Lock()

    def read(self) -> dict[str, Any]:
        """All settings; an empty object if none were saved. Raises ApiError 409 for a damaged file."""
        try:
            found = json.loads(self._path.read_bytes() or b"null")
        except FileNotFoundError:
            return {}
        except ValueError:
            found = None
        if not isinstance(found, dict):
            message = (
                f"The settings file '{self._path.name}' in the user folder is damaged; repair or remove it, or put "
                f"'{self._last.name}' in its place, which is how it last was."
            )
            raise ApiError(409, "damaged_file", message)
        return found

    def merge(self, changes: Mapping[str, Any]) -> None:
        """Set some settings and keep the others. Raises ApiError if they cannot be stored."""
        with self._lock:
            content = json.dumps(self.read() | dict(changes), indent=1).encode()
            try:
                write_atomic(self._path, content)
                write_atomic(self._last, content)
            except OSError as error:
                raise not_stored(self._path.name, "user", error) from None
