"""Files of programs, the editor and the packs, by their names: with the types that browsers insist on.

Not for what users bring; that is `files.user_file`, which lets nothing run.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from aiohttp import web

from executor.folders import PathError
from server.files import existing

_TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".json": "application/json",
    ".map": "application/json",
    ".webmanifest": "application/manifest+json",
    ".wasm": "application/wasm",
    ".txt": "text/plain; charset=utf-8",
    ".md": "text/plain; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".gif": "image/gif",
    ".webp": "image/webp",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".ico": "image/x-icon",
    ".mp3": "audio/mpeg",
    ".wav": "audio/wav",
    ".ogg": "audio/ogg",
    ".mp4": "video/mp4",
    ".webm": "video/webm",
    ".ttf": "font/ttf",
    ".woff": "font/woff",
    ".woff2": "font/woff2",
}
"""Not the system's table: some systems call .js plain text, and `nosniff` would then stop the editor."""


def static_file(root: Path, name: str, headers: Mapping[str, str] | None = None) -> web.FileResponse | None:
    """The file `name` under `root`; None if there is none, or if it leads outside, by a link too."""
    try:
        path = existing(root, name)
    except PathError:
        return None
    if path is None:
        return None
    kind = _TYPES.get(path.suffix.lower(), "application/octet-stream")
    return web.FileResponse(path, headers={"Content-Type": kind, **(headers or {})})
