"""Puts the modules that packs import (`comfy`, `folder_paths`, `server`, ...) in place, in this process only.

A finder in front of all others answers for exactly the names of the folder `shims/`, so that it does not matter that
our own package is called `server` too. It imports none of them but the one that holds the surroundings.
"""

import importlib
import sys
from collections.abc import Iterable, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType

from nodes.packs.surroundings import Surroundings

SHIMS = Path(__file__).resolve().parent / "shims"


class ShimFinder(MetaPathFinder):
    """Finds the top-level modules of one folder, and leaves what is inside them to Python."""

    def __init__(self, folder: Path) -> None:
        self._folder = str(folder)
        self.names = frozenset(_module_names(folder))

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The module of that name in the folder; None for every other name."""
        if path is not None or fullname not in self.names:
            return None
        return PathFinder.find_spec(fullname, [self._folder], target)


def install(surroundings: Surroundings) -> None:
    """From now on, the names in `shims/` are those modules, and what they stand for is `surroundings`.

    Modules that were imported under these names before, our own `server` among them, keep working for those who hold
    them, but are no longer found.
    """
    installed = [finder for finder in sys.meta_path if isinstance(finder, ShimFinder)]
    if not installed:
        finder = ShimFinder(SHIMS)
        _forget(finder.names)
        sys.meta_path.insert(0, finder)
    importlib.import_module("pack_surroundings").settle(surroundings)


def _forget(names: Iterable[str]) -> None:
    taken = set(names)
    for name in [name for name in sys.modules if name.partition(".")[0] in taken]:
        del sys.modules[name]


def _module_names(folder: Path) -> Iterable[str]:
    for path in folder.iterdir():
        if path.suffix == ".py" or (path / "__init__.py").is_file():
            yield path.stem
