"""Asking a running job to stop: it does at the next step, and what was not finished leaves no memo."""

import asyncio

import pytest

from executor.events import NodeExecuted, NodeFailed, NodePreview, NodeProgress, NodeStarted, RunInterrupted, RunStarted
from executor.worker import Job
from tests.executor.toys import Bench, prompt, run, shown, toy_worker

LONG = "a = Number 3\nb = Add a 1\nc = Steps 100000 0.001\nd = Add c b=b\ns = Show d"


@pytest.fixture
def bench():
    return Bench()


@pytest.fixture
async def worker(tmp_path, bench):
    worker = toy_worker(tmp_path, bench)
    yield worker
    await worker.close()


async def interrupt_when(worker, text, stop_at):
    """All events of the job, which is interrupted at the first event for which `stop_at` holds."""
    events = []
    async for event in worker.run(Job("job", prompt(text))):
        events.append(event)
        if stop_at(event):
            assert await worker.interrupt("job")
    return events


def started(node_id):
    return lambda event: isinstance(event, NodeStarted) and event.node_id == node_id


def told_progress(event):
    return isinstance(event, NodeProgress)


async def test_a_node_that_reports_steps_stops_at_the_next(worker, bench):
    events = await interrupt_when(worker, LONG, told_progress)
    assert isinstance(events[-1], RunInterrupted)
    assert events[-1].node_id in {"a", "b", "c"}
    assert set(events[-1].executed) <= {"a", "b"}
    assert not any(isinstance(event, NodeFailed) for event in events)
    assert "c" in bench.ran
    assert set(bench.ran) <= {"a", "b", "c"}


async def test_what_was_finished_is_kept_and_what_was_not_runs_again(worker, bench):
    await interrupt_when(worker, LONG, lambda event: isinstance(event, NodeExecuted) and event.node_id == "b")
    bench.take()
    await run(worker, "a = Number 3\nb = Add a 1\ns = Show b")
    assert bench.take() == ["s"]
    again = await interrupt_when(worker, LONG, told_progress)
    assert again[0].reused == ("a", "b")
    assert "c" in bench.take()


async def test_a_coroutine_is_stopped_where_it_waits(worker):
    events = await interrupt_when(worker, "a = Number 1\nn = Nap a 3000\ns = Show n", started("n"))
    assert events[-1] == RunInterrupted("n", ("a",))


async def test_a_node_that_asks_nobody_finishes_and_nothing_follows(worker, bench):
    held = asyncio.create_task(interrupt_when(worker, "a = Number 1\nh = Held a\ns = Show h", started("h")))
    await asyncio.to_thread(bench.held.wait, 120)
    await asyncio.sleep(0.05)
    assert not held.done()
    bench.gate.set()
    events = await held
    assert events[-1] == RunInterrupted("h", ("a", "h"))
    bench.take()
    assert shown(await run(worker, "a = Number 1\nh = Held a\ns = Show h")) == {"s": [1]}
    assert bench.take() == ["s"], "what it finished nevertheless is a result like any other"


async def test_only_the_job_that_is_meant_is_interrupted(worker):
    assert await worker.interrupt() is False
    refused = []
    async for event in worker.run(Job("job", prompt("c = Steps 3 0.01\ns = Show c"))):
        if isinstance(event, NodeStarted):
            refused.append(await worker.interrupt("another"))
    assert refused == [False, False]
    assert await worker.interrupt("job") is False


async def test_an_interruption_before_the_first_node_runs_nothing(worker, bench):
    job = worker.run(Job("job", prompt(LONG)))
    first = asyncio.ensure_future(anext(job))
    await asyncio.sleep(0)
    assert await worker.interrupt("job")
    assert isinstance(await first, RunStarted)
    assert [event async for event in job] == [RunInterrupted(None, ())]
    assert bench.ran == []


async def test_an_interruption_is_over_with_its_job(worker):
    await interrupt_when(worker, LONG, told_progress)
    assert shown(await run(worker, "c = Steps 3 0.01\ns = Show c")) == {"s": [3]}


async def test_progress_is_thinned_but_its_ends_are_told(worker):
    events = await run(worker, "c = Steps 2000\ns = Show c")
    steps = [event.value for event in events if isinstance(event, NodeProgress)]
    assert steps[0] == 1
    assert steps[-1] == 2000
    assert steps == sorted(steps)
    assert len(steps) < 1000
    position = {type(event): i for i, event in enumerate(events) if getattr(event, "node_id", "") == "c"}
    assert position[NodeStarted] < position[NodeProgress] < position[NodeExecuted]


@pytest.mark.parametrize(("method", "least", "most"), [("none", 0, 0), ("auto", 2, 8)])
async def test_previews_are_made_only_if_someone_looks_and_not_too_often(worker, method, least, most):
    events = await run(worker, "c = Steps 200 0.001\ns = Show c", preview_method=method)
    previews = [event for event in events if isinstance(event, NodePreview)]
    seconds = next(event.seconds for event in events if isinstance(event, NodeExecuted) and event.node_id == "c")
    assert least <= len(previews) <= max(most, 2 + seconds / 0.1 if most else 0)
