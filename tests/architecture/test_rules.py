"""The house rules that a program can check: sizes, docstrings, names, and what may be imported."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("executor", "nodes", "server")
LONG_MODULES = ("nodes/diffusion/sampling/", "nodes/diffusion/families/")
SHIMS = "nodes/packs/shims/"
"""Their names are those that packs import."""
BANNED_NAMES = {"utils", "util", "helper", "helpers", "common", "misc", "base", "manager", "managers"}


def modules() -> list[Path]:
    """Every Python file of the product."""
    return [ROOT / "main.py", *(path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py")))]


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for part in ast.walk(ast.parse(path.read_text())):
        if isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef):
            yield part


def test_the_rules_see_the_whole_product() -> None:
    assert len(modules()) > 40


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_a_module_is_short_and_says_what_it_is(path: Path) -> None:
    lines = path.read_text().splitlines()
    limit = 700 if name_of(path).startswith(LONG_MODULES) else 400
    assert len(lines) <= limit, f"{len(lines)} lines; split it along its nouns"
    assert ast.get_docstring(ast.parse("\n".join(lines))), "a module opens with its purpose and its absence"
    if not name_of(path).startswith(SHIMS):
        assert path.stem not in BANNED_NAMES, "name the module for the noun that it holds"


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_functions_are_short_and_public_ones_documented(path: Path) -> None:
    for function in functions(path):
        length = (function.end_lineno or function.lineno) - function.lineno + 1
        assert length <= 60, f"{function.name} has {length} lines"
    for part in ast.parse(path.read_text()).body:
        if isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and not part.name.startswith("_"):
            assert ast.get_docstring(part), f"{part.name} has no docstring"


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_nothing_is_left_for_later(path: Path) -> None:
    assert not re.search(r"\b(TODO|FIXME|XXX|NotImplementedError)\b", path.read_text())


def test_executor_and_server_load_no_torch() -> None:
    names = [name_of(path)[:-3].replace("/", ".").removesuffix(".__init__") for path in modules()]
    light = [name for name in names if name.split(".")[0] in ("executor", "server")]
    heavy = {"torch", "diffusers", "transformers", "numpy", "nodes", "safetensors"}
    code = f"import sys\nfor name in {light}: __import__(name)\nprint(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_no_committed_text_names_one_machine() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False).stdout.split(
        "\n"
    )
    texts = [name for name in listed if name.endswith((".py", ".md", ".json", ".toml", ".txt", ".ts", ".tsx", ".yaml"))]
    pattern = re.compile(r"/(?:work|root)/[a-z]|file:///|https?://(?:registry|pypi)\b")
    guilty = [
        name
        for name in texts
        if pattern.search((ROOT / name).read_text(errors="replace")) and name != name_of(Path(__file__))
    ]
    assert guilty == []


WRITES = re.compile(
    r"""\.write_(?:text|bytes)\(|\.(?:rename|touch)\(|\bos\.(?:replace|rename|link)\(|\bshutil\.(?:copy\w*|move)\("""
    r"""|open\([^)\n]*["'](?:[wxa]b?\+?|r\+b?)["']"""
)
MAY_WRITE = {
    "executor/whole_files.py": "is the one way",
    "executor/disk_index.py": "moves a damaged database aside",
    "server/store_repair.py": "moves a damaged database aside",
    "server/lock.py": "a lock is a file that stays open",
    "nodes/packs/attempts.py": "notes of a start, which nobody misses",
    "nodes/packs/shims/comfy_api/latest/_input_impl.py": "a pack says where",
    "nodes/packs/shims/comfy_api/latest/_ui/sound.py": "into memory",
}


def test_files_are_written_in_one_way() -> None:
    product = [path for path in modules() if not name_of(path).startswith("nodes/embedded/")]
    found = {name_of(path) for path in product if WRITES.search(path.read_text())}
    assert found == set(MAY_WRITE), "write with executor.whole_files, or say here why not"


def test_files_are_served_in_one_way() -> None:
    served = {name_of(path) for path in modules() if "FileResponse(" in path.read_text()}
    assert served == {"server/files.py", "server/static.py"}, "serve with files.user_file or static.static_file"


def test_paths_of_requests_are_joined_in_one_way() -> None:
    joins = re.compile(r"os\.path\.|\.joinpath\(|/ request\.|Path\(request")
    guilty = [
        name_of(path) for path in modules() if name_of(path).startswith("server/") and joins.search(path.read_text())
    ]
    assert guilty == [], "confine a name with executor.folders.confined"
