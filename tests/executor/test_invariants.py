"""Caching must be invisible: whatever is run in whatever order, the results are those of running without it."""

import asyncio

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from executor.cache import ENTRY_BYTES, MemoryCache, NoCache
from executor.events import NodeExecuted, RunFinished
from tests.executor.toys import Bench, run, shown, toy_worker


@st.composite
def prompts(draw):
    """A prompt of numbers, additions, divisions, lists and sums, some of them failing, and two to four outputs."""
    numeric, lists, nodes = [], [], {}

    def add(class_type, **inputs):
        nodes[f"n{len(nodes)}"] = {"class_type": class_type, "inputs": inputs}
        return f"n{len(nodes) - 1}"

    for _ in range(draw(st.integers(1, 12))):
        kind = draw(st.sampled_from(["Number", "Add", "Add", "Divide", "Count", "Sum", "Nap", "Fail"]))
        small = st.integers(0, 3)
        if kind == "Number" or not numeric:
            numeric.append([add("Number", value=draw(small)), 0])
        elif kind == "Add":
            numeric.append([add("Add", a=draw(st.sampled_from(numeric + lists)), b=draw(small)), 0])
        elif kind == "Divide":
            numeric.append([add("Divide", a=draw(st.sampled_from(numeric)), b=draw(small)), draw(st.integers(0, 1))])
        elif kind == "Count":
            lists.append([add("Count", count=draw(small)), 0])
        elif kind == "Sum":
            numeric.append([add("Sum", value=draw(st.sampled_from(numeric + lists))), 0])
        elif kind == "Nap":
            numeric.append([add("Nap", value=draw(st.sampled_from(numeric + lists)), seconds=0.0), 0])
        elif draw(st.booleans()):
            numeric.append([add("Fail", value=draw(st.sampled_from(numeric))), 0])
    for _ in range(draw(st.integers(2, 4))):
        add("Show", value=draw(st.sampled_from(numeric + lists)))
    return nodes


def result(events):
    """What a run came to, without its timing and without what it reused."""
    assert isinstance(events[-1], RunFinished)
    return shown(events), events[-1].ok


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
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


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
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
