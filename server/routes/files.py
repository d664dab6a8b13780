"""`/view` and `/view_metadata`: pictures and other results, served so that they cannot act in our name."""

from pathlib import Path
from typing import Final, get_args

from aiohttp import web

from executor.folders import Folders, PathError
from server import pictures
from server.described import ANY, described, one_of, text
from server.errors import ApiError
from server.files import inline_type, user_file, user_headers
from server.keys import FOLDERS
from server.wire import json_response, threaded

_SPLIT: Final[dict[str, pictures.Channel]] = {"rgb": "rgb", "a": "a"}


def routes() -> list[web.RouteDef]:
    """The routes of this module."""
    return [
        web.get("/view", threaded(view)),
        web.get("/view_metadata/{folder}", threaded(view_metadata)),
    ]


@described(
    query={
        "filename": text("its name, which may end in ' [input]', ' [output]' or ' [temp]'"),
        "subfolder": text("where it lies in the folder"),
        "type": one_of("the folder, output without it", "input", "output", "temp"),
        "preview": text("webp or jpeg, and a quality: 'webp;90'"),
        "channel": one_of("rgba without it", *get_args(pictures.Channel)),
    },
    answers={200: ANY},
)
def view(request: web.Request) -> web.StreamResponse:
    """A file by `filename`, `subfolder`, `type`; `preview=webp|jpeg;90` makes it lighter, `channel=rgb|a` splits it."""
    query = request.query
    path = _viewed(request.app[FOLDERS], query.get("filename", ""), query.get("subfolder", ""), query.get("type"))
    if "preview" in query:
        body, kind = pictures.preview(path, query["preview"])
        return web.Response(body=body, headers=user_headers(path.name, kind))
    channel = query.get("channel", "rgba")
    if channel == "rgba":
        return user_file(path, kind=inline_type(path))
    if channel in _SPLIT:
        return web.Response(body=pictures.channel(path, _SPLIT[channel]), headers=user_headers(path.name, "image/png"))
    words = ", ".join(get_args(pictures.Channel))
    raise ApiError(400, "invalid_request", f"'channel' must be one of {words}, not '{channel[:40]}'.")


@described(query={"filename": text("a file of the model folder")})
def view_metadata(request: web.Request) -> web.StreamResponse:
    """The `__metadata__` in the header of the safetensors file `filename` of a model folder."""
    try:
        path = request.app[FOLDERS].model(request.match_info["folder"], request.query.get("filename", ""))
    except PathError as error:
        raise ApiError(404, "not_found", str(error)) from None
    metadata = pictures.safetensors_metadata(path) if path.suffix == ".safetensors" else None
    if metadata is None:
        raise ApiError(404, "not_found", f"'{path.name}' carries no metadata.")
    return json_response(metadata)


def _viewed(folders: Folders, filename: str, subfolder: str, place: str | None) -> Path:
    """The existing file that a client names. Raises ApiError 404 for none, 403 for a subfolder that leads outside."""
    if not filename:
        raise ApiError(404, "not_found", "The parameter 'filename' is missing.")
    for known in ("input", "output", "temp"):
        if filename.endswith(f" [{known}]"):
            filename, place = filename.removesuffix(f" [{known}]"), known
    root = folders.place(place or "output")
    folders.resolve(place or "output", filename)  # the name itself must be tame: 400 otherwise
    try:
        path = folders.resolve(place or "output", filename, subfolder)
    except PathError as error:
        raise ApiError(403, "forbidden", str(error)) from None
    if not path.is_file() or path == root:
        raise ApiError(404, "not_found", f"There is no '{filename}' in the {place or 'output'} folder.")
    return path
