"""Names that packs import lead to the shims, whatever else bears them, and only after `install`."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from nodes.packs.shim_finder import SHIMS, ShimFinder

ROOT = Path(__file__).resolve().parents[3]
INSTALL = """
import sys
from pathlib import Path
from executor.folders import Folders
from nodes.packs.shim_finder import install
from nodes.packs.surroundings import make_surroundings
around = make_surroundings(Folders(Path("i"), Path("o"), Path("t"), Path("u"), {}), {}, {})
"""


def check(code: str, expected: str) -> None:
    """What a fresh process prints; shims must not meet the modules of the tests themselves."""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == expected


@pytest.mark.parametrize("imported_before", [False, True])
def test_a_shim_wins_over_another_module_of_its_name(imported_before: bool, tmp_path: Path) -> None:
    (tmp_path / "comfyui_version.py").write_text("__version__ = 'another'")
    before = f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n" + "import comfyui_version\n" * imported_before
    after = "install(around)\nimport comfyui_version; print(comfyui_version.__version__ == 'another')"
    check(before + INSTALL + after, "False")


def test_without_install_the_names_are_free() -> None:
    check(f"{INSTALL}import importlib.util; print(importlib.util.find_spec('comfyui_version'))", "None")


def test_installing_again_changes_what_shims_stand_for_and_adds_no_finder() -> None:
    code = "install(None); install(around)\nimport pack_surroundings"
    code += "\nfound = [type(one).__name__ for one in sys.meta_path]"
    check(f"{INSTALL}{code}\nprint(pack_surroundings.here() is around, found.count('ShimFinder'))", "True 1")


def test_the_finder_answers_for_top_level_names_of_its_folder_only(tmp_path: Path) -> None:
    (tmp_path / "lone.py").touch()
    (tmp_path / "whole").mkdir()
    (tmp_path / "whole" / "__init__.py").touch()
    (tmp_path / "notes").mkdir()
    finder = ShimFinder(tmp_path)
    names = ("lone", "whole", "notes", "os", "nodes")
    assert [name for name in names if finder.find_spec(name, None)] == ["lone", "whole"]
    assert finder.find_spec("lone", [str(tmp_path)]) is None, "what is inside a package is Python's business"


def test_nothing_of_ours_imports_a_shim_when_it_is_imported() -> None:
    shims = ShimFinder(SHIMS).names
    guilty = []
    for path in [*(ROOT / "nodes").rglob("*.py"), *(ROOT / "executor").rglob("*.py")]:
        if path.is_relative_to(SHIMS):
            continue
        for part in ast.parse(path.read_text()).body:
            names = [alias.name for alias in part.names] if isinstance(part, ast.Import) else []
            names += [part.module or ""] if isinstance(part, ast.ImportFrom) else []
            guilty += [f"{path.name}: {name}" for name in names if name.partition(".")[0] in shims]
    assert guilty == []
