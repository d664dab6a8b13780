"""A file is the old one, the new one or not there; what a write leaves behind is nobody's file."""

import os
import stat

import pytest

from executor.whole_files import beside, is_unfinished, put, write_atomic, write_new


def test_a_file_is_replaced_as_a_whole_and_readable_by_whom_it_says(tmp_path):
    path = tmp_path / "deep" / "file"
    write_atomic(path, b"old")
    write_atomic(path, b"new", mode=0o600)
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("links", [True, False])
def test_a_new_file_never_takes_the_place_of_another(tmp_path, monkeypatch, links):
    if not links:

        def refuse(*_paths):
            raise OSError(1, "Operation not permitted")

        monkeypatch.setattr(os, "link", refuse)
    path = tmp_path / "file"
    assert write_new(path, b"first")
    assert not write_new(path, b"second")
    assert path.read_bytes() == b"first"
    assert list(tmp_path.iterdir()) == [path]


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "file"
    write_atomic(path, b"old")

    def full(_handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_atomic(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_what_is_being_written_is_told_from_what_is_there(tmp_path):
    with beside(tmp_path / "file") as (temporary, file):
        file.write(b"x")
        assert is_unfinished(temporary)
        put(temporary, tmp_path / "file")
    assert not is_unfinished(tmp_path / "file")
