"""What runs, what is reused, and what comes out: whole jobs through the in-process worker."""

import asyncio
import gc
import weakref

import pytest

from executor.cache import MemoryCache, NoCache
from executor.events import NodeExecuted, NodeFailed, NodeStarted, RunFinished, RunStarted
from executor.schema import NodeType, Result, RunInfo
from executor.worker import Job
from tests.executor.toys import Bench, chain, link, prompt, run, shown, toy, toy_worker

SUM = """
a = Number 3
b = Add a 1
c = Add b 10
d = Show c
e = Show b
"""


@pytest.fixture
def bench():
    return Bench()


@pytest.fixture
async def worker(tmp_path, bench):
    worker = toy_worker(tmp_path, bench)
    yield worker
    await worker.close()


async def check(worker, bench, text, ran, values):
    """Run the prompt; assert which nodes ran, in any order, and what was shown."""
    events = await run(worker, text)
    assert sorted(bench.take()) == sorted(ran.split())
    assert shown(events) == values
    assert isinstance(events[0], RunStarted)
    assert isinstance(events[-1], RunFinished)
    assert events[-1].ok
    assert sorted(events[-1].executed) == sorted(ran.split())
    assert sorted(events[0].run) == sorted(ran.split())
    return events


async def test_an_edit_reruns_what_depends_on_it_and_undoing_it_reruns_nothing(worker, bench):
    await check(worker, bench, SUM, "a b c d e", {"d": [14], "e": [4]})
    await check(worker, bench, SUM, "", {"d": [14], "e": [4]})
    edited = SUM.replace("Add b 10", "Add b 20")
    await check(worker, bench, edited, "c d", {"d": [24], "e": [4]})
    await check(worker, bench, SUM, "", {"d": [14], "e": [4]})


async def test_other_ids_rerun_nothing(worker, bench):
    await check(worker, bench, SUM, "a b c d e", {"d": [14], "e": [4]})
    renamed = "x = Number 3\ny = Add x 1\nz = Add y 10\ns = Show z"
    await check(worker, bench, renamed, "", {"s": [14]})


async def test_a_value_of_another_type_but_the_same_meaning_reruns_nothing(worker, bench):
    await check(worker, bench, SUM, "a b c d e", {"d": [14], "e": [4]})
    await check(worker, bench, SUM.replace("Number 3", "Number 3.0"), "", {"d": [14], "e": [4]})
    await check(worker, bench, SUM.replace("Add a 1", "Add a"), "", {"d": [14], "e": [4]})


async def test_equal_work_in_one_prompt_runs_once(worker, bench):
    twins = "a = Number 3\nb = Number 3\nc = Add a 1\nd = Add b 1\ns = Show c\nt = Show d"
    events = await check(worker, bench, twins, "a c s", {"s": [4], "t": [4]})
    assert events[0].reused == ("b", "d", "t")


async def test_a_memo_hides_what_is_above_it(tmp_path, bench):
    """The source is forgotten, its consumer is not: then the source is not needed either."""
    cache = MemoryCache(2**20)
    worker = toy_worker(tmp_path, bench, cache)
    thing = "t = Thing 2000\nu = Use t\ns = Show u"
    await check(worker, bench, thing, "t u s", {"s": [2000]})
    forgotten = [signature for signature, entry in cache._entries.items() if entry.size > 2000]
    assert len(forgotten) == 1
    cache._drop(forgotten[0])
    await check(worker, bench, "t = Thing 2000\nu = Use t\nv = Add u 1\nw = Show v", "v w", {"w": [2001]})
    await worker.close()


async def test_without_a_cache_everything_runs_each_time(tmp_path, bench):
    worker = toy_worker(tmp_path, bench, NoCache())
    for _ in range(2):
        await check(worker, bench, SUM, "a b c d e", {"d": [14], "e": [4]})
    await worker.close()


async def test_nodes_that_no_output_needs_do_not_run(worker, bench):
    await check(worker, bench, SUM + "f = Add c 1\ng = Crash f", "a b c d e", {"d": [14], "e": [4]})


async def test_only_the_targets_run(worker, bench):
    events = await run(worker, SUM, targets=("e",))
    assert sorted(bench.take()) == ["a", "b", "e"]
    assert shown(events) == {"e": [4]}


async def test_a_changed_file_reruns_its_reader(worker, bench, tmp_path):
    (tmp_path / "input/words.png").write_text("one")
    text = "r = Read words.png\ns = Show r"
    await check(worker, bench, text, "r s", {"s": ["one"]})
    await check(worker, bench, text, "", {"s": ["one"]})
    (tmp_path / "input/words.png").write_text("two")
    await check(worker, bench, text, "r s", {"s": ["two"]})


async def test_a_reader_whose_file_name_is_linked_runs_each_time(worker, bench, tmp_path):
    (tmp_path / "input/words.png").write_text("one")
    text = "p = Pick red\nr = Read p\ns = Show r"
    (tmp_path / "input/red").write_text("one")
    await check(worker, bench, text, "p r s", {"s": ["one"]})
    (tmp_path / "input/red").write_text("two")
    await check(worker, bench, text, "r s", {"s": ["two"]})


async def test_a_fingerprint_that_fails_is_the_nodes_failure_and_other_outputs_run(worker, tmp_path):
    (tmp_path / "input/empty.png").write_text("")
    events = await run(worker, "r = Read empty.png\ns = Show r\na = Number 1\nt = Show a")
    failed = [event for event in events if isinstance(event, NodeFailed)]
    assert [(event.node_id, event.message) for event in failed] == [
        ("r", "The file 'empty.png' is empty; choose another.")
    ]
    assert shown(events) == {"t": [1]}
    assert events[-1].ok is False


async def test_a_failure_stops_only_what_depends_on_it_and_leaves_no_memo(worker, bench):
    text = "a = Number 3\nf = Fail a message=Never!\ng = Add f 1\ns = Show g\nb = Add a 1\nt = Show b"
    for ran in (["a", "b", "f", "t"], ["f"]):
        events = await run(worker, text)
        assert sorted(bench.take()) == ran
        assert shown(events) == {"t": [4]}
        assert events[-1] == RunFinished(False, events[-1].executed, events[-1].seconds)
        (failed,) = [event for event in events if isinstance(event, NodeFailed)]
        assert (failed.node_id, failed.class_type, failed.input_name) == ("f", "Fail", "value")
        assert (failed.message, failed.exception_type) == ("Never!", "executor.schema.InputError")
        assert failed.current_inputs == {"value": "3", "message": "Never!"}
        assert any("_fail" in line for line in failed.traceback)
        assert not any("run_in_executor" in line for line in failed.traceback)


FAILURES = [
    ("a = Number 1\nc = Crash a\ns = Show c", "c", "ZeroDivisionError", "without a message"),
    ("c = Short\ns = Show c", "c", "executor.results.BadResult", "returned 1 outputs but declares 2"),
    ("u = Unsayable", "u", "executor.results.BadResult", "not JSON"),
    ("n = Needy\ns = Show n", "n", "LookupError", "'Printer'"),
    ("c = Count 0\na = Add c 1\ns = Show a", "a", "executor.schema.InputError", "empty"),
]


@pytest.mark.parametrize(("text", "node_id", "kind", "message"), FAILURES)
async def test_every_way_to_fail_names_the_node_and_the_reason(worker, text, node_id, kind, message):
    events = await run(worker, text)
    (failed,) = [event for event in events if isinstance(event, NodeFailed)]
    assert (failed.node_id, failed.exception_type) == (node_id, kind)
    assert message in failed.message
    assert not events[-1].ok


async def test_a_prompt_that_cannot_run_is_told_as_failures(worker):
    events = await run(worker, "a = Add x 1\ns = Show a")
    assert [(event.node_id, event.exception_type, event.input_name) for event in events[:-1]] == [
        ("a", "invalid_input_type", "a")
    ]
    assert events[-1] == RunFinished(False, (), 0.0)


async def test_lists_map_over_the_node_and_shorter_ones_repeat_their_last_element(worker, bench):
    text = """
    three = Count 3
    two = Count 2
    both = Add three b=two
    total = Sum both
    t = Show total
    s = Show both
    """
    events = await run(worker, text)
    assert shown(events) == {"s": [0, 2, 3], "t": [5]}
    assert bench.take().count("both") == 3
    (executed,) = [event for event in events if isinstance(event, NodeExecuted) and event.node_id == "s"]
    assert executed.ui == {"values": [0, 2, 3], "kind": "toy"}


async def test_a_whole_list_may_be_empty_where_the_node_takes_lists(worker):
    assert shown(await run(worker, "c = Count 0\nt = Sum c\ns = Show t")) == {"s": [0]}


async def test_blocking_branches_overlap(worker):
    """Each `Meet` waits for the other; run one after the other they would fail."""
    events = await run(worker, "a = Number 1\nb = Number 2\nc = Meet a\nd = Meet b\ns = Show c\nt = Show d")
    assert shown(events) == {"s": [1], "t": [2]}


async def test_coroutines_overlap_with_each_other_and_within_a_list(worker):
    """Each call waits until six have begun: five of a list, and one of another node."""
    text = "c = Count 5\nn = Gathered c 6\na = Number 1\nm = Gathered a 6\ns = Show n\nt = Show m"
    assert shown(await run(worker, text)) == {"s": [0, 1, 2, 3, 4], "t": [1]}


async def test_device_work_is_serial_and_on_one_thread(worker, bench):
    bench.gate.set()
    lines = [f"n{i} = Number {i}\nd{i} = DeviceHeld n{i}\ns{i} = Show d{i}" for i in range(6)]
    await run(worker, "\n".join(lines))
    threads = {thread for node_id, thread in zip(bench.ran, bench.threads, strict=True) if node_id[0] == "d"}
    assert len(threads) == 1


async def test_nodes_start_after_their_sources_are_done(worker):
    events = await run(worker, SUM)
    told = [event for event in events if isinstance(event, NodeStarted | NodeExecuted)]
    done = set()
    sources = {"a": "", "b": "a", "c": "b", "d": "c", "e": "b"}
    for event in told:
        if isinstance(event, NodeStarted):
            assert set(sources[event.node_id]) <= done
        else:
            done.add(event.node_id)
    assert done == set("abcde")


class Thing:
    """A value that can be watched."""


async def test_values_are_let_go_when_nobody_needs_them(tmp_path, bench):
    """With no cache, a chain of things keeps alive only those that a running node reads."""
    alive: weakref.WeakSet[Thing] = weakref.WeakSet()
    counts = []

    def make(thing: object = None) -> tuple[Thing]:  # noqa: ARG001 - held while this runs, which is the point
        made = Thing()
        alive.add(made)
        gc.collect()
        counts.append(len(alive))
        return (made,)

    following = toy("Next", (link("thing", "THING", required=False),), "THING", make)
    worker = toy_worker(tmp_path, bench, NoCache(), more=(following,))
    wire = {"0": {"class_type": "Next", "inputs": {}}}
    wire |= {str(i): {"class_type": "Next", "inputs": {"thing": [str(i - 1), 0]}} for i in range(1, 12)}
    wire["s"] = {"class_type": "Show", "inputs": {"value": ["12", 0]}}
    wire["12"] = {"class_type": "Use", "inputs": {"thing": ["11", 0]}}
    events = await run(worker, wire)
    assert not events[-1].ok, "bytearrays have a length, things have not"
    assert max(counts) <= 3, "the one being made, its source, and one that a thread has not let go of yet"
    await worker.close()


@pytest.mark.slow
async def test_a_chain_of_20000_nodes_runs(worker, bench):
    events = await run(worker, chain(20_000))
    assert shown(events) == {"shown": [20_000]}
    assert len(bench.take()) == 20_002
    assert shown(await run(worker, chain(20_000))) == {"shown": [20_000]}
    assert bench.take() == []


async def test_one_job_at_a_time(worker, bench):
    first = asyncio.create_task(run(worker, "a = Number 1\nh = Held a\ns = Show h"))
    await asyncio.to_thread(bench.held.wait, 120)
    with pytest.raises(RuntimeError, match="still running"):
        await run(worker, SUM)
    assert (await worker.validate(prompt(SUM))).outputs == ("d", "e")
    assert (await worker.report()).versions == {"toys": "1"}
    bench.gate.set()
    assert shown(await first) == {"s": [1]}


async def test_freeing_waits_for_the_job_and_then_forgets(tmp_path, bench):
    unloaded = []
    worker = toy_worker(tmp_path, bench, unload=lambda: unloaded.append(len(bench.ran)))
    job = asyncio.create_task(run(worker, "a = Number 1\nh = Held a\ns = Show h"))
    await asyncio.to_thread(bench.held.wait, 120)
    await worker.free(unload_models=True, free_memory=False)
    assert unloaded == []
    bench.gate.set()
    await job
    assert unloaded == [3]
    bench.take()
    await run(worker, "a = Number 1\nh = Held a\ns = Show h")
    assert bench.take() == []
    await worker.free(unload_models=False, free_memory=True)
    assert len(unloaded) == 2
    await run(worker, "a = Number 1\nh = Held a\ns = Show h")
    assert sorted(bench.take()) == ["a", "h", "s"]
    await worker.close()


async def test_the_nodes_learn_the_run_around_them(tmp_path):
    seen = []

    def look(info: RunInfo, bench: Bench) -> Result:
        seen.append((info.prompt, info.extra_pnginfo, info.node_id))
        return Result((), {"values": [len(bench.ran)]})

    looking = NodeType(toy("Look", (), "", tuple, is_output=True).definition, look)
    worker = toy_worker(tmp_path, more=(looking,))
    wire = {"9": {"class_type": "Look", "inputs": {}, "_meta": {"title": "x"}}}
    async for _ in worker.run(Job("job", wire, extra_pnginfo={"workflow": {"id": 1}})):
        pass
    assert seen == [(wire, {"workflow": {"id": 1}}, "9")]
    await worker.close()


async def test_the_worker_runs_again_after_its_iterator_was_closed_early(worker):
    job = worker.run(Job("job", prompt("s1 = Steps 1000 0.01\ns = Show s1")))
    async for event in job:
        if isinstance(event, NodeStarted):
            break
    await job.aclose()
    assert shown(await run(worker, SUM)) == {"d": [14], "e": [4]}
