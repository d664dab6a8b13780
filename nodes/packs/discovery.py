"""Which packs there are, what their source is, and the scripts that some of them want to run before anything else.

Reads names and files. Imports no pack and no torch, because the scripts come before it.
"""

import hashlib
import importlib.util
import os
import sys
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType


class NoPack(Exception):
    """The module is not what a pack is. The text says what is missing."""


@dataclass(frozen=True, slots=True)
class PackSource:
    """One pack on disk: a Python file, or a folder with an `__init__.py`."""

    path: Path

    @property
    def name(self) -> str:
        """What users call it."""
        return self.path.stem if self.path.suffix == ".py" else self.path.name

    @property
    def module(self) -> str:
        """What object_info calls it."""
        return f"custom_nodes.{self.name}"

    @property
    def import_name(self) -> str:
        """What Python calls it: its path, so that packs of the same name in two folders are two modules."""
        return str(self.path.with_name(self.name)).replace(".", "_dot_")

    @property
    def entry(self) -> Path:
        """The file that is imported."""
        return self.path / "__init__.py" if self.path.is_dir() else self.path


def find_packs(roots: Iterable[Path], *, enabled: bool = True, exceptions: Collection[str] = ()) -> list[PackSource]:
    """The packs of all roots, in the order of the roots and then of their names. If they are not `enabled`, only
    those whose names are among the `exceptions`."""
    found: dict[Path, PackSource] = {}
    for root in roots:
        paths = sorted(root.iterdir(), key=lambda path: path.name) if root.is_dir() else []
        for path in paths:
            source = PackSource(path.absolute())
            if _is_pack(path) and (enabled or source.name in exceptions):
                found.setdefault(path.resolve(), source)
    return list(found.values())


def source_digest(source: PackSource) -> str:
    """A digest of all Python files of the pack: an edited pack is another one, whatever else lies in its folder."""
    digest = hashlib.sha256()
    for path in _python_files(source.path):
        content = path.read_bytes() if path.is_file() else b""
        name = path.relative_to(source.path.parent).as_posix().encode("utf-8", "surrogateescape")
        digest.update(b"%d %b %d " % (len(name), name, len(content)) + content)
    return digest.hexdigest()[:16]


def run_script(source: PackSource) -> None:
    """Run the `prestartup_script.py` of a pack, if it has one. What it raises comes out."""
    path = source.path / "prestartup_script.py"
    if path.is_file():
        import_file(f"{source.import_name}_prestartup", path)


def import_file(name: str, path: Path, package: Path | None = None) -> ModuleType:
    """Import the file as the module `name`; `package` is the folder of its submodules. Leaves nothing if it raises."""
    folders = None if package is None else [str(package)]
    spec = importlib.util.spec_from_file_location(name, path, submodule_search_locations=folders)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        for known in [known for known in sys.modules if known == name or known.startswith(f"{name}.")]:
            del sys.modules[known]
        raise
    return module


def _is_pack(path: Path) -> bool:
    if path.name.startswith(".") or path.name == "__pycache__" or path.name.endswith(".disabled"):
        return False
    return path.is_dir() or path.suffix == ".py"


def _python_files(path: Path) -> Iterator[Path]:
    if path.suffix == ".py" and not path.is_dir():
        yield path
    for folder, folders, names in os.walk(path):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name != "__pycache__")
        yield from (Path(folder) / name for name in sorted(names) if name.endswith(".py"))
