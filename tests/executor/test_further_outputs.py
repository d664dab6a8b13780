"""Outputs beyond the declared ones: what links to them gives, what is no output, and that a blocker stops those too."""

from dataclasses import replace

import pytest

from executor.cache import MemoryCache, NoCache
from executor.results import BadResult, check_results, make_memo
from executor.schema import MOST_FURTHER_OUTPUTS, ExecutionBlocker, NodeDefinition, OutputSocket, Result
from tests.executor.toys import MEBIBYTE, Bench, number, run, shown, toy, toy_worker

DEFINITION = NodeDefinition("Open", (), (OutputSocket("first", "INT"),), "", "Open", further_outputs=True)


def opened(node_type):
    return replace(node_type, definition=replace(node_type.definition, further_outputs=True))


NODES = (
    opened(toy("Fill", (number("n"),), "INT", lambda n: tuple(range(n)))),
    toy("Even", (number("n"),), "INT", lambda n: (ExecutionBlocker() if n % 2 else n,)),
)


def node(class_type, **inputs):
    return {"class_type": class_type, "inputs": inputs}


def test_there_is_an_output_for_each_index_up_to_a_limit():
    assert DEFINITION.output(0) == DEFINITION.outputs[0]
    assert DEFINITION.output(1).type == DEFINITION.output(MOST_FURTHER_OUTPUTS).type == "*"
    assert DEFINITION.output(MOST_FURTHER_OUTPUTS + 1) is None
    assert DEFINITION.output(-1) is None
    assert replace(DEFINITION, further_outputs=False).output(1) is None


def test_calls_that_fill_different_outputs_leave_the_others_empty():
    results = [Result((1, 2, 3)), Result((4,))]
    check_results(DEFINITION, results)
    assert make_memo(DEFINITION, results).outputs == ((1, 4), (2, None), (3, None))
    with pytest.raises(BadResult, match="returned 3 outputs but declares 1"):
        check_results(replace(DEFINITION, further_outputs=False), results)
    with pytest.raises(BadResult, match="returned 0 outputs but declares 1"):
        check_results(DEFINITION, [Result()])


@pytest.fixture(params=[NoCache, lambda: MemoryCache(64 * MEBIBYTE)], ids=["no cache", "cache"])
async def worker(request, tmp_path):
    worker = toy_worker(tmp_path, Bench(), request.param(), more=NODES)
    yield worker
    await worker.close()


async def test_a_link_reads_an_output_that_is_not_declared(worker):
    prompt = {"c": node("Fill", n=4), "a": node("Add", a=["c", 3], b=["c", 0]), "s": node("Show", value=["a", 0])}
    for _ in range(2):
        assert shown(await run(worker, prompt)) == {"s": [3]}


async def test_a_blocked_node_blocks_its_further_outputs(worker):
    prompt = {
        "e": node("Even", n=3),
        "c": node("Fill", n=["e", 0]),
        "s": node("Show", value=["c", 2]),
        "t": node("Show", value=["c", 0]),
        "u": node("Show", value=1),
    }
    assert shown(await run(worker, prompt)) == {"u": [1]}
