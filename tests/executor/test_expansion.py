"""Nodes that let others run in their place: where these come from, what they see, and what comes of them."""

# ruff: noqa: ARG001, ARG005 - bodies take what their sockets say

import pytest

from executor.cache import MemoryCache, NoCache
from executor.context import LONGEST_ID, executing, expansion_prefix
from executor.events import NodeExecuted, NodeFailed, NodesAdded, NodeStarted
from executor.schema import ExecutionBlocker, InputSocket, Result
from tests.executor.toys import MEBIBYTE, Bench, link, number, run, shown, toy, toy_worker


def node(class_type, **inputs):
    return {"class_type": class_type, "inputs": inputs}


def prefix():
    return expansion_prefix(executing.get())


def twice(value):
    p = prefix()
    nodes = {f"{p}a": node("Add", a=value, b=0), f"{p}b": node("Add", a=[f"{p}a", 0], b=value)}
    return Result(([f"{p}b", 0],), expand=nodes)


def loop(value, times):
    if times == 0:
        return (value,)
    p = prefix()
    nodes = {f"{p}a": node("Add", a=value, b=1), f"{p}l": node("Loop", value=[f"{p}a", 0], times=times - 1)}
    return Result(([f"{p}l", 0],), expand=nodes)


def nested(value):
    p = prefix()
    return Result(([f"{p}x", 0],), expand={f"{p}x": node("Twice", value=value)})


def some(value):
    """A list of which one call expands and the others do not."""
    return twice(value) if value == 1 else (-value,)


def shows(value):
    p = prefix()
    inner = node("Show", value=value) | {"override_display_id": "elsewhere"}
    return Result((value,), expand={f"{p}s": inner})


def shows_bad(value):
    p = prefix()
    nodes = {f"{p}f": node("Fail", value=value), f"{p}s": node("Show", value=[f"{p}f", 0])}
    return Result((value,), expand=nodes)


def counts(count):
    p = prefix()
    return Result((7, [f"{p}c", 0]), expand={f"{p}c": node("Count", count=count)})


def opaque(value):
    p = prefix()
    return Result(([f"{p}u", 0],), expand={f"{p}u": node("Unwrap", box=Box(value))})


class Box:
    def __init__(self, value):
        self.value = value


def within(value):
    p = prefix()
    return Result(([f"{p}f", 0],), expand={f"{p}f": node("Fail", value=value, message="Deep inside.")})


def circle(value):
    p = prefix()
    nodes = {f"{p}a": node("Add", a=[f"{p}b", 0], b=1), f"{p}b": node("Add", a=[f"{p}a", 0], b=1)}
    return Result(([f"{p}a", 0],), expand=nodes)


def own_child(value):
    """Its child waits for the node itself."""
    p = prefix()
    return Result(([f"{p}a", 0],), expand={f"{p}a": node("Add", a=[executing.get().node_id, 0], b=1)})


def unknown(value):
    p = prefix()
    return Result(([f"{p}a", 0],), expand={f"{p}a": node("Nowhere")})


def blocked(value):
    p = prefix()
    return Result(([f"{p}b", 0],), expand={f"{p}b": node("Twice", value=ExecutionBlocker())})


ANY = link("value", "*")
NODES = (
    toy("Twice", (ANY,), "INT", twice),
    toy("Loop", (ANY, number("times")), "INT", loop),
    toy("Nested", (ANY,), "INT", nested),
    toy("Some", (ANY,), "INT", some),
    toy("Shows", (ANY,), "INT", shows),
    toy("ShowsBad", (ANY,), "INT", shows_bad),
    toy("Counts", (number("count"),), "INT INT", counts),
    toy("Opaque", (ANY,), "INT", opaque),
    toy("Unwrap", (link("box", "BOX"),), "INT", lambda box: (box.value,)),
    toy("Within", (ANY,), "INT", within),
    toy("Circle", (ANY,), "INT", circle),
    toy("OwnChild", (ANY,), "INT", own_child),
    toy("Unknown", (ANY,), "INT", unknown),
    toy("BlockedInside", (ANY,), "INT", blocked),
    toy("Same", (ANY,), "INT", lambda value: Result((["x", 0],), expand={"x": node("Add", a=value, b=1)})),
    toy("Bad", (ANY,), "INT", lambda value: Result((["far", 5],), expand={"far": node("Number", value=1)})),
)


@pytest.fixture(params=[NoCache, lambda: MemoryCache(64 * MEBIBYTE)], ids=["no cache", "cache"])
async def place(request, tmp_path):
    bench = Bench()
    worker = toy_worker(tmp_path, bench, request.param(), more=NODES)
    yield worker, bench
    await worker.close()


VALUES = {
    "its outputs are those of what it expands into": ({"x": node("Twice", value=["n", 0])}, ["x", 0], [6]),
    "nested": ({"x": node("Nested", value=["n", 0])}, ["x", 0], [6]),
    "recursive, three times": ({"x": node("Loop", value=["n", 0], times=3)}, ["x", 0], [6]),
    "recursive, three hundred times": ({"x": node("Loop", value=["n", 0], times=300)}, ["x", 0], [303]),
    "some of its calls expand, others give values": (
        {"c": node("Count", count=4), "x": node("Some", value=["c", 0])},
        ["x", 0],
        [0, 2, -2, -3],
    ),
    "a value beside a link": ({"x": node("Counts", count=3)}, ["x", 0], [7]),
    "a link to a list gives all of it to that output alone": ({"x": node("Counts", count=3)}, ["x", 1], [0, 1, 2]),
    "any Python value may be handed in": ({"x": node("Opaque", value=["n", 0])}, ["x", 0], [3]),
    "an output beside nodes that show": ({"x": node("Shows", value=["n", 0])}, ["x", 0], [3]),
}


@pytest.mark.parametrize(("nodes", "source", "values"), VALUES.values(), ids=VALUES)
async def test_what_comes_of_an_expansion(place, nodes, source, values):
    worker, _ = place
    prompt = {"n": node("Number", value=3)} | nodes | {"s": node("Show", value=source)}
    for _ in range(2):  # the second run finds in the cache what it may
        events = await run(worker, prompt)
        assert events[-1].ok, events
        assert shown(events)["s"] == values


async def test_children_are_announced_with_their_origin_and_told_by_their_own_ids(place):
    worker, _ = place
    prompt = {"n": node("Number", value=3), "x": node("Nested", value=["n", 0]), "s": node("Show", value=["x", 0])}
    events = await run(worker, prompt)
    added = {name: origin for event in events if isinstance(event, NodesAdded) for name, origin in event.nodes.items()}
    child = "x.0.0.x"
    assert {name: (o.class_type, o.parent_id, o.display_id, o.real_id) for name, o in added.items()} == {
        child: ("Twice", "x", "x", "x"),
        f"{child}.0.0.a": ("Add", child, "x", "x"),
        f"{child}.0.0.b": ("Add", child, "x", "x"),
    }
    started = [event.node_id for event in events if isinstance(event, NodeStarted)]
    assert started == ["n", "x", child, f"{child}.0.0.a", f"{child}.0.0.b", "s"]


async def test_what_shows_something_inside_an_expansion_runs_and_is_told(place):
    worker, _ = place
    prompt = {"n": node("Number", value=3), "x": node("Shows", value=["n", 0]), "s": node("Show", value=["x", 0])}
    events = await run(worker, prompt)
    assert shown(events) == {"x.0.0.s": [3], "s": [3]}
    (added,) = [event for event in events if isinstance(event, NodesAdded)]
    assert added.nodes["x.0.0.s"].display_id == "elsewhere"


async def test_what_fails_inside_an_expansion_is_not_remembered_as_done(place):
    worker, bench = place
    prompt = {"n": node("Number", value=3), "x": node("ShowsBad", value=["n", 0]), "s": node("Show", value=["x", 0])}
    for _ in range(2):
        events = await run(worker, prompt)
        (failed,) = [event for event in events if isinstance(event, NodeFailed)]
        assert (failed.node_id, failed.message) == ("x", "It cannot be.")
        assert not events[-1].ok
        assert "x" in bench.take()


async def test_equal_work_inside_expansions_is_done_once(tmp_path):
    bench = Bench()
    worker = toy_worker(tmp_path, bench, more=NODES)
    prompt = {"n": node("Number", value=3), "x": node("Loop", value=["n", 0], times=5)}
    prompt["s"] = node("Show", value=["x", 0])
    await run(worker, prompt)
    assert len(bench.take()) == 1 + 6 + 5 + 1
    prompt["x"]["inputs"]["times"] = 6  # other loops around the same additions
    events = await run(worker, prompt)
    assert shown(events) == {"s": [9]}
    ran = bench.take()
    assert [name.rpartition(".")[2] for name in ran].count("a") == 1
    prompt = {"other": prompt["n"], "y": node("Loop", value=["other", 0], times=6), "t": node("Show", value=["y", 0])}
    assert shown(await run(worker, prompt)) == {"t": [9]}
    assert bench.take() == []  # ids do not matter
    await worker.close()


async def test_opaque_literals_are_known_by_how_they_came_about(tmp_path):
    bench = Bench()
    worker = toy_worker(tmp_path, bench, more=NODES)
    prompt = {"n": node("Number", value=3), "x": node("Opaque", value=["n", 0]), "y": node("Opaque", value=["n", 0])}
    prompt |= {"s": node("Show", value=["x", 0]), "t": node("Add", a=["y", 0], b=1), "u": node("Show", value=["t", 0])}
    events = await run(worker, prompt)
    assert shown(events) == {"s": [3], "u": [4]}
    assert [name.rpartition(".")[2] for name in bench.take()].count("u") == 1 + 1  # one child, and the node u itself
    prompt["n"]["inputs"]["value"] = 4
    assert shown(await run(worker, prompt)) == {"s": [4], "u": [5]}
    await worker.close()


FAILURES = {
    "a child fails": (node("Within", value=["n", 0]), "tests.executor.toys", "Deep inside."),
    "children in a circle": (node("Circle", value=["n", 0]), "graph.DependencyCycleError", "in a circle"),
    "a child that waits for its parent": (node("OwnChild", value=["n", 0]), "graph.DependencyCycleError", "circle"),
    "an unknown class": (node("Unknown", value=["n", 0]), "executor.expansion.BadExpansion", "Nowhere"),
    "an output that is not there": (node("Bad", value=["n", 0]), "executor.results.BadResult", "output"),
}


@pytest.mark.parametrize(("maker", "kind", "message"), FAILURES.values(), ids=FAILURES)
async def test_failures_are_told_of_the_node_that_a_user_can_find(place, maker, kind, message):
    worker, _ = place
    prompt = {
        "n": node("Number", value=3),
        "x": maker,
        "s": node("Show", value=["x", 0]),
        "good": node("Show", value=["n", 0]),
    }
    events = await run(worker, prompt)
    (failed,) = [event for event in events if isinstance(event, NodeFailed)]
    assert (failed.node_id, failed.class_type) == ("x", maker["class_type"])
    assert message in failed.message
    if kind != "tests.executor.toys":
        assert failed.exception_type == kind
    assert shown(events) == {"good": [3]}
    assert not events[-1].ok


async def test_ids_must_be_new_to_the_run(place):
    worker, _ = place
    prompt = {
        "x": node("Number", value=3),
        "y": node("Same", value=["x", 0]),
        "s": node("Show", value=["y", 0]),
    }
    events = await run(worker, prompt)
    (failed,) = [event for event in events if isinstance(event, NodeFailed)]
    assert failed.node_id == "y"
    assert "'x'" in failed.message


async def test_a_blocker_that_comes_out_of_an_expansion_blocks_what_follows(place):
    worker, _ = place
    prompt = {"n": node("Number", value=3), "x": node("BlockedInside", value=["n", 0])}
    prompt["s"] = node("Show", value=["x", 0])
    events = await run(worker, prompt)
    assert events[-1].ok
    assert shown(events) == {}


async def test_a_thousand_iterations_cost_what_a_chain_costs(tmp_path):
    bench = Bench()
    worker = toy_worker(tmp_path, bench, more=NODES)
    prompt = {"n": node("Number", value=0), "x": node("Loop", value=["n", 0], times=1000)}
    prompt["s"] = node("Show", value=["x", 0])
    events = await run(worker, prompt)
    assert shown(events) == {"s": [1000]}
    executed = [event.node_id for event in events if isinstance(event, NodeExecuted)]
    assert len(set(executed)) == 1 + 1001 + 1000 + 1
    assert max(map(len, executed)) < 2 * LONGEST_ID  # they do not grow with the depth
    prompt["n2"], prompt["y"] = node("Number", value=0), node("Loop", value=["n2", 0], times=1000)
    prompt["t"] = node("Show", value=["y", 0])
    bench.take()
    assert shown(await run(worker, prompt)) == {"s": [1000], "t": [1000]}
    assert bench.take() == []
    await worker.close()


async def test_a_raw_link_is_handed_over_runs_nothing_and_counts_for_the_signature(tmp_path):
    def follows(flow):
        p = prefix()
        return Result(([f"{p}a", 0],), expand={f"{p}a": node("Add", a=flow, b=1)})

    raw = InputSocket("flow", "*", raw_link=True)
    more = (toy("Where", (raw,), "*", lambda flow: (flow,)), toy("Follow", (raw,), "*", follows))
    bench = Bench()
    worker = toy_worker(tmp_path, bench, more=more)
    prompt = {"n": node("Number", value=3), "w": node("Where", flow=["n", 0]), "s": node("Show", value=["w", 0])}
    assert shown(await run(worker, prompt)) == {"s": [["n", 0]]}
    assert bench.take() == ["w", "s"]
    prompt["w"] = node("Follow", flow=["n", 0])
    assert shown(await run(worker, prompt)) == {"s": [4]}
    prompt["n"]["inputs"]["value"] = 5
    assert shown(await run(worker, prompt)) == {"s": [6]}
    await worker.close()
