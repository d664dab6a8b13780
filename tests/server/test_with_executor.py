"""The server and a real worker process together: whole jobs over HTTP, and the death of the worker in their midst."""

import asyncio
import os
import signal
from collections.abc import Collection
from pathlib import Path
from typing import Any

import pytest

from executor.process import ProcessWorker
from server.keys import STORE, WORKERS
from tests.executor.toys import folders, prompt, talking_worker, toy_worker
from tests.server.conftest import Server
from tests.server.meeting import meeting_worker

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


def meet(name: str, count: int) -> dict[str, Any]:
    """A prompt that ends when `count` of its kind have begun."""
    return {
        "m": {"class_type": "Meet", "inputs": {"name": name, "count": count}},
        "s": {"class_type": "Show", "inputs": {"value": ["m", 0]}},
    }


@pytest.fixture
async def pair(start, tmp_path) -> Server:
    """A server with two worker processes, both loaded."""
    root = tmp_path / "worker"
    root.mkdir()
    folders(root)
    workers = [ProcessWorker(meeting_worker, root, grace=1.0) for _ in range(2)]
    server = await start(workers=workers, worker_deadline=60.0)
    pool = server.app[WORKERS]
    await pool.until(lambda: all(station.ready for station in pool.stations))
    return server


async def begun(root: Path, *names: str, but: Collection[int] = ()) -> dict[str, int]:
    """Who met -> its process, once all `names` did, and none in a process of `but`."""
    met = root / "worker" / "user" / "met"
    for _ in range(6000):
        files = [met / name for name in names]
        texts = [file.read_text() if file.is_file() else "" for file in files]
        if all(texts) and not any(int(text) in but for text in texts):
            return dict(zip(names, map(int, texts), strict=True))
        await asyncio.sleep(0.01)
    raise AssertionError(f"{names} did not meet")


async def test_two_processes_run_two_jobs_at_once(pair: Server, tmp_path):
    jobs = [await pair.queue(meet(name, 2)) for name in ("a", "b")]  # each ends only when the other has begun
    for job in jobs:
        assert (await pair.ended(job))["outputs"]["s"]["values"] == [2]
    pids = [station.worker.pid for station in pair.app[WORKERS].stations]
    assert sorted((await begun(tmp_path, "a", "b")).values()) == sorted(pids)


async def test_a_process_that_is_killed_among_two_costs_only_its_own_job_one_attempt(pair: Server, tmp_path):
    jobs = {name: await pair.queue(meet(name, 3)) for name in ("a", "b")}
    processes = await begun(tmp_path, "a", "b")
    os.kill(processes["b"], signal.SIGKILL)
    assert (await pair.post("/prompt", {"prompt": {}}))[0] == 400  # the other process answers
    again = await begun(tmp_path, "b", but=[processes["b"]])
    assert again["b"] != processes["a"]
    await begun_by_hand(tmp_path)
    for name, attempts in (("a", 1), ("b", 2)):
        assert (await pair.ended(jobs[name]))["status"]["completed"] is True
        record = await pair.app[STORE].get(jobs[name])
        assert record is not None
        assert record.attempt == attempts
    pids = {station.worker.pid for station in pair.app[WORKERS].stations}
    assert pids == {processes["a"], again["b"]}


async def test_an_idle_process_that_is_killed_is_started_again_before_anyone_asks(pair: Server):
    pool = pair.app[WORKERS]
    station = pool.stations[0]
    killed = station.worker.pid
    os.kill(killed, signal.SIGKILL)
    await station.gone.wait()
    await pool.until(lambda: station.ready)
    assert station.worker.pid not in (None, killed)


async def test_an_interrupt_by_id_stops_one_of_two_processes_at_work(pair: Server, tmp_path):
    jobs = [await pair.queue(meet(name, 3)) for name in ("a", "b")]
    await begun(tmp_path, "a", "b")
    await pair.post("/interrupt", {"prompt_id": jobs[0]})
    assert (await pair.ended(jobs[0]))["status"]["messages"][-1][0] == "execution_interrupted"
    await begun_by_hand(tmp_path)
    assert (await pair.ended(jobs[1]))["status"]["completed"] is True


async def begun_by_hand(root: Path) -> None:
    """The third that all wait for."""
    await asyncio.to_thread((root / "worker" / "user" / "met" / "c").write_text, "0")


async def test_what_a_worker_logs_is_in_the_log_of_the_server(start, tmp_path):
    server = await start(ProcessWorker(talking_worker, tmp_path), worker_deadline=60.0)
    await server.get("/object_info")
    _, lines = await server.get("/internal/logs")
    assert "WARNING toys: a word from within\nTraceback" in lines
    assert "ValueError: inside" in lines
