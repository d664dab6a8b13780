"""The types of node packs: plain text to all but the check of links, and in every other process."""

import pickle

import pytest

from executor.schema import InputSocket, PackType


class AnyType(str):
    """The wildcard as many packs write it."""

    __slots__ = ()

    def __ne__(self, other):
        return False


class Loud(str):
    __slots__ = ()

    def __str__(self):
        return "shouted"

    def __eq__(self, other):
        return False

    def __hash__(self):
        return 7


@pytest.mark.parametrize("original", [AnyType("*"), AnyType("IMAGE"), Loud("IMAGE"), "IMAGE"])
def test_a_pack_type_is_plain_text_that_remembers_where_it_came_from(original):
    kind = PackType(original)
    plain = str.__str__(original)
    assert kind == plain
    assert not kind != plain  # noqa: SIM202 - the operator is what is tested
    assert kind != "OTHER"
    assert {plain: 1}[kind] == 1
    assert kind.original is original


def test_a_pack_type_crosses_processes_as_plain_text():
    socket = InputSocket("a", PackType(AnyType("IMAGE")))
    again = pickle.loads(pickle.dumps(socket))
    assert (again.type, type(again.type)) == ("IMAGE", str)
    assert again == socket
