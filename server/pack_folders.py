"""What node packs bring in files: scripts for the editor, example workflows, translations, subgraphs.

Read anew at each request, because their authors edit them while Heddle runs. A file that is no JSON is logged and left
out. Imports nothing of a pack.
"""

import hashlib
import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from executor.folders import PathError, confined
from executor.packs import PackReport

log = logging.getLogger(__name__)

EXAMPLES: Final = ("example_workflows", "example", "examples", "workflow", "workflows")
"""Folders in which packs keep example workflows."""
_TRANSLATED: Final = ("nodeDefs", "commands", "settings")
"""Further files of a language beside `main.json`; each is told under its own name."""


def scripts(packs: Sequence[PackReport]) -> list[str]:
    """Addresses of the JavaScript that the editor loads, by pack and then by name."""
    return [
        f"/extensions/{quote(name, safe='')}/{quote(file.relative_to(folder).as_posix())}"
        for name, folder in web_folders(packs).items()
        for file in _files(folder, "**/*.js")
    ]


def web_folders(packs: Sequence[PackReport]) -> dict[str, Path]:
    """Name under `/extensions/` -> folder."""
    return {name: Path(folder) for pack in packs for name, folder in (pack.web_directories or {}).items()}


def templates(packs: Sequence[PackReport]) -> dict[str, list[str]]:
    """Pack -> names of its example workflows, without `.json`; packs that have none are left out."""
    found = {pack.name: [file.stem for folder in example_folders(pack) for file in _files(folder, "*.json")]
             for pack in packs}  # fmt: skip
    return {name: names for name, names in found.items() if names}


def example_folders(pack: PackReport) -> list[Path]:
    """Where its example workflows lie."""
    return [Path(pack.path) / name for name in EXAMPLES] if Path(pack.path).is_dir() else []


def translations(packs: Sequence[PackReport]) -> dict[str, Any]:
    """Language -> what all packs together say in it."""
    merged: dict[str, Any] = {}
    for pack in packs:
        for folder in sorted(path for path in Path(pack.path).glob("locales/*") if path.is_dir()):
            told = merged.setdefault(folder.name, {})
            for name in ("main", *_TRANSLATED):
                content = _read(folder / f"{name}.json")
                if isinstance(content, dict):
                    _merge(told, content if name == "main" else {name: content})
    return merged


def subgraphs(packs: Sequence[PackReport]) -> dict[str, dict[str, Any]]:
    """Id -> a subgraph that a pack offers, without its content. The id is that of the place, not of the content."""
    return {
        _id_of(pack, file): {"source": "custom_node", "name": file.stem, "info": {"node_pack": pack.module}}
        for pack, file in _subgraph_files(packs)
    }


def subgraph(packs: Sequence[PackReport], wanted: str) -> dict[str, Any] | None:
    """One of them with its content, the text of the file, under `data`."""
    for pack, file in _subgraph_files(packs):
        if _id_of(pack, file) == wanted:
            try:
                return subgraphs([pack])[wanted] | {"data": file.read_text(encoding="utf-8")}
            except (OSError, UnicodeDecodeError) as error:
                log.warning("The subgraph %s of the node pack %s cannot be read: %s", file.name, pack.name, error)
    return None


def _subgraph_files(packs: Sequence[PackReport]) -> Iterator[tuple[PackReport, Path]]:
    for pack in packs:
        for file in _files(Path(pack.path) / "subgraphs", "*.json"):
            yield pack, file


def _id_of(pack: PackReport, file: Path) -> str:
    return hashlib.sha256(f"{pack.module}/{file.name}".encode()).hexdigest()


def _files(folder: Path, pattern: str) -> list[Path]:
    """Regular files in it, sorted, none of which lies elsewhere in truth."""
    return sorted(path for path in folder.glob(pattern) if _is_inside(folder, path)) if folder.is_dir() else []


def _is_inside(folder: Path, path: Path) -> bool:
    try:
        return confined(folder, path.relative_to(folder).as_posix()).is_file()
    except PathError:
        return False


def _read(file: Path) -> Any:
    try:
        return json.loads(file.read_bytes()) if file.is_file() else None
    except (OSError, ValueError, RecursionError) as error:
        log.warning("The translation %s is left out: %s", file, error)
        return None


def _merge(into: dict[str, Any], more: Mapping[str, Any]) -> None:
    """Add `more`, branch by branch; where both say something, the later one stands."""
    waiting: list[tuple[dict[str, Any], Mapping[str, Any]]] = [(into, more)]
    while waiting:
        target, source = waiting.pop()
        for key, value in source.items():
            known = target.get(key)
            if isinstance(value, Mapping) and isinstance(known, dict):
                waiting.append((known, value))
            else:
                target[key] = dict(value) if isinstance(value, Mapping) else value
