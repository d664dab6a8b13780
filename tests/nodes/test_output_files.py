"""Saved files: numbered in a series, whole or not there, and none lost when several save at once."""

import multiprocessing
import os
import threading
from pathlib import Path

import pytest

from executor.folders import Folders, PathError
from nodes.output_files import OutputSeries


def folders(root: Path) -> Folders:
    for name in ("input", "output", "temp", "user"):
        (root / name).mkdir(exist_ok=True)
    return Folders(root / "input", root / "output", root / "temp", root / "user", {})


def test_a_series_goes_on_after_the_highest_number(tmp_path):
    place = folders(tmp_path)
    (tmp_path / "output" / "sub").mkdir()
    (tmp_path / "output" / "sub" / "cat_00007_.png").write_bytes(b"old")
    series = OutputSeries(place, "output", "sub/cat")
    assert [series.save(".png", bytes([number])) for number in range(2)] == [
        {"filename": f"cat_0000{number}_.png", "subfolder": "sub", "type": "output"} for number in (8, 9)
    ]
    assert (tmp_path / "output" / "sub" / "cat_00009_.png").read_bytes() == b"\1"


def save_many(root: str, own: int) -> None:
    series = OutputSeries(folders(Path(root)), "output", "cat")
    for number in range(25):
        series.save(".png", f"{own} {number}".encode())


@pytest.mark.parametrize("kind", [threading.Thread, multiprocessing.get_context("spawn").Process])
def test_of_several_that_save_at_once_none_loses_a_file(tmp_path, kind):
    savers = [kind(target=save_many, args=(str(tmp_path), own)) for own in range(4)]
    for saver in savers:
        saver.start()
    for saver in savers:
        saver.join()
    files = sorted((tmp_path / "output").iterdir())
    assert {file.read_text() for file in files} == {f"{own} {number}" for own in range(4) for number in range(25)}
    assert len(files) == 100  # and nothing unfinished


def test_a_file_system_without_links_does_too(tmp_path, monkeypatch):
    def refuse(*_paths):
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    series = OutputSeries(folders(tmp_path), "output", "cat")
    other = OutputSeries(folders(tmp_path), "output", "cat")
    assert [one.save(".png", b"x")["filename"] for one in (series, other)] == ["cat_00001_.png", "cat_00002_.png"]
    assert sorted(file.name for file in (tmp_path / "output").iterdir()) == ["cat_00001_.png", "cat_00002_.png"]


def test_a_folder_that_cannot_be_written_to_is_named(tmp_path):
    series = OutputSeries(folders(tmp_path), "output", "deep/cat")
    (tmp_path / "output" / "deep").rmdir()
    (tmp_path / "output" / "deep").write_text("a file where the folder was")
    with pytest.raises(PathError, match=r"'cat_00001_\.png' cannot be written: (File exists|Not a directory)"):
        series.save(".png", b"x")
