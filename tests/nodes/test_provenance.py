"""Results of another program, of other libraries or of another device are not taken for ours."""

import pytest

from nodes import provenance as module
from nodes.provenance import provenance


@pytest.fixture
def source(tmp_path, monkeypatch):
    """A folder of source files that stands for the nodes."""
    (tmp_path / "deep").mkdir()
    (tmp_path / "provenance.py").write_text("one")
    (tmp_path / "deep" / "sampler.py").write_text("two")
    monkeypatch.setattr(module, "__file__", str(tmp_path / "provenance.py"))
    return tmp_path


def test_it_stays_the_same_while_nothing_changes(source):
    before = provenance("cpu")
    (source / "deep" / "sampler.py").touch()
    (source / "deep" / "notes.txt").write_text("no source")
    assert provenance("cpu") == before


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("edited", lambda source: (source / "deep" / "sampler.py").write_text("2wo")),
        ("added", lambda source: (source / "deep" / "more.py").write_text("")),
        ("renamed", lambda source: (source / "deep" / "sampler.py").rename(source / "deep" / "other.py")),
        ("moved text", lambda source: (source / "deep" / "more.py").write_text("provenance.py")),
    ],
)
def test_a_change_of_the_program_changes_it(source, name, change):
    before = provenance("cpu")
    change(source)
    assert provenance("cpu") != before, name


@pytest.mark.usefixtures("source")
def test_another_device_and_another_library_change_it(monkeypatch):
    before = provenance("cpu")
    assert provenance("cuda:0 GPU") != before
    monkeypatch.setattr(module, "version", lambda name: "99" if name == "torch" else "1")
    first = provenance("cpu")
    monkeypatch.setattr(module, "version", lambda name: "100" if name == "torch" else "1")
    assert provenance("cpu") != first
