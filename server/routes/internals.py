"""`/internal/...`: the log, and where files lie, for the panels of editors."""

from pathlib import Path
from typing import Any

from aiohttp import web

from executor.whole_files import is_unfinished
from server.described import described, flag, text
from server.errors import ApiError
from server.keys import FOLDERS, LOG_TAIL
from server.protocol.prompts import MAX_CLIENT_ID
from server.routes.queue import read_object
from server.wire import json_response, threaded


def routes() -> list[web.RouteDef]:
    """The routes of this module."""
    return [
        web.get("/internal/logs", threaded(get_logs)),
        web.get("/internal/logs/raw", threaded(get_raw_logs)),
        web.patch("/internal/logs/subscribe", patch_subscription),
        web.get("/internal/folder_paths", threaded(get_folder_paths)),
        web.get("/internal/files/{directory}", threaded(get_files)),
    ]


def get_logs(request: web.Request) -> web.Response:
    """The last lines of the server's log as one text."""
    return json_response("".join(f"{entry['t']} - {entry['m']}" for entry in request.app[LOG_TAIL].entries))


def get_raw_logs(request: web.Request) -> web.Response:
    """The last lines of the server's log: `{"entries": [{"t", "m"}], "size": null}`."""
    return json_response({"entries": request.app[LOG_TAIL].entries, "size": None})


@described(
    fields={"clientId": text("the socket that shall hear of it"), "enabled": flag("or no longer")},
    required=("clientId", "enabled"),
    answers={200: None},
)
async def patch_subscription(request: web.Request) -> web.Response:
    """Have every further line told to a client, as messages of the type `logs`, or no longer."""
    body = await read_object(request)
    client_id, enabled = body.get("clientId"), body.get("enabled")
    if not isinstance(client_id, str) or not isinstance(enabled, bool) or len(client_id) > MAX_CLIENT_ID:
        raise ApiError(400, "invalid_request", "'clientId' must be text, and 'enabled' true or false.")
    request.app[LOG_TAIL].subscribe(client_id, wanted=enabled)
    return web.Response()


def get_folder_paths(request: web.Request) -> web.Response:
    """The model folders: `{key: [paths]}`."""
    models = request.app[FOLDERS].models.items()
    return json_response({key: [str(root) for root in roots] for key, roots in models})


def get_files(request: web.Request) -> web.Response:
    """The names of the files at the top of the input, output or temp folder, newest first."""
    directory = request.match_info["directory"]
    if directory not in ("input", "output", "temp"):
        raise ApiError(400, "invalid_directory", "Invalid directory type: it must be input, output or temp.")
    folder: Path = request.app[FOLDERS].place(directory)
    found: list[Any] = [(path.stat().st_mtime, path.name) for path in folder.iterdir() if _is_shown(path)]
    return json_response([name for _, name in sorted(found, reverse=True)])


def _is_shown(path: Path) -> bool:
    return path.is_file() and not is_unfinished(path)
