"""Caching must be invisible: whatever is run in whatever order, the results are those of running without it."""

import asyncio
import copy
import itertools

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from executor.cache import ENTRY_BYTES, MemoryCache, NoCache
from executor.disk_cache import DiskCache
from executor.events import NodeBlocked, NodeExecuted, RunFinished
from executor.shown_files import shown_state
from executor.tiered_cache import TieredCache
from tests.executor.semantic_toys import SHAPES, semantic_toys
from tests.executor.toys import MEBIBYTE, Bench, folders, run, shown, toy_worker

small = st.integers(0, 3)
NUMBERS = {"Number": "value", "Add": "b", "Divide": "b", "Unfold": "depth", "Gate": "message", "Switch": "which"}
"""The literal of a node that an edit may change."""


class Drawing:
    """A prompt under construction: its nodes, and the outputs that a next node may read."""

    def __init__(self, draw):
        self.draw = draw
        self.nodes, self.numeric, self.lists = {}, [], []

    def add(self, class_type, **inputs):
        node_id = f"n{len(self.nodes)}"
        self.nodes[node_id] = {"class_type": class_type, "inputs": inputs}
        return node_id

    def number(self):
        return self.draw(st.sampled_from(self.numeric))

    def values(self):
        return self.draw(st.sampled_from(self.numeric + self.lists))

    def small(self):
        return self.draw(small)


def _plain(drawing, kind):
    """One of the nodes that take all their inputs and give one result."""
    match kind:
        case "Number":
            drawing.numeric.append([drawing.add("Number", value=drawing.small()), 0])
        case "Add":
            drawing.numeric.append([drawing.add("Add", a=drawing.values(), b=drawing.small()), 0])
        case "Divide":
            node_id = drawing.add("Divide", a=drawing.number(), b=drawing.small())
            drawing.numeric.append([node_id, drawing.draw(st.integers(0, 1))])
        case "Count":
            drawing.lists.append([drawing.add("Count", count=drawing.small()), 0])
        case "Sum":
            drawing.numeric.append([drawing.add("Sum", value=drawing.values()), 0])
        case "Nap":
            drawing.numeric.append([drawing.add("Nap", value=drawing.values(), seconds=0.0), 0])
        case "Fail" if drawing.draw(st.booleans()):
            drawing.numeric.append([drawing.add("Fail", value=drawing.number()), 0])


def _semantic(drawing, kind):
    """One of the nodes that wait, block, expand or make lists."""
    match kind:
        case "Switch":
            which = drawing.draw(st.one_of(st.integers(0, 1), st.sampled_from(drawing.numeric)))
            drawing.numeric.append([drawing.add("Switch", which=which, yes=drawing.values(), no=drawing.values()), 0])
        case "First":
            drawing.numeric.append([drawing.add("First", a=drawing.values(), b=drawing.values()), 0])
        case "Gate":
            gate = drawing.add("Gate", value=drawing.values(), message=drawing.draw(st.integers(0, 1)))
            drawing.numeric.append([gate, 0])
        case "Fan":
            fan = drawing.add("Fan", value=drawing.values())
            drawing.lists.append([fan, 0])
            drawing.numeric.append([fan, 1])
        case "Unfold":
            drawing.numeric.append([drawing.add("Unfold", value=drawing.values(), depth=drawing.small()), 0])
        case "Graft":
            shape = drawing.draw(st.sampled_from(SHAPES.choices))
            graft = drawing.add("Graft", value=drawing.values(), other=drawing.values(), shape=shape)
            drawing.numeric.append([graft, 0])


@st.composite
def prompts(draw, semantic=False):
    """A prompt of numbers, additions, divisions, lists and sums, some of them failing, and two to four outputs;
    `semantic`: also of nodes that wait for some of their inputs, block, expand and make lists."""
    drawing = Drawing(draw)
    plain = ["Number", "Add", "Add", "Divide", "Count", "Sum", "Nap", "Fail"]
    special = ["Switch", "First", "Gate", "Fan", "Unfold", "Graft", "Graft"] * 2 if semantic else []
    for _ in range(draw(st.integers(1, 14 if semantic else 12))):
        kind = draw(st.sampled_from(plain + special))
        if not drawing.numeric:
            kind = "Number"
        _plain(drawing, kind)
        _semantic(drawing, kind)
    for _ in range(draw(st.integers(2, 4))):
        drawing.add("Show", value=drawing.values())
    return drawing.nodes


@st.composite
def edited(draw, before):
    """A prompt with one number changed, and the node that has it."""
    changeable = [node_id for node_id, node in before.items() if node["class_type"] in NUMBERS]
    after = copy.deepcopy(before)
    node_id = draw(st.sampled_from(changeable))
    after[node_id]["inputs"][NUMBERS[after[node_id]["class_type"]]] = draw(small)
    return after, node_id


@st.composite
def histories(draw):
    """Prompts that someone may run one after the other: each is an edited one, or a new one."""
    wires = [draw(prompts(semantic=True))]
    for _ in range(draw(st.integers(0, 3))):
        wires.append(draw(edited(wires[-1]))[0] if draw(st.booleans()) else draw(prompts(semantic=True)))
    return [*wires, wires[0]]


def result(events):
    """What a run came to, without its timing, without what it reused, and without what was shown only because a node
    had to expand for it."""
    assert isinstance(events[-1], RunFinished)
    return {node_id: values for node_id, values in shown(events).items() if node_id == real(node_id)}, events[-1].ok


def descendants(wire, node_id):
    """The node and all that read from it, directly or not."""
    found = {node_id}
    while True:
        sources = {
            reader: {value[0] for value in node["inputs"].values() if isinstance(value, list)}
            for reader, node in wire.items()
        }
        more = {reader for reader, read in sources.items() if read & found} - found
        if not more:
            return found
        found |= more


def real(node_id):
    """The node of the prompt that a node descends from."""
    return node_id.partition(".")[0]


def cache_of(mode, root):
    """A cache as one of the flags makes it."""
    kind, size = mode
    if kind == "lru":
        return MemoryCache(MEBIBYTE, most_memos=size)
    if kind == "classic":
        return MemoryCache(MEBIBYTE, only_current=True)
    if kind == "ram":
        lacking = itertools.cycle([0, 0, size * ENTRY_BYTES])
        return MemoryCache(MEBIBYTE, shortage=lambda: next(lacking))
    memory = MemoryCache(size * (ENTRY_BYTES + 32))
    if kind == "bytes":
        return memory
    place = folders(root)
    disk = DiskCache(place.user / "cache", 2**20, {}, "toys", lambda _: 1, least_seconds=0.0)
    return TieredCache([memory, disk], lambda ui: shown_state(place, ui))


modes = st.tuples(st.sampled_from(["bytes", "lru", "classic", "ram", "disk"]), st.integers(0, 12))


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(prompts(), min_size=1, max_size=4), st.integers(0, 12))
def test_running_with_a_cache_of_any_size_equals_running_without(tmp_path, wires, slots):
    async def both():
        bench = Bench()
        without = toy_worker(tmp_path, Bench(), NoCache())
        cached = toy_worker(tmp_path, bench, MemoryCache(slots * (ENTRY_BYTES + 32)))
        for wire in [*wires, wires[0]]:
            bench.take()
            events = await run(cached, wire)
            assert result(events) == result(await run(without, wire))
            ran = bench.take()
            executed = [event.node_id for event in events if isinstance(event, NodeExecuted) and not event.reused]
            assert set(executed) <= set(ran)
        await without.close()
        await cached.close()

    asyncio.run(both())


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(histories(), modes)
def test_nodes_that_wait_block_expand_and_make_lists_give_the_same_with_every_cache(tmp_path, wires, mode):
    async def both():
        without = toy_worker(tmp_path, Bench(), NoCache(), more=semantic_toys())
        cached = toy_worker(tmp_path, Bench(), cache_of(mode, tmp_path), more=semantic_toys())
        for wire in wires:
            assert result(await run(cached, wire)) == result(await run(without, wire))
        await without.close()
        await cached.close()

    asyncio.run(both())


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(prompts())
def test_running_again_runs_only_what_failed(tmp_path, wire):
    async def twice():
        worker = toy_worker(tmp_path)
        first = await run(worker, wire)
        again = await run(worker, wire)
        assert result(again) == result(first)
        assert again[-1].executed == ()
        assert not set(again[0].run) & set(first[-1].executed)
        await worker.close()

    asyncio.run(twice())


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(prompts(semantic=True).flatmap(lambda wire: st.tuples(st.just(wire), edited(wire))))
def test_after_an_edit_only_its_descendants_run_again(tmp_path, drawn):
    before, (after, changed) = drawn

    async def twice():
        bench = Bench()
        worker = toy_worker(tmp_path, bench, more=semantic_toys())
        first = await run(worker, before)
        ran = set(bench.take())
        done = {event.node_id for event in first if isinstance(event, NodeExecuted)}
        told = {event.node_id for event in first if isinstance(event, NodeBlocked)}
        await run(worker, after)
        # A node that failed, or that must tell again what blocks it, has nothing to remember.
        unremembered = {real(node_id) for node_id in (ran - done) | told}
        again = {real(node_id) for node_id in ran & set(bench.take())}
        assert again <= descendants(after, changed) | unremembered
        await worker.close()

    asyncio.run(twice())
