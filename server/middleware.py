"""What holds for every request and every answer: origin policy, access token, JSON errors, CORS and security headers.

One chain for the whole application, so that no route can forget it, a pack's neither. Of the routes it knows only the
two that ask for no token.
"""

import logging
from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from executor.folders import PathError
from executor.worker import WorkerLost
from server.access import Access
from server.errors import ApiError
from server.jobs import StoreError
from server.origin import OriginPolicy
from server.slow_clients import Newcomers
from server.wire import json_response

log = logging.getLogger(__name__)

EDITOR_POLICY: Final = (
    "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; "
    "font-src 'self' data:; connect-src 'self'; worker-src 'self' blob:; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)
"""No inline script, no eval, nothing from elsewhere: a picture's metadata cannot become a program."""

_OPEN: Final = frozenset({"/health", "/login", "/api/health", "/api/login"})
"""Paths that need no token; everything else does, the editor's files and packs' routes among it."""

_PICTURES: Final = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")


def chain(policy: OriginPolicy, access: Access, newcomers: Newcomers, *, compress: bool = False) -> list[Middleware]:
    """The middlewares, outermost first."""
    return [
        _arrival(newcomers),
        _preflight(policy),
        *([_compressed] if compress else []),
        _errors,
        _guard(policy),
        _key(access),
    ]


def address_of(request: web.Request) -> str:
    """Whose request it is, as far as the connection tells."""
    return request.remote or "unknown"


@web.middleware
async def _compressed(request: web.Request, handler: Handler) -> web.StreamResponse:
    """JSON and texts are compressed for who takes it; those that are written bit by bit see to it themselves."""
    response = await handler(request)
    kind = response.content_type
    if isinstance(response, web.Response) and (kind == "application/json" or kind.startswith("text/")):
        response.enable_compression()
    return response


def _arrival(newcomers: Newcomers) -> Middleware:
    @web.middleware
    async def arrival(request: web.Request, handler: Handler) -> web.StreamResponse:
        newcomers.hear(request)
        return await handler(request)

    return arrival


def _guard(policy: OriginPolicy) -> Middleware:
    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        upgrade = request.headers.get("Upgrade", "").lower() == "websocket"
        hosts = request.headers.getall("Host", [])
        refused = policy.verdict(request.method, request.headers, hosts, upgrade=upgrade)
        if refused is not None:
            raise ApiError(refused.status, "forbidden" if refused.status == 403 else "bad_request", refused.message)
        return await handler(request)

    return guard


def _key(access: Access) -> Middleware:
    @web.middleware
    async def key(request: web.Request, handler: Handler) -> web.StreamResponse:
        if not access.asked or request.path in _OPEN:
            return await handler(request)
        refused = access.verdict(_token(request), request.cookies.get(access.cookie_name), address_of(request))
        if refused is None:
            return await handler(request)
        if refused.status == 401 and request.method == "GET" and "text/html" in request.headers.get("Accept", ""):
            return web.Response(status=303, headers={"Location": "/login"})  # a person, who can log in
        extra = {"Retry-After": "60"} if refused.status == 429 else {"WWW-Authenticate": "Bearer"}
        raise ApiError(refused.status, "unauthorized", refused.message, headers=extra)

    return key


def _token(request: web.Request) -> str | None:
    """The token in a header: `X-Heddle-Token: T`, `Authorization: Bearer T` or `Authorization: token T`."""
    own = request.headers.get("X-Heddle-Token")
    if own is not None:
        return own
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() in ("bearer", "token") else None


def _preflight(policy: OriginPolicy) -> Middleware:
    @web.middleware
    async def preflight(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.method != "OPTIONS":
            return await handler(request)
        refused = policy.verdict("OPTIONS", request.headers, request.headers.getall("Host", []), upgrade=False)
        return web.Response(status=200 if refused is None else refused.status)

    return preflight


def _cors_headers(origin: str) -> dict[str, str]:
    return {
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Allow-Methods": "POST, GET, DELETE, PUT, OPTIONS, PATCH",
        "Access-Control-Allow-Headers": "Content-Type, Authorization",
        "Cross-Origin-Resource-Policy": "cross-origin",
        "Vary": "Origin",
    }


@web.middleware
async def _errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every refusal leaves as JSON with a sentence; a defect of ours is logged and admitted without its traceback."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        if error.status < 400:
            raise
        refusal = ApiError(error.status, "http_error", _sentence(request, error))
    except ApiError as error:
        refusal = error
    except PathError as error:
        refusal = ApiError(400, "invalid_path", str(error))
    except WorkerLost as error:
        refusal = ApiError(503, "worker_unavailable", f"The worker process is not available: {error}")
    except StoreError as error:
        refusal = ApiError(507, "store_unavailable", str(error))
    except Exception:  # the last resort: a defect costs one request, and its traceback stays in the log
        log.exception("%s %s failed", request.method, request.path)
        refusal = ApiError(500, "internal_error", "The server failed on this request; its log says where.")
    return json_response(refusal.body(), status=refusal.status, headers=refusal.headers)


def _sentence(request: web.Request, error: web.HTTPException) -> str:
    if error.status == 404:
        return f"There is nothing at '{request.path[:200]}'."
    if error.status == 405:
        return f"'{request.path[:200]}' does not answer {request.method}."
    if error.status == 413:
        return "The upload is larger than the server accepts; raise --max-upload-size."
    return error.reason


def header_signal(policy: OriginPolicy) -> Callable[[web.Request, web.StreamResponse], Awaitable[None]]:
    """What runs for every answer just before it is sent, streamed ones too; what a handler set itself is kept."""

    async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
        headers = response.headers
        headers["Server"] = "Heddle"
        origin = request.headers.get("Origin")
        if origin is not None and policy.admits(origin):
            headers.update(_cors_headers(origin))
        headers.setdefault("X-Content-Type-Options", "nosniff")
        headers.setdefault("Referrer-Policy", "no-referrer")
        headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        headers.setdefault("Content-Security-Policy", EDITOR_POLICY)
        headers.setdefault("Cache-Control", _cache_control(request.path, response.status))

    return add_headers


def _cache_control(path: str, status: int) -> str:
    if path.lower().endswith(_PICTURES):
        return "public, max-age=86400" if status in (200, 206, 301, 304, 308) else "no-cache"
    return "no-cache"
