"""What is kept of an exception: text, and short."""

import gc
import weakref

import pytest

from executor.failure import TEXT_LIMIT, describe, short_text
from executor.graph import Link
from executor.schema import InputError


class Tensor:
    """Looks like one from outside, and must not be printed."""

    shape = (1, 4, 64, 64)

    def __str__(self):
        raise AssertionError("a tensor was printed")

    __repr__ = __str__


TEXTS = [
    (None, "None"),
    (True, "True"),
    (8, "8"),
    (0.5, "0.5"),
    ("cat", "cat"),
    ("x" * 500, "x" * TEXT_LIMIT + "..."),
    (Tensor(), "Tensor of shape 1 x 4 x 64 x 64"),
    ([1, 2, 3], "list of 3: 1, 2, 3"),
    (list(range(100)), "list of 100: 0, 1, 2, 3, 4, 5, 6, 7, ..."),
    ([Tensor(), Tensor()], "list of 2"),
    ({"samples": Tensor()}, "dict with samples"),
    (object(), "object"),
    (b"\0" * 1000, "bytes"),
]


@pytest.mark.parametrize(("value", "text"), TEXTS, ids=[text[:30] for _, text in TEXTS])
def test_values_are_told_in_a_few_words(value, text):
    assert short_text(value) == text


def caught(error):
    try:
        raise error
    except type(error) as found:
        return describe(found, {"image": Tensor(), "link": Link("4", 0), "text": "t"})


def test_a_failure_names_what_the_editor_marks():
    failure = caught(InputError("image", "No such picture."))
    assert (failure.message, failure.input_name) == ("No such picture.", "image")
    assert failure.exception_type == "executor.schema.InputError"
    assert failure.current_inputs == {"image": "Tensor of shape 1 x 4 x 64 x 64", "text": "t"}
    assert failure.traceback[-1] == "executor.schema.InputError: No such picture."


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (ValueError("bad"), "ValueError", "bad"),
        (KeyError("x"), "KeyError", "'x'"),
        (ZeroDivisionError(), "ZeroDivisionError", "The node raised ZeroDivisionError without a message."),
    ],
)
def test_builtin_exceptions_go_by_their_plain_name(error, kind, message):
    failure = caught(error)
    assert (failure.exception_type, failure.message, failure.input_name) == (kind, message, None)


def test_no_value_is_kept_alive():
    class Big:
        pass

    def fail():
        big = Big()
        alive.add(big)
        raise ValueError("no")

    alive = weakref.WeakSet()
    try:
        fail()
    except ValueError as error:
        failure = describe(error, {})
    gc.collect()
    assert len(alive) == 0
    assert any("fail()" in line for line in failure.traceback)


class Unsayable(Exception):
    def __str__(self):
        raise RuntimeError("no text")


def test_an_exception_and_a_value_that_cannot_be_described_are_told_all_the_same():
    class Broken(list):
        def __len__(self):
            raise RuntimeError("no length")

    failure = describe(Unsayable(), {"value": Broken()})
    assert failure.message == "The node raised Unsayable, which cannot say what it is about."
    assert failure.current_inputs == {"value": "Broken"}
    assert failure.hint is None
