"""Jobs that run at the same time on one worker: what they have in common is executed once."""

import asyncio

import pytest

from executor.cache import MemoryCache, NoCache
from executor.events import NodeExecuted, NodeFailed, RunFinished, RunInterrupted, RunStarted
from executor.worker import Job
from tests.executor.toys import MEBIBYTE, Bench, prompt, shown, toy_worker


@pytest.fixture(params=[NoCache, lambda: MemoryCache(64 * MEBIBYTE)], ids=["no cache", "cache"])
async def place(request, tmp_path):
    bench = Bench()
    worker = toy_worker(tmp_path, bench, request.param())
    yield worker, bench
    bench.gate.set()
    await worker.close()


async def collect(worker, job_id, text, heard=None):
    events = []
    async for event in worker.run(Job(job_id, prompt(text))):
        events.append(event)
        if heard is not None:
            heard(events)
    return events


async def both(worker, bench, first, second):
    """Two jobs, of which the first is in the middle of its held node and the second wants that node's result."""
    one = asyncio.create_task(collect(worker, "one", first))
    assert await asyncio.to_thread(bench.held.wait, 60)
    arrived = asyncio.Event()

    def heard(events):
        source = next(iter(prompt(second)))
        executed = {event.node_id for event in events if isinstance(event, NodeExecuted)}
        if source in executed or (isinstance(events[0], RunStarted) and source not in events[0].run):
            arrived.set()  # the held node is what comes right after the first

    two = asyncio.create_task(collect(worker, "two", second, heard))
    async with asyncio.timeout(60):
        await arrived.wait()
    return one, two


HELD = "n = Number 1\nh = Held n\nx = Add h 1\ns = Show x"
ALSO = "m = Number 1\ni = Held m\ny = Add i 5\nt = Show y"


async def test_equal_sub_graphs_of_two_jobs_are_executed_once(place):
    worker, bench = place
    one, two = await both(worker, bench, HELD, ALSO)
    bench.gate.set()
    first, second = await one, await two
    assert (shown(first), shown(second)) == ({"s": [2]}, {"t": [6]})
    assert sorted(bench.take()).count("h") == 1
    assert [event.node_id for event in second if isinstance(event, NodeExecuted) and event.reused] == ["i"]


async def test_interrupting_one_job_leaves_the_other_its_work(place):
    worker, bench = place
    one, two = await both(worker, bench, HELD, ALSO)
    assert await worker.interrupt("one")
    bench.gate.set()
    first, second = await one, await two
    assert isinstance(first[-1], RunInterrupted)
    assert isinstance(second[-1], RunFinished)
    assert shown(second) == {"t": [6]}


async def test_a_job_that_waits_for_another_can_be_interrupted(place):
    worker, bench = place
    one, two = await both(worker, bench, HELD, ALSO)
    assert await worker.interrupt("two")
    second = await two
    assert isinstance(second[-1], RunInterrupted)
    assert not one.done()
    bench.gate.set()
    assert shown(await one) == {"s": [2]}


async def test_a_failure_is_each_jobs_own(place):
    worker, bench = place
    text = "n = Number 1\nh = Held n\nf = Fail h\ns = Show f"
    one, two = await both(worker, bench, text, text)
    bench.gate.set()
    for events in (await one, await two):
        assert [event.node_id for event in events if isinstance(event, NodeFailed)] == ["f"]
    ran = bench.take()
    assert (ran.count("h"), ran.count("f")) == (1, 2)


async def test_two_jobs_of_one_id_are_refused(place):
    worker, bench = place
    one = asyncio.create_task(collect(worker, "one", HELD))
    assert await asyncio.to_thread(bench.held.wait, 60)
    with pytest.raises(RuntimeError, match="one"):
        await collect(worker, "one", ALSO)
    bench.gate.set()
    assert shown(await one) == {"s": [2]}


async def test_memory_is_freed_when_no_job_runs_any_more(tmp_path):
    bench, freed = Bench(), []
    worker = toy_worker(tmp_path, bench, unload=lambda: freed.append("models"))
    one, two = await both(worker, bench, HELD, ALSO)
    await worker.free(unload_models=True, free_memory=False)
    assert freed == []
    bench.gate.set()
    await one
    await two
    assert len(freed) == 1
    await worker.close()
