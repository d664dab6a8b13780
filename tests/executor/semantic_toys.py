"""Toy nodes that wait, block, expand and make lists, for tests of what the executor makes of them together."""

from dataclasses import replace

from executor.context import executing
from executor.schema import ExecutionBlocker, InputSocket, NodeType, Result
from tests.executor.toys import number, toy


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


def semantic_toys() -> tuple[NodeType, ...]:
    """All of them."""
    return (
        replace(toy("Switch", (number("which"), _lazy("yes"), _lazy("no")), "*", _either), needs=_chosen),
        replace(toy("First", (_lazy("a"), _lazy("b")), "*", _first), needs=_until_one),
        toy("Gate", (number("value"), number("message", 0)), "INT", _gate),
        toy("Fan", (number("value"),), "INT[] INT", _fan),
        toy("Unfold", (number("value"), number("depth")), "INT", _unfold),
    )
