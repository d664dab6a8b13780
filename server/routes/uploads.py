"""`/upload/image` and `/upload/mask`: files that clients bring for LoadImage and its relatives."""

import asyncio
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from aiohttp import web

from executor.folders import Folders, PathError
from server import pictures
from server.described import FORM, described, one_of, text
from server.errors import ApiError, not_stored
from server.files import store_upload, upload_name
from server.keys import FOLDERS
from server.slow_clients import arriving
from server.wire import json_response

Form = Mapping[str, str | bytes | bytearray | web.FileField]


def routes() -> list[web.RouteDef]:
    """The routes of this module."""
    return [web.post("/upload/image", upload_image), web.post("/upload/mask", upload_mask)]


@described(
    body=FORM,
    fields={
        "image": text("the file", format="binary"),
        "type": one_of("the folder, input without it", "input", "output", "temp"),
        "subfolder": text("where it shall lie in the folder"),
        "overwrite": text("'true' replaces a file of the same name, but no result"),
    },
    required=("image",),
)
async def upload_image(request: web.Request) -> web.Response:
    """Store the file field `image`; answers `{"name", "subfolder", "type"}`. Nothing is overwritten unless asked."""
    form = await _form(request)
    return json_response(await asyncio.to_thread(_keep_image, request.app[FOLDERS], form))


@described(
    body=FORM,
    fields={
        "image": text("the file", format="binary"),
        "original_ref": text("JSON: filename, subfolder and type of the picture that gets the mask"),
        "type": one_of("the folder, input without it", "input", "output", "temp"),
        "subfolder": text("where it shall lie in the folder"),
        "overwrite": text("'true' replaces a file of the same name, but no result"),
    },
    required=("image", "original_ref"),
)
async def upload_mask(request: web.Request) -> web.Response:
    """As `/upload/image`, but store the picture `original_ref` with the alpha channel of the upload."""
    form = await _form(request)
    return json_response(await asyncio.to_thread(_keep_mask, request.app[FOLDERS], form))


async def _form(request: web.Request) -> Form:
    if not request.content_type.startswith("multipart/"):
        raise ApiError(400, "invalid_request", "An upload is multipart form data with a file field 'image'.")
    try:
        return await arriving(request, request.post())
    except (ValueError, AssertionError) as error:
        raise ApiError(400, "invalid_request", f"The multipart body is damaged: {error}") from None


def _keep_image(folders: Folders, form: Form) -> dict[str, str]:
    file, name = _file(form)
    pictures.check_upload(file, name)
    return _keep(folders, form, name, file)


def _keep_mask(folders: Folders, form: Form) -> dict[str, str]:
    file, name = _file(form)
    original = _original(folders, form)
    return _keep(folders, form, name, io.BytesIO(pictures.with_mask(original, file)))


def _file(form: Form) -> tuple[IO[bytes], str]:
    field = form.get("image")
    if not isinstance(field, web.FileField):
        raise ApiError(400, "invalid_request", "The upload has no file field 'image'.")
    return field.file, upload_name(field.filename)


def _keep(folders: Folders, form: Form, name: str, content: IO[bytes]) -> dict[str, str]:
    place, subfolder = _text(form, "type") or "input", _text(form, "subfolder")
    path = folders.resolve(place, name, subfolder)
    # Results are what a history points at; an upload never replaces one.
    overwrite = _text(form, "overwrite").lower() in ("true", "1") and place != "output"
    try:
        stored = store_upload(content, path, overwrite=overwrite)
    except OSError as error:
        raise not_stored(name, place, error) from None
    return {"name": stored.name, "subfolder": subfolder, "type": place}


def _original(folders: Folders, form: Form) -> Path:
    try:
        reference: Any = json.loads(_text(form, "original_ref"))
        name, place = str(reference["filename"]), str(reference.get("type") or "output")
        subfolder = str(reference.get("subfolder") or "")
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        message = "'original_ref' must be JSON with 'filename', and optionally 'subfolder' and 'type'."
        raise ApiError(400, "invalid_request", message) from None
    path = folders.resolve(place, name, subfolder)
    if not path.is_file():
        raise ApiError(404, "not_found", f"There is no '{name}' in the {place} folder to put the mask on.")
    return path


def _text(form: Form, name: str) -> str:
    value = form.get(name, "")
    if not isinstance(value, str):
        raise PathError(f"The form field '{name}' must be text.")
    return value
