"""Values come back from a memo's file as they went in, or the file is refused; never anything in between."""

import math
from dataclasses import dataclass
from enum import IntEnum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.cache import Memo
from executor.codec import Codec, Unstorable, pack
from executor.memo_file import Damaged, decode_memo, encode_memo


@dataclass(frozen=True)
class Point:
    """A type of its own, with a codec."""

    x: object
    y: object


class Shade(IntEnum):
    """A subclass of a plain type, without a codec."""

    DARK = 1


POINT = {Point: Codec("point", lambda point: (point.x, point.y), lambda parts: Point(*parts))}

NUMBERS = st.booleans() | st.integers() | st.floats(allow_nan=False)
SCALARS = st.none() | NUMBERS | st.text(max_size=20) | st.binary(max_size=20)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=4).map(tuple),
        st.dictionaries(st.text(max_size=5) | st.integers() | st.booleans(), inner, max_size=4),
        st.builds(Point, inner, inner),
    ),
    max_leaves=20,
)


def content(memo, key="key"):
    return b"".join(encode_memo(key, memo, POINT).pieces)


def check(values, ui=None):
    """A memo of the values comes back equal, with the same types all through."""
    memo = Memo((tuple(values),), ui, 1.5, "state")
    again = decode_memo("key", content(memo), POINT)
    assert again == memo
    assert repr(again) == repr(memo)  # tells 1, 1.0 and True apart, 0.0 and -0.0, and lists from tuples


@given(st.lists(VALUES, max_size=4), st.none() | st.dictionaries(st.text(max_size=5), VALUES, max_size=3))
def test_nested_values_come_back_with_their_types(values, ui):
    check(values, ui)


def test_numbers_that_json_does_not_know_come_back():
    check([math.inf, -math.inf, -0.0, 5e-324, 2**3000, -(2**64)])
    again = decode_memo("key", content(Memo(((math.nan,),))), POINT)
    assert math.isnan(again.outputs[0][0])


def endless():
    values = []
    values.append(values)
    return values


@pytest.mark.parametrize(
    "value",
    [object(), Shade.DARK, {"deep": [Point(1, object())]}, {1, 2}, "\ud83d\ude00", 2**100_000, bytearray(3), endless()],
    ids=["an object", "an enum", "inside a point", "a set", "lone surrogates", "a huge number", "bytearray", "endless"],
)
def test_what_would_not_come_back_the_same_is_refused(value):
    with pytest.raises(Unstorable):
        pack(value, POINT)


WHOLE = content(Memo((("text", b"bytes" * 50, Point(1, [2.5])),), {"images": []}))


@given(st.integers(0, len(WHOLE) - 1), st.integers(1, 255))
def test_a_changed_byte_is_noticed(position, change):
    damaged = bytearray(WHOLE)
    damaged[position] ^= change
    with pytest.raises(Damaged):
        decode_memo("key", bytes(damaged), POINT)


@given(st.integers(0, len(WHOLE) - 1))
def test_a_missing_end_is_noticed(length):
    with pytest.raises(Damaged):
        decode_memo("key", WHOLE[:length], POINT)


def test_a_file_under_another_name_and_one_of_an_unknown_type_are_refused():
    with pytest.raises(Damaged):
        decode_memo("other", WHOLE, POINT)
    with pytest.raises(Damaged):
        decode_memo("key", WHOLE, {})
