"""What the calls of a node gave, joined."""

from executor.results import make_memo
from executor.schema import NodeDefinition, Result


class Entry(dict):
    """A pack's own kind of dictionary."""


class Word(str):
    """A pack's own kind of text."""

    __slots__ = ()


def test_what_is_shown_becomes_plain_so_that_processes_without_the_pack_can_read_it():
    definition = NodeDefinition("Show", (), (), "toys", "Show", is_output=True)
    results = [Result(ui={"images": [Entry(name=Word("a"))], "text": (Word("b"),)}) for _ in range(2)]
    ui = make_memo(definition, results).ui
    assert ui == {"images": [{"name": "a"}] * 2, "text": ["b", "b"]}
    assert {type(entry) for entry in ui["images"]} == {dict}
    assert {type(text) for text in (ui["images"][0]["name"], *ui["text"])} == {str}
