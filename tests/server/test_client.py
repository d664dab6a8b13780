"""The Python client against the real server and a real worker: what scripts see of a job."""

import asyncio
import os
import signal

import pytest

from executor.events import NodeExecuted, NodeFailed, NodeProgress, NodeStarted, RunFinished, RunInterrupted, RunStarted
from executor.process import ProcessWorker
from server.client import Client, Refused, ServerError
from tests.executor.toys import folders, prompt, toy_worker
from tests.server.conftest import Server

SUM = "a = Number 3\nb = Add a 1\nd = Show b"
LONG = "s1 = Steps 1000 0.02\ns = Show s1"


@pytest.fixture
async def real(start, tmp_path) -> Server:
    root = tmp_path / "worker"
    root.mkdir()
    folders(root)
    return await start(ProcessWorker(toy_worker, root, grace=1.0), worker_deadline=60.0)


async def follow(client, job_id):
    return [event async for event in client.events(job_id)]


async def test_a_job_is_submitted_followed_and_its_outputs_fetched(real):
    async with Client(real.url) as client:
        job = await client.submit(prompt(SUM))
        events = await follow(client, job)
        assert events[0] == RunStarted((), ())
        assert [event.node_id for event in events if isinstance(event, NodeStarted)] == ["a", "b", "d"]
        assert [(e.node_id, e.ui) for e in events if isinstance(e, NodeExecuted)] == [
            ("a", None),
            ("b", None),
            ("d", {"values": [4], "kind": "toy"}),
        ]
        assert events[-1] == RunFinished(True, ("a", "b", "d"), 0.0)
        assert await client.outputs(job) == {"d": {"values": [4], "kind": "toy"}}


async def test_what_is_reused_is_told_as_reused(real):
    async with Client(real.url) as client:
        await follow(client, await client.submit(prompt(SUM)))
        events = await follow(client, await client.submit(prompt(SUM)))
    assert isinstance(events[0], RunStarted)
    assert set(events[0].reused) == {"a", "b", "d"}
    assert [(e.node_id, e.reused) for e in events if isinstance(e, NodeExecuted)] == [("d", True)]
    assert events[-1] == RunFinished(True, (), 0.0)


async def test_an_ended_job_is_read_from_its_record_once(real):
    async with Client(real.url) as client:
        job = await client.submit(prompt(SUM))
        first = await follow(client, job)
        again = await follow(client, job)
    assert first[-1].ok
    assert [type(event) for event in again] == [RunStarted, NodeExecuted, RunFinished]
    assert again[1].ui == {"values": [4], "kind": "toy"}


async def test_another_clients_job_can_be_followed_to_its_end(real):
    async with Client(real.url) as one, Client(real.url) as two:
        job = await one.submit(prompt(SUM))
        await follow(one, job)
        assert (await follow(two, job))[-1].ok


async def test_a_refusal_names_the_nodes(real):
    async with Client(real.url) as client:
        with pytest.raises(Refused) as caught:
            await client.submit(prompt("a = Number 99999999\nb = Show a"))
    (error,) = caught.value.errors
    assert (error.node_id, error.class_type, error.type) == ("a", "Number", "value_bigger_than_max")


async def test_a_failure_is_told_with_its_node(real):
    async with Client(real.url) as client:
        events = await follow(client, await client.submit(prompt("a = Number 1\nf = Fail a\ns = Show f")))
    (failed,) = [event for event in events if isinstance(event, NodeFailed)]
    assert (failed.node_id, failed.message, failed.input_name) == ("f", "It cannot be.", "value")
    assert not events[-1].ok


async def test_a_job_can_be_interrupted(real):
    async with Client(real.url) as client:
        job = await client.submit(prompt(LONG))
        seen = []
        async for event in client.events(job):
            seen.append(event)
            if isinstance(event, NodeProgress) and event.value == 1:
                await client.interrupt(job)
    assert isinstance(seen[-1], RunInterrupted)


async def test_a_lost_connection_is_taken_up_again_and_nothing_of_the_end_is_missed(real):
    async with Client(real.url) as client:
        job = await client.submit(prompt("s1 = Steps 60 0.02\ns = Show s1"))
        seen = []
        async for event in client.events(job):
            seen.append(event)
            if isinstance(event, NodeProgress) and event.value == 1:
                await client._socket.close()
        assert seen[-1].ok
        assert [e.ui["values"] for e in seen if isinstance(e, NodeExecuted) and e.ui] == [[60]]


async def test_a_dying_worker_is_no_more_than_a_second_attempt(real):
    async with Client(real.url) as client:
        job = await client.submit(prompt("s1 = Steps 40 0.02\ns = Show s1"))
        killed = False
        async for event in client.events(job):
            if isinstance(event, NodeProgress) and not killed:
                killed = True
                os.kill(real.worker.pid, signal.SIGKILL)
        assert killed
        assert isinstance(event, RunFinished)
        assert event.ok


async def test_files_are_fetched(real):
    (real.folders.output / "made.png").write_bytes(b"\x89PNG\r\n\x1a\n rest")
    async with Client(real.url) as client:
        file = {"filename": "made.png", "subfolder": "", "type": "output"}
        assert await client.fetch(file) == b"\x89PNG\r\n\x1a\n rest"
        with pytest.raises(ServerError, match=r"none\.png"):
            await client.fetch({"filename": "none.png"})


async def test_no_server_is_one_clear_sentence():
    with pytest.raises(ServerError, match=r"http://127\.0\.0\.1:9 cannot be reached"):
        async with Client("http://127.0.0.1:9"):
            await asyncio.sleep(0)
