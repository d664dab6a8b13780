"""`folder_paths`, as packs call it; each case is a line of a pack and its value."""

from pathlib import Path
from typing import Any

import pytest

from tests.nodes.packs.in_worker import evaluate

SETUP = """
import os, folder_paths
from folder_paths import folder_names_and_paths, supported_pt_extensions
def after(*done):
    return done[-1]
"""

CASES: list[tuple[str, Any]] = [
    # folders
    ("folder_paths.base_path", "BASE"),
    ("os.path.dirname(folder_paths.__file__)", "BASE"),
    ("folder_paths.models_dir", "BASE/models"),
    ("[folder_paths.get_input_directory(), folder_paths.input_directory]", ["BASE/input"] * 2),
    ("[folder_paths.get_output_directory(), folder_paths.output_directory]", ["BASE/output"] * 2),
    ("[folder_paths.get_temp_directory(), folder_paths.temp_directory]", ["BASE/temp"] * 2),
    ("[folder_paths.get_user_directory(), folder_paths.user_directory]", ["BASE/user"] * 2),
    ("folder_paths.get_directory_by_type('temp')", "BASE/temp"),
    ("folder_paths.get_directory_by_type('elsewhere')", None),
    (
        "folder_paths.set_output_directory('/x')",
        "RuntimeError: A node pack cannot move the output folder: start Heddle with --output-directory /x",
    ),
    ("folder_paths.no_such_name", "AttributeError: module 'folder_paths' has no attribute 'no_such_name'"),
    # names with a folder behind them
    ("list(folder_paths.annotated_filepath('a.png [output]'))", ["a.png", "BASE/output"]),
    ("list(folder_paths.annotated_filepath('a.png'))", ["a.png", None]),
    ("folder_paths.get_annotated_filepath('cat.png')", "BASE/input/cat.png"),
    ("folder_paths.get_annotated_filepath('deep/cat.png [temp]')", "BASE/temp/deep/cat.png"),
    ("folder_paths.get_annotated_filepath('a.png', folder_paths.output_directory)", "BASE/output/a.png"),
    (
        "folder_paths.get_annotated_filepath('../main.py')",
        "PathError: '../main.py' leads outside its folder.",
    ),
    (
        "folder_paths.get_annotated_filepath('/etc/passwd')",
        "PathError: '/etc/passwd' is not a relative path with forward slashes.",
    ),
    ("folder_paths.exists_annotated_filepath('cat.png')", True),
    ("folder_paths.exists_annotated_filepath('dog.png')", False),
    ("folder_paths.exists_annotated_filepath('../secret.txt')", False),
    ("folder_paths.get_input_subfolders()", ["deep", "deep/er"]),
    # model files
    ("folder_paths.get_filename_list('loras')", ["deep/b.pt", "one.safetensors"]),
    ("folder_paths.get_filename_list('nonsense')", "KeyError: 'nonsense'"),
    ("folder_paths.get_full_path('loras', 'deep/b.pt')", "BASE/models/loras/deep/b.pt"),
    ("folder_paths.get_full_path('loras', 'absent.pt')", None),
    ("folder_paths.get_full_path('nonsense', 'one.safetensors')", None),
    ("folder_paths.get_full_path('loras', '../../secret.txt')", None),
    (
        "folder_paths.get_full_path_or_raise('loras', 'x')",
        "FileNotFoundError: Model in folder 'loras' with filename 'x' not found.",
    ),
    ("folder_paths.get_folder_paths('unet')", ["BASE/models/diffusion_models", "BASE/models/unet"]),
    ("folder_names_and_paths['clip'] is folder_names_and_paths['text_encoders']", True),
    ("'.safetensors' in folder_names_and_paths['vae'][1]", True),
    # lists
    ("folder_paths.filter_files_extensions(['b.PT', 'a.pt', 'c.txt'], {'.pt'})", ["a.pt", "b.PT"]),
    ("folder_paths.filter_files_extensions(['b', 'a'], [])", ["a", "b"]),
    (
        "folder_paths.filter_files_content_types(['a.png', 'b.mp4', 'c.glb', 'd.webp', 'e'], ['image', 'model'])",
        ["a.png", "c.glb", "d.webp"],
    ),
    ("sorted(folder_paths.recursive_search(folder_paths.models_dir + '/loras', ['deep'])[0])",
     ["notes.txt", "one.safetensors"]),
    ("sorted(folder_paths.recursive_search(folder_paths.models_dir + '/loras')[1])",
     ["BASE/models/loras", "BASE/models/loras/deep"]),
    ("folder_paths.recursive_search('/nowhere')", [[], {}]),
    # saving
    ("folder_paths.get_save_image_path('p/cat', folder_paths.output_directory, 8, 9)",
     ["BASE/output/p", "cat", 8, "p", "p/cat"]),
    ("folder_paths.get_save_image_path('new_%width%x%height%', folder_paths.output_directory, 8, 9)",
     ["BASE/output", "new_8x9", 1, "", "new_8x9"]),
    (
        "folder_paths.get_save_image_path('../../x', folder_paths.output_directory)",
        "PathError: '../..' leads outside its folder.",
    ),
]  # fmt: skip


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("heddle")
    files = ("secret.txt", "input/cat.png", "input/deep/er/x.png", "models/loras/one.safetensors")
    for name in (*files, "models/loras/deep/b.pt", "models/loras/notes.txt", "output/p/cat_00007_.png", "other/z.gguf"):
        (made / name).parent.mkdir(parents=True, exist_ok=True)
        (made / name).touch()
    return made


@pytest.fixture(scope="module")
def values(base: Path) -> list[Any]:
    return evaluate(base, SETUP, [line for line, _ in CASES])


@pytest.mark.parametrize(("place", "line"), list(enumerate(line for line, _ in CASES)), ids=[one for one, _ in CASES])
def test_a_pack_asks(place: int, line: str, values: list[Any], base: Path) -> None:
    assert values[place] == _at(CASES[place][1], base), line


def _at(expected: Any, base: Path) -> Any:
    """The expected value with the installation's folder for BASE."""
    if isinstance(expected, list):
        return [_at(one, base) for one in expected]
    return expected.replace("BASE", str(base)) if isinstance(expected, str) else expected


@pytest.mark.parametrize(
    ("change", "key", "expected"),
    [
        ("folder_paths.add_model_folder_path('mine', OTHER)", "mine", ["z.gguf"]),
        ("folder_paths.add_model_folder_path('loras', OTHER)", "loras", ["deep/b.pt", "one.safetensors", "z.gguf"]),
        ("folder_names_and_paths.__setitem__('mine', ([OTHER], {'.gguf'}))", "mine", ["z.gguf"]),
        ("folder_names_and_paths.__setitem__('mine', ([OTHER], ['.nothing']))", "mine", []),
        ("folder_names_and_paths.setdefault('mine', ([OTHER], set()))", "mine", ["z.gguf"]),
        ("folder_names_and_paths['loras'][0].append(OTHER)", "loras", ["deep/b.pt", "one.safetensors", "z.gguf"]),
        ("supported_pt_extensions.add('.txt')", "loras", ["deep/b.pt", "notes.txt", "one.safetensors"]),
        ("folder_names_and_paths.update(loras=([], set()))", "loras", []),
        ("folder_names_and_paths.update(mine=[OTHER, ['.GGUF']])", "mine", ["z.gguf"]),
        ("folder_names_and_paths.update(mine=None)", "mine", []),
        ("folder_names_and_paths.update(mine=([None], set()))", "mine", []),
    ],
)
def test_what_a_pack_adds_is_offered_by_our_loaders_and_told_to_the_server(
    change: str, key: str, expected: list[str], base: Path
) -> None:
    adopted = "from executor.folders import Folders\nserver_side = make_folders(Path(folder_paths.base_path))\n"
    lines = [
        f"after({change}, folder_paths.get_filename_list('{key}'))",
        f"around.folders.list('{key}')",
        f"after(server_side.adopt(around.host.services().model_folders), server_side.list('{key}'))",
    ]
    assert evaluate(base, f"{SETUP}{adopted}OTHER = {str(base / 'other')!r}", lines) == [expected] * 3


def test_a_list_is_read_again_when_a_folder_has_changed(tmp_path: Path) -> None:
    setup = f"""{SETUP}
root = Path(folder_paths.models_dir) / "loras"
reads = []
def listed():
    names = folder_paths.get_filename_list("loras")
    return [names, len(reads)]
def changed(change):
    change()
    for place in (root, root / "deep"):  # later than what was seen, however coarse the clock of the disk is
        if place.is_dir():
            os.utime(place, (len(reads) + 1e9, len(reads) + 1e9))
    return listed()
whole = type(around.folders).list
type(around.folders).list = lambda self, key: reads.append(key) or whole(self, key)
"""
    cases: list[tuple[str, Any]] = [
        ("listed()", [[], 1]),
        ("listed()", [[], 1]),
        ("changed(lambda: (root / 'deep').mkdir(parents=True))", [[], 2]),
        ("changed(lambda: (root / 'deep' / 'a.pt').touch())", [["deep/a.pt"], 3]),
        ("listed()", [["deep/a.pt"], 3]),
        ("after(folder_paths.filename_list_cache.clear(), listed())", [["deep/a.pt"], 4]),
        ("after(supported_pt_extensions.clear(), supported_pt_extensions.add('.x'), listed())", [[], 5]),
    ]
    assert evaluate(tmp_path, setup, [line for line, _ in cases]) == [expected for _, expected in cases]


def test_a_folder_that_comes_first_wins(base: Path) -> None:
    setup = f"{SETUP}\nfolder_paths.add_model_folder_path('loras', {str(base / 'other')!r}, is_default=True)"
    lines = ["folder_paths.get_folder_paths('loras')", "[str(root) for root in around.folders.models['loras']]"]
    assert evaluate(base, setup, lines) == [[str(base / "other"), str(base / "models" / "loras")]] * 2
