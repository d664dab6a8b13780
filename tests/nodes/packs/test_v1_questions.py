"""What V1 classes are asked beside their function: whether they changed, whether inputs are right, what they need."""

# ruff: noqa: ARG001, ARG002, ARG005 - functions of packs take what they take

import asyncio
import inspect
import math
from pathlib import Path

import pytest

from executor.context import ExecutingContext, executing
from nodes.packs import v1

REQUIRED = {"x": ("INT",), "image": ("IMAGE",)}


def adapt(**attributes):
    class Node:
        RETURN_TYPES = ("INT",)
        FUNCTION = "run"

        @classmethod
        def INPUT_TYPES(cls):  # noqa: N802
            return {"required": REQUIRED, "optional": {"mask": ("MASK",)}, "hidden": {"me": "UNIQUE_ID", "p": "PROMPT"}}

        def run(self, **given):
            return (0,)

    for name, value in attributes.items():
        setattr(Node, name, value)
    return v1.node_type("Toy", Node, None, "custom_nodes.toys", "digest")


def ask(question, **given):
    """The answer, as the executor asks."""
    token = executing.set(ExecutingContext("job", "7", 0, None, []))
    try:
        answer = question(**given)
        return asyncio.run(answer) if inspect.isawaitable(answer) else answer
    finally:
        executing.reset(token)


def test_a_class_that_answers_nothing_is_asked_nothing():
    made = adapt()
    assert (made.fingerprint, made.validate, made.needs) == (None, None, None)
    assert (made.definition.checks, made.definition.checks_types) == (frozenset(), False)


@pytest.mark.parametrize("later", [False, True], ids=["function", "coroutine"])
def test_is_changed_sees_literals_and_none_for_links(later):
    seen = []

    def changed(cls, **given):
        seen.append(given)
        return 5

    async def changed_later(cls, **given):
        return changed(cls, **given)

    made = adapt(IS_CHANGED=classmethod(changed_later if later else changed))
    assert ask(made.fingerprint, x=3) == ask(made.fingerprint, x=3)
    assert seen[0] == {"x": 3, "image": None, "me": "7", "p": {}}
    whole = adapt(IS_CHANGED=classmethod(changed), INPUT_IS_LIST=True)
    ask(whole.fingerprint, x=3)
    assert seen[-1] == {"x": [3], "image": [None], "me": ["7"], "p": [{}]}


def test_is_changed_may_leave_out_what_has_a_default():
    made = adapt(IS_CHANGED=classmethod(lambda cls, x, image, me, p, mask="no mask": [x, mask]))
    assert "no mask" in ask(made.fingerprint, x=3)
    needs_mask = adapt(IS_CHANGED=classmethod(lambda cls, x, image, me, p, mask: [x, mask]))
    assert "null" in ask(needs_mask.fingerprint, x=3)


ANSWERS = [
    0,
    1,
    1.0,
    True,
    None,
    "1",
    b"1",
    "",
    [1, 2],
    [1, [2]],
    (),
    {"a": 1},
    {1, 2},
    math.inf,
    Path("1"),
    2**80,
    2**2000,
]


def test_different_answers_are_different_and_equal_ones_equal():
    asked = [
        ask(adapt(IS_CHANGED=classmethod(lambda cls, answer=answer, **_: answer)).fingerprint) for answer in ANSWERS
    ]
    again = [
        ask(adapt(IS_CHANGED=classmethod(lambda cls, answer=answer, **_: answer)).fingerprint) for answer in ANSWERS
    ]
    assert asked == again
    assert len(set(asked)) == len(ANSWERS)


def raising(cls, **given):
    raise OSError("no such file")


async def raising_later(cls, **given):
    raising(cls)


NEVER = [
    ("NaN", lambda cls, **_: float("nan"), False),
    ("NaN inside", lambda cls, **_: [1, {"a": float("nan")}], False),
    ("an object", lambda cls, **_: object(), False),
    ("an exception", raising, True),
    ("an exception later", raising_later, True),
    ("another signature", lambda cls, y: 1, True),
]


@pytest.mark.parametrize(("function", "warned"), [one[1:] for one in NEVER], ids=[one[0] for one in NEVER])
def test_what_cannot_be_compared_is_never_the_same(function, warned, caplog):
    made = adapt(IS_CHANGED=classmethod(function))
    assert ask(made.fingerprint, x=3) != ask(made.fingerprint, x=3)
    assert ("IS_CHANGED of Toy" in caplog.text) is warned


CHECKS = [
    (lambda cls, x: True, frozenset({"x"}), False),
    (lambda cls, x, image, other=None: True, frozenset({"x", "image"}), False),
    (lambda cls, **given: True, "all", False),
    (lambda cls, input_types: True, frozenset(), True),
    (lambda cls, input_types, **given: True, "all", True),
]


@pytest.mark.parametrize(("function", "checks", "checks_types"), CHECKS)
def test_the_definition_says_which_inputs_are_checked(function, checks, checks_types):
    made = adapt(VALIDATE_INPUTS=classmethod(function)).definition
    assert (made.checks, made.checks_types) == (checks, checks_types)


VERDICTS = [
    (True, []),
    (False, ["x", "image"]),
    (None, ["x", "image"]),
    ("too small", ["x - too small", "image - too small"]),
]


@pytest.mark.parametrize(("verdict", "expected"), VERDICTS)
@pytest.mark.parametrize("later", [False, True], ids=["function", "coroutine"])
def test_a_verdict_is_said_of_each_input_that_was_looked_at(verdict, expected, later):
    async def judge_later(cls, x, image):
        return verdict

    judge = judge_later if later else lambda cls, x, image: verdict
    made = adapt(VALIDATE_INPUTS=classmethod(judge))
    assert ask(made.validate, x=3, input_types={"image": "IMAGE"}) == expected


ARGUMENTS = [
    (lambda seen: lambda cls, x: seen.append({"x": x}), {"x": 3}),
    (lambda seen: lambda cls, x, image: seen.append([x, image]), [3, None]),
    (lambda seen: lambda cls, mask: seen.append([mask]), [None]),
    (lambda seen: lambda cls, mask="none": seen.append([mask]), ["none"]),
    (lambda seen: lambda cls, input_types: seen.append(input_types), {"image": "IMAGE"}),
    (lambda seen: lambda cls, **given: seen.append(given), {"x": 3, "image": None, "me": "7", "p": {}}),
]


@pytest.mark.parametrize(("function", "expected"), ARGUMENTS)
def test_validation_gets_the_arguments_that_it_names(function, expected):
    seen = []
    made = adapt(VALIDATE_INPUTS=classmethod(function(seen)))
    ask(made.validate, x=3, input_types={"image": "IMAGE"})
    assert seen == [expected]


def test_validation_of_a_class_that_takes_whole_lists_gets_lists():
    seen = []
    judge = classmethod(lambda cls, x, image, input_types: seen.append([x, image, input_types]) or True)
    ask(adapt(VALIDATE_INPUTS=judge, INPUT_IS_LIST=True).validate, x=3, input_types={"image": "IMAGE"})
    assert seen == [[[3], [None], {"image": "IMAGE"}]]


def test_an_exception_of_validation_comes_out():
    with pytest.raises(OSError, match="no such file"):
        ask(adapt(VALIDATE_INPUTS=classmethod(raising)).validate, x=3)


@pytest.mark.parametrize(
    ("answer", "expected"), [(["x"], ("x",)), (None, ()), ("x", ("x",)), ((), ()), ({"x"}, ("x",))]
)
@pytest.mark.parametrize("later", [False, True], ids=["function", "coroutine"])
def test_lazy_inputs_are_asked_for_by_the_object_of_the_node(answer, expected, later):
    def check(self, **given):
        assert given == {"x": None, "me": "7"}
        return answer

    async def check_later(self, **given):
        return check(self, **given)

    made = adapt(check_lazy_status=check_later if later else check)
    assert tuple(ask(made.needs, x=None, me="7")) == expected
