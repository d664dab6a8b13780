"""JSON in and out: bodies that cannot hurt us, and an encoder that cannot raise.

It knows sizes, depths and numbers, not what the JSON means; that is `server.protocol`.
"""

import asyncio
import functools
import json
import math
from collections.abc import Awaitable, Callable, Iterator, Mapping
from itertools import chain
from typing import Any, Final

from aiohttp import web

from server.errors import ApiError
from server.slow_clients import arriving

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

MAX_DEPTH: Final = 100
MAX_VALUES: Final = 1_000_000
"""Of a body. A prompt of ten thousand nodes has about a third as many; each costs far more memory than its text."""
LARGE: Final = 256 * 1024
"""Bytes from which parsing would hold up the other requests and goes to a thread."""


def encode(value: object) -> str:
    """`value` as compact JSON. What JSON cannot hold is replaced, never raised: NaN by null, objects by their text."""
    try:
        return json.dumps(value, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError):
        return json.dumps(_plain(value, ()), separators=(",", ":"))


def json_response(value: object, *, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """An `application/json` answer."""
    return web.Response(text=encode(value), status=status, content_type="application/json", headers=headers)


async def large_json_response(value: Callable[[], object]) -> web.Response:
    """The same of what `value` gives, which may be long: made and worded in a thread."""
    text = await asyncio.to_thread(lambda: encode(value()))
    return web.Response(text=text, content_type="application/json")


def threaded(handler: Callable[[web.Request], web.StreamResponse]) -> Handler:
    """Make a request handler of a plain function that touches files, by running it in a thread."""

    @functools.wraps(handler)
    async def handle(request: web.Request) -> web.StreamResponse:
        return await asyncio.to_thread(handler, request)

    return handle


async def read_json(request: web.Request, limit: int, *, empty: object = None) -> Any:
    """The parsed body, whatever content type a program sent it with; `empty` stands for an empty body.

    Raises ApiError: 413 over `limit` bytes, 415 for a browser that did not say JSON, 400 for what is not sane JSON.
    """
    body = await read_body(request, limit)
    if not body.strip():
        return empty
    from_browser = "Origin" in request.headers or "Sec-Fetch-Site" in request.headers
    if from_browser and request.content_type != "application/json":
        raise ApiError(
            415, "unsupported_media_type", "Send this body with the header 'Content-Type: application/json'."
        )
    return await asyncio.to_thread(parse_json, body) if len(body) > LARGE else parse_json(body)


async def read_body(request: web.Request, limit: int) -> bytes:
    """The raw body. Raises ApiError 413 before more than `limit` bytes are held."""
    refusal = ApiError(413, "body_too_large", f"The body is larger than {limit} bytes.")
    if request.content_length is not None and request.content_length > limit:
        raise refusal

    async def read() -> bytes:
        body = bytearray()
        async for chunk in request.content.iter_any():
            body += chunk
            if len(body) > limit:
                raise refusal
        return bytes(body)

    # What has come already needs no watch.
    return await (read() if request.content.is_eof() else arriving(request, read()))


def parse_json(body: bytes) -> Any:
    """Parse JSON of limited depth without NaN or infinities, which no answer could repeat.

    Raises ApiError: 413 for more values than we hold, 400 for what is no such JSON.
    """
    if len(body) > MAX_VALUES and sum(map(body.count, (b",", b"{", b"["))) > MAX_VALUES:
        raise ApiError(413, "body_too_large", f"The body holds more than {MAX_VALUES:,} values.")
    try:
        value = json.loads(body)
    except RecursionError:
        raise _too_deep("") from None
    except UnicodeDecodeError:
        raise ApiError(400, "invalid_json", "The body is not UTF-8 text.") from None
    except ValueError as error:
        raise ApiError(400, "invalid_json", f"The body is not valid JSON: {error}.") from None
    _drop_replayed_marks(value)
    for path, found in () if _is_plain(value) else _oddities(value):
        if found == "deep":
            raise _too_deep(path)
        message = f"'{path}' is not a finite number; JSON has no NaN and no infinity."
        raise ApiError(400, "invalid_json", message, extra_info={"path": path})
    return value


def _drop_replayed_marks(value: object) -> None:
    """Remove `is_changed` from the nodes of a prompt: files written by ComfyUI carry it, often as a bare NaN.

    It is a server's note about its own cache, which no client may dictate.
    """
    prompt = value.get("prompt") if isinstance(value, dict) else None
    for node in prompt.values() if isinstance(prompt, dict) else ():
        if isinstance(node, dict):
            node.pop("is_changed", None)


_CONTAINERS: Final = frozenset({dict, list})
_CAN_BE_ODD: Final = _CONTAINERS | {float}

_Path = tuple[str | int, Any] | None


def _is_plain(value: object) -> bool:
    """Whether `_oddities` would find nothing. Level by level, which is quick because no path is kept."""
    level: list[Any] = [[value]]
    for _ in range(MAX_DEPTH + 1):
        children = chain.from_iterable(item.values() if type(item) is dict else item for item in level)
        inside = [child for child in children if type(child) in _CAN_BE_ODD]
        level = [child for child in inside if type(child) in _CONTAINERS]
        if len(level) < len(inside) and not all(map(math.isfinite, (it for it in inside if type(it) is float))):
            return False
        if not level:
            return True
    return False


def _oddities(value: object) -> Iterator[tuple[str, str]]:
    """Paths of what is nested too deeply or not finite. Iterative, so that depth cannot exhaust the stack."""
    waiting: list[tuple[object, int, _Path]] = [(value, 0, None)]
    while waiting:
        item, depth, path = waiting.pop()
        if isinstance(item, float) and not math.isfinite(item):
            yield _spelled(path), "number"
        elif isinstance(item, (dict, list)):
            if depth >= MAX_DEPTH:
                yield _spelled(path), "deep"
            pairs = item.items() if isinstance(item, dict) else enumerate(item)
            # Only what can be odd: most values are texts and whole numbers.
            waiting += [(child, depth + 1, (key, path)) for key, child in pairs if type(child) in _CAN_BE_ODD]


def _spelled(path: _Path) -> str:
    parts: list[str] = []
    while path is not None:
        parts.append(str(path[0]))
        path = path[1]
    return ".".join(reversed(parts))


def _too_deep(path: str) -> ApiError:
    where = f" at '{'.'.join(path.split('.')[:4])}'" if path else ""
    return ApiError(400, "invalid_json", f"The body is nested more than {MAX_DEPTH} levels deep{where}.")


def _plain(value: object, around: tuple[int, ...]) -> Any:
    """`value` in JSON's types; `around` holds the identities of the containers it lies in, which ends cycles."""
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if id(value) in around or len(around) >= MAX_DEPTH:
        return "..."
    inside = (*around, id(value))
    if isinstance(value, Mapping):
        return {str(key): _plain(item, inside) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(item, inside) for item in value]
    return f"<{type(value).__name__}>"
