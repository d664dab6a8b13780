"""`/userdata`: the user's own files, above all `workflows/*.json`. Writes are whole or not at all.

A file's ETag names its content. Whoever sends it back as If-Match replaces that content or, with 412, nothing.
"""

import asyncio
from pathlib import Path
from typing import Any

from aiohttp import ETag, web

from executor.folders import PathError, confined
from executor.whole_files import is_unfinished, write_atomic
from server.described import ANY, BYTES, described, flag, text
from server.errors import ApiError, not_stored
from server.files import existing, user_file
from server.keys import FOLDERS, SETTINGS, USER_FILES
from server.wire import json_response, read_body, threaded


def routes() -> list[web.RouteDef]:
    """The routes of this module."""
    return [
        web.get("/userdata", threaded(list_files)),
        web.get("/v2/userdata", threaded(list_entries)),
        web.get("/userdata/{file}", threaded(get_file)),
        web.post("/userdata/{file}", post_file),
        web.delete("/userdata/{file}", threaded(delete_file)),
        web.post("/userdata/{file}/move/{target}", threaded(move_file)),
    ]


@described(
    query={
        "dir": text("a folder of the user's"),
        "recurse": flag("and in the folders inside it"),
        "full_info": flag("answer with sizes and times too"),
        "split": flag("answer with the parts of each path"),
    }
)
def list_files(request: web.Request) -> web.Response:
    """Files under `dir`: names, `[path, part, ...]` with `split`, objects with `full_info`; `recurse` goes deeper."""
    wanted = request.query.get("dir", "")
    if not wanted:
        raise ApiError(400, "invalid_request", "Directory not provided: name one with the parameter 'dir'.")
    folder = _inside(request, wanted)
    if not folder.is_dir():
        raise ApiError(404, "not_found", f"Directory not found: '{wanted[:80]}'.")
    found = sorted(path for path in (folder.rglob("*") if _flag(request, "recurse") else folder.iterdir()))
    files = [path for path in found if path.is_file() and not is_unfinished(path)]
    if _flag(request, "full_info"):
        return json_response([_info(path, folder) for path in files])
    names = [path.relative_to(folder).as_posix() for path in files]
    return json_response([[name, *name.split("/")] for name in names] if _flag(request, "split") else names)


@described(query={"path": text("a folder of the user's; all of them without it")})
def list_entries(request: web.Request) -> web.Response:
    """Everything under `path`, folders first: `[{"name", "path", "type", "size", "modified"}]`."""
    root, wanted = _root(request), request.query.get("path", "")
    folder = _inside(request, wanted) if wanted else root
    if wanted and not folder.is_dir():
        raise ApiError(404, "not_found", f"There is no folder '{wanted[:80]}'.")
    found = sorted(folder.rglob("*"), key=lambda path: (not path.is_dir(), path))
    return json_response([_entry(path, root) for path in found if not is_unfinished(path)])


@described(answers={200: ANY})
def get_file(request: web.Request) -> web.StreamResponse:
    """The content of a file. Only JSON is shown as what it is; everything else is a download."""
    path = _existing(request, "file")
    return user_file(path, kind="application/json" if path.suffix == ".json" else None)


@described(
    query={"overwrite": flag("false refuses to replace"), "full_info": flag("answer with size and times too")},
    body=BYTES,
)
async def post_file(request: web.Request) -> web.Response:
    """Store the raw body; answers the path, or an object with `full_info`, and the new ETag.

    `overwrite=false` refuses with 409 if there is a file; If-Match with 412 if it is not the file with that ETag.
    """
    path = _inside(request, request.match_info["file"])
    body = await read_body(request, request.app[SETTINGS].max_upload_size)
    # Between looking at what would be replaced and replacing it, no other request may come.
    async with request.app[USER_FILES]:
        return await asyncio.to_thread(_store, request, path, body)


@described(answers={204: None})
def delete_file(request: web.Request) -> web.Response:
    """Remove a file: 204, or 404 if there is none."""
    _existing(request, "file").unlink()
    return web.Response(status=204)


@described(query={"overwrite": flag("false refuses to replace"), "full_info": flag("answer with size and times too")})
def move_file(request: web.Request) -> web.Response:
    """Rename a file; `overwrite=false` refuses with 409 if the new name is taken."""
    source, target = _existing(request, "file"), _inside(request, request.match_info["target"])
    _refuse_overwriting(request, target)
    target.parent.mkdir(parents=True, exist_ok=True)
    source.replace(target)
    return _stored(request, target)


def _store(request: web.Request, path: Path, body: bytes) -> web.Response:
    try:
        _refuse_overwriting(request, path)
        _refuse_changed(request, path)
        write_atomic(path, body)
        version = _version(path)
    except OSError as error:
        raise not_stored(path.name, "user", error) from None
    answer = _stored(request, path)
    answer.etag = ETag(version)
    return answer


def _refuse_overwriting(request: web.Request, path: Path) -> None:
    if path.is_dir():
        raise ApiError(400, "invalid_path", f"'{path.name}' is a folder.")
    if path.exists() and request.query.get("overwrite") == "false":
        raise ApiError(409, "file_exists", f"File already exists: '{path.name}'.")


def _refuse_changed(request: web.Request, path: Path) -> None:
    wanted = request.if_match
    if wanted is None:
        return
    version = _version(path) if path.is_file() else None
    if version is None or all(tag.value not in (version, "*") for tag in wanted):
        raise ApiError(412, "file_changed", f"'{path.name}' is not the file that it was: somebody changed it.")


def _version(path: Path) -> str:
    """The ETag that `web.FileResponse` gives the file (RFC 9110, 8.8.3)."""
    facts = path.stat()
    return f"{facts.st_mtime_ns:x}-{facts.st_size:x}"


def _stored(request: web.Request, path: Path) -> web.Response:
    info = _info(path, _root(request))
    return json_response(info if _flag(request, "full_info") else info["path"])


def _entry(path: Path, root: Path) -> dict[str, Any]:
    entry = {"name": path.name, "path": path.relative_to(root).as_posix()}
    if path.is_dir():
        return entry | {"type": "directory"}
    info = _info(path, root)
    return entry | {"type": "file", "size": info["size"], "modified": info["modified"]}


def _info(path: Path, root: Path) -> dict[str, Any]:
    """Path relative to `root`; size in bytes; times in milliseconds."""
    facts = path.stat()
    return {
        "path": path.relative_to(root).as_posix(),
        "size": facts.st_size,
        "modified": int(facts.st_mtime * 1000),
        "created": int(facts.st_ctime * 1000),
    }


def _root(request: web.Request) -> Path:
    return (request.app[FOLDERS].user / "default").resolve()


def _inside(request: web.Request, name: str) -> Path:
    """The path `name` in the user's folder. Raises ApiError 403 if it leads outside."""
    try:
        return confined(_root(request), name)
    except PathError as error:
        raise ApiError(403, "forbidden", str(error)) from None


def _existing(request: web.Request, key: str) -> Path:
    try:
        path = existing(_root(request), request.match_info[key])
    except PathError as error:
        raise ApiError(403, "forbidden", str(error)) from None
    if path is None:
        raise ApiError(404, "not_found", f"There is no file '{request.match_info[key][:80]}'.")
    return path


def _flag(request: web.Request, name: str) -> bool:
    return request.query.get(name, "").lower() in ("true", "1")
