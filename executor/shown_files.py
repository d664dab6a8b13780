"""The files that a node's `ui` names, as far as they matter to a remembered result. Opens none of them."""

from collections.abc import Iterator, Mapping
from typing import Any

from executor.folders import Folders, PathError


def shown_state(folders: Folders, ui: Mapping[str, Any]) -> str:
    """Size and time of change of every file in the lists of `ui`; "" if it names none.

    A file is an object with a `filename`, and perhaps a `subfolder` and a `type`, whatever the key of its list:
    pictures, latents, or what a pack calls its own. One that is not there has a state too: that it is missing.
    """
    return "\n".join(_state(folders, entry) for entry in _entries(ui))


def _entries(ui: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for shown in ui.values():
        if isinstance(shown, list | tuple):
            yield from (entry for entry in shown if isinstance(entry, Mapping) and "filename" in entry)


def _state(folders: Folders, entry: Mapping[str, Any]) -> str:
    place, subfolder, name = (str(entry.get(key, "")) for key in ("type", "subfolder", "filename"))
    try:
        path = folders.resolve(place or "output", name, subfolder)
        found = path.stat()
    except (PathError, OSError):
        return f"{place}/{subfolder}/{name}: missing"
    return f"{path}: {found.st_size} bytes, {found.st_mtime_ns}"
