"""The one way in which a request is refused: a sentence for the user with a type for the program."""

import errno
from collections.abc import Mapping
from typing import Any, Final

_NO_ROOM: Final = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


class ApiError(Exception):
    """Raised by anything that serves a request; the middleware turns it into the JSON error body of the protocol."""

    def __init__(
        self,
        status: int,
        error_type: str,
        message: str,
        details: str = "",
        *,
        extra_info: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.error_type = error_type
        self.message = message
        self.details = details
        self.extra_info = dict(extra_info or {})
        self.headers = dict(headers or {})
        """Of the answer, such as `Retry-After`."""

    def body(self) -> dict[str, Any]:
        """`{"error": {...}, "node_errors": {}}`, the shape that clients of `/prompt` parse."""
        error = {
            "type": self.error_type,
            "message": self.message,
            "details": self.details,
            "extra_info": self.extra_info,
        }
        return {"error": error, "node_errors": {}}


def not_stored(name: str, place: str, error: OSError) -> ApiError:
    """The refusal of a file that could not be written in the folder `place`: 507 if there is no room, else 400."""
    message = (
        f"'{name}' cannot be stored in the {place} folder: {error.strerror or error}. What was there is as it was."
    )
    return ApiError(507 if error.errno in _NO_ROOM else 400, "not_stored", message)
