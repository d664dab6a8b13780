"""Inputs that a node may do without: what feeds them runs only if the node asks."""

# ruff: noqa: ARG001, ARG005 - bodies take what their sockets say

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.cache import MemoryCache, NoCache
from executor.events import NodeFailed, NodeStarted
from executor.schema import ExecutionBlocker, InputSocket, Widget
from tests.executor.toys import MEBIBYTE, Bench, link, number, run, shown, toy, toy_worker


def lazy(name, kind="*"):
    return InputSocket(name, kind, lazy=True)


def asking(class_type, inputs, body, needs, **more):
    made = toy(class_type, inputs, "*", body, **more)

    def ask(info, bench, **given):
        bench.threads.append(f"asked {given}")
        return needs(**given)

    return type(made)(made.definition, made.call, needs=ask)


NODES = (
    asking(
        "Switch",
        (InputSocket("on", "BOOLEAN", Widget("toggle")), lazy("yes"), lazy("no")),
        lambda on, yes, no: (yes if on else no,),
        lambda on, yes, no: ["yes" if on else "no"],
    ),
    asking(
        "Steps3",
        (lazy("a"), lazy("b"), lazy("c")),
        lambda a, b, c: (f"{a} {b} {c}",),
        lambda a, b, c: ["a"] if a is None else ["b"] if b is None else ["c"] if c is None else [],
    ),
    asking("Confused", (lazy("a"), number("b", 1)), lambda a, b: (a,), lambda a, b: ["c"]),
    asking("Raises", (lazy("a"),), lambda a: (a,), lambda a: 1 / 0),
    asking(
        "ListSwitch",
        (lazy("a"), link("on", "*")),
        lambda a, on: (a,),
        lambda a, on: ["a"] if a == [None] else [],
        input_is_list=True,
    ),
    toy("Unasked", (lazy("a"),), "*", lambda a: (a,)),
    toy("Block", (), "*", lambda: (ExecutionBlocker(),)),
)


@pytest.fixture(params=[NoCache, lambda: MemoryCache(64 * MEBIBYTE)], ids=["no cache", "cache"])
async def place(request, tmp_path):
    bench = Bench()
    worker = toy_worker(tmp_path, bench, request.param(), more=NODES)
    yield worker, bench
    await worker.close()


def node(class_type, **inputs):
    return {"class_type": class_type, "inputs": inputs}


def number_node(value):
    return node("Number", value=value)


CASES = {
    "only the side that is asked for runs": (
        {"y": number_node(1), "n": number_node(2), "w": node("Switch", on=True, yes=["y", 0], no=["n", 0])},
        ["w", "y", "w"],
        1,
    ),
    "a node may ask several times": (
        {
            **{name: number_node(i) for i, name in enumerate("abc")},
            "w": node("Steps3", a=["a", 0], b=["b", 0], c=["c", 0]),
        },
        ["w", "a", "w", "b", "w", "c", "w"],
        "0 1 2",
    ),
    "a constant is no lazy link, so nothing is asked": (
        {"n": number_node(2), "w": node("Switch", on=False, yes=5, no=["n", 0])},
        ["w", "n", "w"],
        2,
    ),
    "what nobody can ask for is None": ({"n": number_node(2), "w": node("Unasked", a=["n", 0])}, ["w"], None),
    "whole lists are asked with a list of None": (
        {"n": number_node(2), "o": number_node(3), "w": node("ListSwitch", a=["n", 0], on=["o", 0])},
        ["o", "w", "n", "w"],
        [2],
    ),
    "a chain above the asked input runs as well": (
        {
            "a": number_node(1),
            "b": node("Add", a=["a", 0], b=2),
            "w": node("Switch", on=True, yes=["b", 0], no=["missing", 0]) | {},
            "missing": node("Fail", value=1),
        },
        ["w", "a", "b", "w"],
        3,
    ),
    "one lazy node may feed another": (
        {
            "a": number_node(1),
            "v": node("Switch", on=True, yes=["a", 0], no=["a", 0]),
            "w": node("Switch", on=False, yes=["a", 0], no=["v", 0]),
        },
        ["w", "v", "a", "v", "w"],
        1,
    ),
}


@pytest.mark.parametrize(("nodes", "started", "value"), CASES.values(), ids=CASES)
async def test_sources_run_when_they_are_asked_for(place, nodes, started, value):
    worker, _ = place
    prompt = nodes | {"s": node("Show", value=["w", 0])}
    events = await run(worker, prompt)
    assert events[-1].ok, events
    assert [event.node_id for event in events if isinstance(event, NodeStarted)] == [*started, "s"]
    assert shown(events) == {"s": [value]}


async def test_what_was_not_asked_for_is_no_part_of_the_result_but_of_the_signature(tmp_path):
    bench = Bench()
    worker = toy_worker(tmp_path, bench, more=NODES)
    prompt = {
        "y": number_node(1),
        "n": number_node(2),
        "w": node("Switch", on=True, yes=["y", 0], no=["n", 0]),
        "s": node("Show", value=["w", 0]),
    }
    await run(worker, prompt)
    assert bench.take() == ["y", "w", "s"]
    await run(worker, prompt)
    assert bench.take() == []
    prompt["w"]["inputs"]["on"] = False
    assert shown(await run(worker, prompt)) == {"s": [2]}
    assert bench.take() == ["n", "w", "s"]
    await worker.close()


async def test_a_literal_that_is_asked_for_is_known_already(place):
    worker, bench = place
    prompt = {
        "n": number_node(1),
        "w": node("Switch", on=True, yes=5, no=["n", 0]),
        "s": node("Show", value=["w", 0]),
    }
    assert shown(await run(worker, prompt)) == {"s": [5]}
    assert bench.take() == ["w", "s"]


FAILURES = {
    "asking for an input that is not there": (node("Confused", a=["n", 0], b=1), "w", "nothing is linked"),
    "asking raises": (node("Raises", a=["n", 0]), "w", "division by zero"),
    "what is asked for fails": (node("Switch", on=True, yes=["bad", 0], no=["n", 0]), "bad", "It cannot be."),
}


@pytest.mark.parametrize(("asking_node", "blamed", "message"), FAILURES.values(), ids=FAILURES)
async def test_failures_around_lazy_inputs_stop_only_what_depends_on_them(place, asking_node, blamed, message):
    worker, _ = place
    prompt = {
        "n": number_node(1),
        "bad": node("Fail", value=["n", 0]),
        "w": asking_node,
        "s": node("Show", value=["w", 0]),
        "good": node("Show", value=["n", 0]),
    }
    events = await run(worker, prompt)
    (failed,) = [event for event in events if isinstance(event, NodeFailed)]
    assert failed.node_id == blamed
    assert message in failed.message
    assert shown(events) == {"good": [1]}
    assert not events[-1].ok


async def test_a_lazy_input_may_be_blocked(place):
    worker, bench = place
    prompt = {
        "b": node("Block"),
        "n": number_node(1),
        "w": node("Switch", on=True, yes=["b", 0], no=["n", 0]),
        "s": node("Show", value=["w", 0]),
    }
    events = await run(worker, prompt)
    assert events[-1].ok
    assert shown(events) == {}
    assert bench.take() == ["b"]


@given(sides=st.lists(st.booleans(), min_size=1, max_size=12), cached=st.booleans())
async def test_a_chain_of_switches_runs_one_side_of_each(tmp_path_factory, sides, cached):
    bench = Bench()
    cache = MemoryCache(MEBIBYTE) if cached else NoCache()
    worker = toy_worker(tmp_path_factory.mktemp("root"), bench, cache, more=NODES)
    prompt = {"w0": number_node(0)}
    for i, side in enumerate(sides, 1):
        prompt[f"y{i}"] = node("Add", a=[f"w{i - 1}", 0], b=1)
        prompt[f"n{i}"] = node("Add", a=[f"w{i - 1}", 0], b=1000)
        prompt[f"w{i}"] = node("Switch", on=side, yes=[f"y{i}", 0], no=[f"n{i}", 0])
    prompt["s"] = node("Show", value=[f"w{len(sides)}", 0])
    events = await run(worker, prompt)
    await worker.close()
    assert shown(events) == {"s": [sum(1 if side else 1000 for side in sides)]}
    assert sorted(bench.ran) == sorted(
        ["w0", "s", *(f"w{i}" for i in range(1, len(sides) + 1))]
        + [f"{'y' if side else 'n'}{i}" for i, side in enumerate(sides, 1)]
    )
