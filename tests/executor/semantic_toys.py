"""Toy nodes that wait, block, expand and make lists, for tests of what the executor makes of them together."""

from dataclasses import replace

from executor.context import executing
from executor.schema import ExecutionBlocker, InputSocket, NodeType, Result, Widget
from tests.executor.toys import number, toy

SHAPES = Widget("combo", choices=("switch", "list", "outside", "failing", "shown"))


def _lazy(name: str) -> InputSocket:
    return InputSocket(name, "*", lazy=True)


def _either(which, yes, no):
    return (yes if which else no,)


def _chosen(which, **_):
    return ["yes" if which else "no"]


def _first(a, b):
    return (b if a == 0 else a,)


def _until_one(a, **_):
    """Asks for b only once it knows that a is 0."""
    if a is None:
        return ["a"]
    return ["b"] if a == 0 else []


def _gate(value, message):
    return (ExecutionBlocker("odd" if message else None) if value % 2 else value,)


def _fan(value):
    return (ExecutionBlocker() if value % 5 == 4 else [value] * (value % 3), value)


def _unfold(value, depth):
    """`depth` additions, each made by the expansion of the one before; nothing expands at depth 0."""
    if depth == 0:
        return Result((value,))
    context = executing.get()
    step, rest = (f"{context.node_id}.{context.list_index}.{name}" for name in ("add", "rest"))
    return Result(
        ([rest, 0],),
        expand={
            step: {"class_type": "Add", "inputs": {"a": value, "b": 1}},
            rest: {"class_type": "Unfold", "inputs": {"value": [step, 0], "depth": depth - 1}},
        },
    )


def _graft(value, other, shape):
    """Expands into one of several small graphs; `other` is a raw link, which some of them hand on."""
    context = executing.get()
    first, second = (f"{context.node_id}.{context.list_index}.{name}" for name in ("first", "second"))
    nodes = {
        "switch": {
            first: {"class_type": "Gate", "inputs": {"value": value}},
            second: {"class_type": "Switch", "inputs": {"which": value, "yes": [first, 0], "no": other}},
        },
        "list": {second: {"class_type": "Fan", "inputs": {"value": value}}},
        "outside": {second: {"class_type": "Add", "inputs": {"a": other, "b": value}}},
        "failing": {
            first: {"class_type": "Divide", "inputs": {"a": 6, "b": value}},
            second: {"class_type": "First", "inputs": {"a": value, "b": [first, 1]}},
        },
        "shown": {
            first: {"class_type": "Fail", "inputs": {"value": value}},
            second: {"class_type": "Show", "inputs": {"value": value}},
        },
    }[shape]
    return Result((value if shape == "shown" else [second, 0],), expand=nodes)


def semantic_toys() -> tuple[NodeType, ...]:
    """All of them."""
    return (
        replace(toy("Switch", (number("which"), _lazy("yes"), _lazy("no")), "*", _either), needs=_chosen),
        replace(toy("First", (_lazy("a"), _lazy("b")), "*", _first), needs=_until_one),
        toy("Gate", (number("value"), number("message", 0)), "INT", _gate),
        toy("Fan", (number("value"),), "INT[] INT", _fan),
        toy(
            "Graft",
            (number("value"), InputSocket("other", "*", raw_link=True), InputSocket("shape", "COMBO", SHAPES)),
            "INT",
            _graft,
        ),
        toy("Unfold", (number("value"), number("depth")), "INT", _unfold),
    )
