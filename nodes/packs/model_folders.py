"""The folders of model files as packs see and change them: one dictionary, which `Folders` reads at every question.

So whatever a pack does to it (new keys, further paths, further suffixes) is what our own loaders offer from then on.
"""

import logging
from collections.abc import Collection, Iterable, Iterator, MutableMapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from executor.folders import MODEL_SUFFIXES, Folders, ModelFolder

log = logging.getLogger(__name__)

ALIASES = {"unet": "diffusion_models", "clip": "text_encoders"}
"""Older folder keys that packs still ask for."""


class NamedFolders(dict[str, tuple[list[str], set[str]]]):
    """Folder key -> (paths, suffixes), the shape that packs know. An alias leads to what it stands for."""

    def __init__(self, folders: Folders) -> None:
        super().__init__()
        self.usual_suffixes = set(MODEL_SUFFIXES)
        """One set for all folders without suffixes of their own, so that a pack may extend all of them at once."""
        for key, roots in folders.models.items():
            own = folders.suffixes.get(key)
            self[key] = ([str(root) for root in roots], self.usual_suffixes if own is None else set(own))

    def __missing__(self, key: str) -> tuple[list[str], set[str]]:
        if key in ALIASES:
            return self[ALIASES[key]]
        raise KeyError(key)

    def folder(self, key: str) -> ModelFolder:
        """The folder of that key, read with care: packs store lists for sets, and one path for a list of them. What
        cannot be read is a folder without roots. Raises KeyError."""
        entry: Any = self[key]
        try:
            paths, suffixes = (entry[0], entry[1]) if len(entry) > 1 else (entry[0], ())
            roots = tuple(Path(path) for path in ([paths] if isinstance(paths, str) else paths))
            return ModelFolder(roots, frozenset(str(suffix).lower() for suffix in suffixes))
        except (TypeError, IndexError) as error:
            log.warning("A node pack made the model folder '%s' unreadable: %r (%s)", key, entry, error)
            return ModelFolder((), ())

    def add_path(self, key: str, path: str, *, first: bool = False) -> None:
        """Search one more folder under `key`, which may be new; one that is there already only moves, if `first`."""
        paths, _ = self.setdefault(ALIASES.get(key, key), ([], set()))
        if path in paths:
            if not first:
                return
            paths.remove(path)
        paths.insert(0 if first else len(paths), path)


def live_folders(folders: Folders, named: NamedFolders) -> Folders:
    """The same folders, with the model folders that `named` has at any time."""
    return replace(folders, models=_Roots(named), suffixes=_Suffixes(named))


class _Roots(MutableMapping[str, tuple[Path, ...]]):
    """Folder key -> roots."""

    def __init__(self, named: NamedFolders) -> None:
        self._named = named

    def __getitem__(self, key: str) -> tuple[Path, ...]:
        return self._named.folder(key).roots

    def __setitem__(self, key: str, roots: Iterable[Path]) -> None:
        _, suffixes = self._named.get(key, ([], self._named.usual_suffixes))
        self._named[key] = ([str(root) for root in roots], suffixes)

    def __delitem__(self, key: str) -> None:
        del self._named[key]

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._named))

    def __len__(self) -> int:
        return len(self._named)


class _Suffixes(MutableMapping[str, Collection[str]]):
    """Folder key -> suffixes."""

    def __init__(self, named: NamedFolders) -> None:
        self._named = named

    def __getitem__(self, key: str) -> Collection[str]:
        return self._named.folder(key).suffixes

    def __setitem__(self, key: str, suffixes: Collection[str]) -> None:
        paths, _ = self._named.get(key, ([], set()))
        self._named[key] = (paths, set(suffixes))

    def __delitem__(self, key: str) -> None:
        paths, _ = self._named[key]
        self._named[key] = (paths, self._named.usual_suffixes)

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._named))

    def __len__(self) -> int:
        return len(self._named)
