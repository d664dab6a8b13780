"""The server and a real worker process together: whole jobs over HTTP, and the death of the worker in their midst."""

import os
import signal

import pytest

from executor.process import ProcessWorker
from tests.executor.toys import folders, prompt, toy_worker
from tests.server.conftest import Server

SUM = """
a = Number 3
b = Add a 1
d = Show b
"""


@pytest.fixture
async def real(start, tmp_path) -> Server:
    """A server whose worker is a process with the executor's toy nodes."""
    root = tmp_path / "worker"
    root.mkdir()
    folders(root)
    return await start(ProcessWorker(toy_worker, root, grace=1.0), worker_deadline=60.0)


async def test_a_graph_runs_and_an_edit_runs_only_what_it_changed(real: Server):
    async def executing(text: str) -> list[str]:
        async with real.listen("me") as listener:
            job = await real.queue(prompt(text), client_id="me")
            messages = await listener.until_end()
        assert (await real.ended(job))["status"]["completed"] is True
        return [it["data"]["node"] for it in messages if it["type"] == "executing" and it["data"]["node"]]

    assert await executing(SUM) == ["a", "b", "d"]
    assert await executing(SUM.replace("Add a 1", "Add a 2")) == ["b", "d"]
    assert await executing(SUM) == []
    _, history = await real.get("/history")
    assert [entry["outputs"]["d"]["values"] for entry in history.values()] == [[4], [5], [4]]


@pytest.mark.parametrize(
    ("text", "says", "node"),
    [
        ("a = Nothing", "Node ID '#a'", "a"),
        ("a = Add b 1\nb = Add a 1\nc = Show b", "a -> b -> a", "a"),
        ("a = Number 1\nb = Use a\nc = Show b", "received_type(INT)", "b"),
        ("a = Number 99999999\nb = Show a", "max of 10000000", "a"),
        ("a = Add\nb = Show a", "Required input is missing", "a"),
    ],
)
async def test_a_bad_graph_is_refused_with_the_node_that_is_wrong(real: Server, text, says, node):
    status, answer = await real.post("/prompt", {"prompt": prompt(text)})
    assert status == 400
    assert answer["error"]["message"]
    assert says in answer["error"]["details"]
    assert list(answer["node_errors"]) == [node]


async def test_a_killed_worker_costs_its_job_one_retry_and_the_server_nothing(real: Server):
    async with real.listen("me") as listener:
        job = await real.queue(prompt("a = Steps 40 0.02\nb = Show a"), client_id="me")
        await listener.until("progress")
        os.kill(real.worker.pid, signal.SIGKILL)
    assert (await real.get("/queue"))[0] == 200
    entry = await real.ended(job)
    assert entry["status"]["completed"] is True
    assert (await real.get(f"/jobs/{job}"))[1]["status"] == "completed"


async def test_an_interrupt_stops_a_node_at_its_next_step(real: Server):
    async with real.listen("me") as listener:
        await real.queue(prompt("a = Steps 1000 0.01\nb = Show a"), client_id="me")
        await listener.until("progress")
        await real.post("/interrupt")
        assert [message["type"] for message in await listener.until_end()][-3:] == [
            "execution_interrupted",
            "status",
            "executing",
        ]
        assert listener.pictures
    job = await real.queue(prompt(SUM))
    assert (await real.ended(job))["status"]["completed"] is True
