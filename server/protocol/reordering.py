"""What clients post to give a waiting job another place, parsed. A route of ours: ComfyUI has none."""

import math
from typing import Any

from server.errors import ApiError
from server.queue_order import Move

_FORM = (
    "'move' must be an object with 'prompt_id' and one of 'to' (\"front\" or \"back\"), 'before' or 'after' (the id of "
    "another waiting job), or 'number' (smaller ones run first)."
)


def parse_move(value: object) -> Move | None:
    """The wish under `move`, None if there is none. Raises ApiError 400."""
    if value is None:
        return None
    if not isinstance(value, dict) or not isinstance(value.get("prompt_id"), str) or len(value) != 2:
        raise _malformed()
    [(key, wish)] = ((key, item) for key, item in value.items() if key != "prompt_id")
    return _move(value["prompt_id"], key, wish)


def _move(job_id: str, key: object, wish: Any) -> Move:
    match key, wish:
        case "to", "front" | "back":
            return Move(job_id, place=wish)
        case "before", str():
            return Move(job_id, place="before", neighbour=wish)
        case "after", str():
            return Move(job_id, place="after", neighbour=wish)
        case "number", int() | float() if not isinstance(wish, bool) and math.isfinite(wish) and abs(wish) <= 1e15:
            return Move(job_id, number=float(wish))
        case _:
            raise _malformed()


def _malformed() -> ApiError:
    return ApiError(400, "invalid_request", _FORM)
