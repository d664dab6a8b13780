"""Blockers: what they stop, what they leave alone, and who hears of it."""

import pytest

from executor.cache import MemoryCache, NoCache
from executor.events import NodeBlocked, NodeExecuted
from executor.schema import ExecutionBlocker, InputSocket, Widget
from tests.executor.toys import MEBIBYTE, Bench, link, number, run, shown, toy, toy_worker

MESSAGE = InputSocket("message", "STRING", Widget("text"), required=False)


def bare(message):
    async def answer():
        return ExecutionBlocker(message)

    return answer()


NODES = (
    toy("Block", (MESSAGE,), "INT INT", lambda message=None: (ExecutionBlocker(message),) * 2),
    toy("Half", (number("value"),), "INT INT", lambda value: (value, ExecutionBlocker())),
    toy(
        "Odd",
        (link("value"),),
        "INT",
        lambda value: (value if value % 2 else ExecutionBlocker("Even."),),
    ),
    toy("Listed", (), "INT[]", lambda: (ExecutionBlocker(),)),
    toy("Mixed", (), "INT[]", lambda: ([1, ExecutionBlocker(), 3],)),
    toy("Bare", (MESSAGE,), "INT INT", lambda message=None: bare(message)),
)


def node(class_type, **inputs):
    return {"class_type": class_type, "inputs": inputs}


@pytest.fixture(params=[NoCache, lambda: MemoryCache(64 * MEBIBYTE)], ids=["no cache", "cache"])
async def place(request, tmp_path):
    bench = Bench()
    worker = toy_worker(tmp_path, bench, request.param(), more=NODES)
    yield worker, bench
    await worker.close()


SHOW = node("Show", value=["x", 0])
CASES = {
    "nothing that reads a blocker runs": (
        {"b": node("Block"), "x": node("Add", a=["b", 0], b=1), "s": SHOW},
        {},
        [],
    ),
    "what does not read it runs": (
        {"b": node("Half", value=5), "x": node("Add", a=["b", 0], b=1), "s": SHOW, "t": node("Show", value=["b", 1])},
        {"s": [6]},
        [],
    ),
    "the first that is stopped tells why, and nobody after it": (
        {"b": node("Block", message="Not now."), "x": node("Add", a=["b", 0], b=1), "s": SHOW},
        {},
        [("x", "Add", "Not now.")],
    ),
    "each that is stopped first tells": (
        {
            "b": node("Block", message="Not now."),
            "x": node("Add", a=["b", 0], b=1),
            "s": SHOW,
            "t": node("Show", value=["b", 1]),
        },
        {},
        [("t", "Show", "Not now."), ("x", "Add", "Not now.")],
    ),
    "in a list only the blocked element is left out": (
        {"c": node("Count", count=4), "o": node("Odd", value=["c", 0]), "x": node("Add", a=["o", 0], b=10), "s": SHOW},
        {"s": [11, 13]},
        [("x", "Add", "Even.")],
    ),
    "a blocker for a list output is one element": (
        {"b": node("Listed"), "x": node("Add", a=["b", 0], b=1), "s": SHOW},
        {},
        [],
    ),
    "a blocker within a list": (
        {"b": node("Mixed"), "x": node("Add", a=["b", 0], b=1), "s": SHOW},
        {"s": [2, 4]},
        [],
    ),
    "whole lists are blocked by one element": (
        {"b": node("Mixed"), "x": node("Sum", value=["b", 0]), "s": SHOW},
        {},
        [],
    ),
    "a bare blocker stands for every output": (
        {"b": node("Bare", message="None at all."), "x": node("Add", a=["b", 1], b=1), "s": SHOW},
        {},
        [("x", "Add", "None at all.")],
    ),
}


@pytest.mark.parametrize(("prompt", "values", "told"), CASES.values(), ids=CASES)
async def test_blockers_stop_what_reads_them(place, prompt, values, told):
    worker, _ = place
    for again in (False, True):  # remembering changes nothing
        events = await run(worker, prompt)
        assert events[-1].ok, events
        assert shown(events) == values
        found = [(e.node_id, e.class_type, e.message) for e in events if isinstance(e, NodeBlocked)]
        if not again or not values:  # where every element is blocked, the message comes each time
            assert sorted(found) == told


async def test_a_blocked_node_is_not_called_and_still_ends(place):
    worker, bench = place
    prompt = {"b": node("Block"), "x": node("Add", a=["b", 0], b=1), "s": SHOW}
    events = await run(worker, prompt)
    assert bench.take() == ["b"]
    assert [event.node_id for event in events if isinstance(event, NodeExecuted)] == ["b", "x", "s"]
