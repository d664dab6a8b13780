"""Why a pack, or one class of it, could not be loaded: one sentence with the remedy, and the frames that are its own.

Words exceptions only; raises and logs nothing.
"""

import traceback
from collections.abc import Iterator
from pathlib import Path

from nodes.packs.discovery import NoPack, PackSource
from nodes.packs.shim_finder import SHIMS, ShimFinder

TEXT_LIMIT = 300
"""Longest part of a sentence that a pack words itself."""

_WITHOUT_SHIM = ("nodes", "comfy_api_nodes", "comfy_config")
"""Modules of ComfyUI that packs ask for, and that are no shims: `nodes` is our own package."""


def why(error: BaseException, source: PackSource) -> str:
    """One sentence on why importing the pack failed."""
    match error:
        case NoPack():
            return str(error)
        case ModuleNotFoundError(name=str(name)):
            return _missing_module(name, source)
        case ImportError(name=str(name)) if _is_shim(name):
            return f"It needs something of ComfyUI's module '{name}' that Heddle does not have: {said(error)}."
        case SyntaxError():
            place = f"{Path(error.filename).name}, line {error.lineno}" if error.filename else "its source"
            return (
                f"Its code is not valid Python ({place}): {error.msg}. Update the pack, or look for a wrong download."
            )
        case SystemExit():
            return f"It ended the program while it was imported (sys.exit({error.code!r})); ask its authors why."
        case FileNotFoundError(filename=str(name)) if Path(name) == source.entry:
            return "Its folder has no __init__.py, so it is no node pack; perhaps the pack is a folder further down."
    return f"It raised {type(error).__name__} while it was imported: {said(error)}."


def said(error: BaseException) -> str:
    """What an exception says, on one line of bounded length, without the full stop at its end."""
    try:
        text = " ".join(str(error).split()).rstrip(".")
    except Exception:  # noqa: BLE001 - exceptions of packs may fail to say anything
        text = ""
    return (text if len(text) <= TEXT_LIMIT else f"{text[:TEXT_LIMIT]}...") or "no reason given"


def frames(error: BaseException, source: PackSource) -> tuple[str, ...]:
    """The formatted traceback from the pack's first own frame on; what led to its import says nothing to anyone."""
    told = traceback.TracebackException.from_exception(error)
    for part in _chain(told):
        own = (i for i, frame in enumerate(part.stack) if Path(frame.filename).is_relative_to(source.path))
        first = next(own, len(part.stack))
        part.stack = traceback.StackSummary.from_list(list(part.stack)[first:])
    return tuple(line.rstrip("\n") for line in told.format())


def _chain(told: traceback.TracebackException) -> Iterator[traceback.TracebackException]:
    part: traceback.TracebackException | None = told
    while part is not None:
        yield part
        part = part.__cause__ or part.__context__


def _missing_module(name: str, source: PackSource) -> str:
    if _is_shim(name):
        return f"It needs '{name}', a part of ComfyUI that Heddle does not have."
    if name.startswith(source.import_name):
        own = name.removeprefix(source.import_name).lstrip(".")
        return f"Its own module '{own}' is missing, so the pack is not complete; download it again."
    requirements = source.path / "requirements.txt"
    remedy = (
        f"pip install -r {requirements}" if requirements.is_file() else "pip; the pack's page says what it requires"
    )
    return f"It needs the Python module '{name}', which is not installed. Install it with {remedy}."


def _is_shim(name: str) -> bool:
    return name.partition(".")[0] in {*ShimFinder(SHIMS).names, *_WITHOUT_SHIM}
