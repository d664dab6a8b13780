"""Folders of model files: what they offer, and how they learn of further ones."""

import pickle
from collections.abc import Mapping
from pathlib import Path

import pytest

from executor.folders import Folders, ModelFolder, PathError


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    for name in ("a/one.safetensors", "a/deep/two.ckpt", "b/three.GGUF", "b/notes.txt", "b/one.safetensors"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    return Folders(tmp_path, tmp_path, tmp_path, tmp_path, {"loras": (tmp_path / "a",)})


@pytest.mark.parametrize(
    ("roots", "suffixes", "expected"),
    [
        pytest.param("a", None, ["deep/two.ckpt", "one.safetensors"], id="the usual suffixes"),
        pytest.param("ab", None, ["deep/two.ckpt", "one.safetensors", "three.GGUF"], id="a name counts once"),
        pytest.param("b", [".txt"], ["notes.txt"], id="its own suffixes"),
        pytest.param("b", [], ["notes.txt", "one.safetensors", "three.GGUF"], id="no suffix offers every file"),
    ],
)
def test_a_folder_offers(
    roots: str, suffixes: list[str] | None, expected: list[str], folders: Folders, tmp_path: Path
) -> None:
    paths = tuple(tmp_path / root for root in roots)
    folders.adopt({"loras": ModelFolder(paths) if suffixes is None else ModelFolder(paths, suffixes)})
    assert folders.list("loras") == expected
    assert pickle.loads(pickle.dumps(folders)) == folders, "it crosses to the worker process"


def test_an_adopted_folder_is_searched_in_the_order_of_its_roots(folders: Folders, tmp_path: Path) -> None:
    found: Mapping[str, ModelFolder] = {"mine": ModelFolder((tmp_path / "b", tmp_path / "a"))}
    folders.adopt(found)
    assert folders.model("mine", "one.safetensors") == tmp_path / "b" / "one.safetensors"
    assert folders.model("mine", "deep/two.ckpt") == tmp_path / "a" / "deep" / "two.ckpt"
    assert folders.models["loras"] == (tmp_path / "a",), "others stay as they are"


def test_models_that_lie_elsewhere_are_offered_and_found_by_their_links(folders: Folders, tmp_path: Path) -> None:
    (tmp_path / "a" / "linked.safetensors").symlink_to(tmp_path / "b" / "one.safetensors")
    (tmp_path / "a" / "disk").symlink_to(tmp_path / "b")
    (tmp_path / "a" / "round").symlink_to(tmp_path / "a")
    (tmp_path / "a" / "broken.safetensors").symlink_to(tmp_path / "gone")
    assert folders.list("loras") == [
        "deep/two.ckpt", "disk/one.safetensors", "disk/three.GGUF", "linked.safetensors", "one.safetensors",
    ]  # fmt: skip
    for name in folders.list("loras"):
        assert folders.model("loras", name).is_file()


@pytest.mark.parametrize("name", ["../b/notes.txt", "deep/../../b/notes.txt", "/etc/passwd", "", "a\\b", "broken"])
def test_a_name_that_leaves_the_model_folder_is_refused(name: str, folders: Folders) -> None:
    with pytest.raises(PathError):
        folders.model("loras", name)
