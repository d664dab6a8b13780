"""`/models`, `/embeddings` and `/experiment/models`: which model files there are."""

from pathlib import Path, PurePosixPath
from typing import Any

from aiohttp import web

from executor.folders import linked
from server import pictures
from server.described import described
from server.errors import ApiError
from server.files import user_headers
from server.keys import FOLDERS
from server.wire import json_response, threaded


def routes() -> list[web.RouteDef]:
    """The routes of this module."""
    return [
        web.get("/models", threaded(get_folders)),
        web.get("/models/{folder}", threaded(get_models)),
        web.get("/embeddings", threaded(get_embeddings)),
        web.get("/experiment/models", threaded(get_roots)),
        web.get("/experiment/models/{folder}", threaded(get_described)),
        web.get("/experiment/models/preview/{folder}/{path_index}/{filename:.+}", threaded(get_preview)),
    ]


def get_folders(request: web.Request) -> web.Response:
    """The keys of the model folders."""
    return json_response(list(request.app[FOLDERS].models))


def get_models(request: web.Request) -> web.Response:
    """The file names in a model folder, relative and sorted; 404 for an unknown key."""
    return json_response(request.app[FOLDERS].list(_known(request)))


def get_embeddings(request: web.Request) -> web.Response:
    """The embeddings, without their suffixes, as a text names them."""
    names = (PurePosixPath(name) for name in request.app[FOLDERS].list("embeddings"))
    return json_response([str(name.with_suffix("")) for name in names])


def get_roots(request: web.Request) -> web.Response:
    """Model folders with their paths: `[{"name", "folders"}]`."""
    models = request.app[FOLDERS].models.items()
    shown = ((key, roots) for key, roots in models if key not in ("configs", "custom_nodes"))
    return json_response([{"name": key, "folders": [str(root) for root in roots]} for key, roots in shown])


def get_described(request: web.Request) -> web.Response:
    """The files of a model folder: `[{"name", "pathIndex", "modified", "created", "size"}]`."""
    folders, key = request.app[FOLDERS], _known(request)
    described = (_described(name, folders.model(key, name), folders.models[key]) for name in folders.list(key))
    return json_response(list(described))


@described(answers={200: "image/webp"})
def get_preview(request: web.Request) -> web.Response:
    """A picture of a model file: one that lies beside it, or the one in its header; 404 if there is none."""
    words = request.match_info
    roots = request.app[FOLDERS].models.get(words["folder"], ())
    index = int(words["path_index"]) if words["path_index"].isdecimal() and len(words["path_index"]) < 9 else -1
    if not 0 <= index < len(roots):
        raise ApiError(404, "not_found", f"There is no model folder {words['folder'][:80]!r} of this number.")
    model = linked(roots[index], words["filename"])
    picture = pictures.model_preview(model) if model.is_file() else None
    if picture is None:
        raise ApiError(404, "not_found", f"There is no picture of '{words['filename'][:80]}'.")
    return web.Response(body=picture, headers=user_headers("preview.webp", "image/webp"))


def _described(name: str, path: Path, roots: tuple[Path, ...]) -> dict[str, Any]:
    facts = path.stat()
    index = next((at for at, root in enumerate(roots) if path.is_relative_to(root)), 0)
    return {
        "name": name,
        "pathIndex": index,
        "modified": facts.st_mtime,
        "created": facts.st_ctime,
        "size": facts.st_size,
    }


def _known(request: web.Request) -> str:
    folder = request.match_info["folder"]
    if folder not in request.app[FOLDERS].models:
        raise ApiError(404, "not_found", f"There is no model folder '{folder[:80]}'.")
    return folder
