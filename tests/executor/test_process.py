"""The worker in a process of its own: it answers like the local one, and its death costs only itself. Real kills."""

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import time
from multiprocessing.popen_fork import Popen
from pathlib import Path

import pytest

from executor.events import NodeFailed, NodePreview, NodeProgress, NodeStarted, RunFinished, RunInterrupted
from executor.process import ProcessWorker
from executor.worker import Job, WorkerLost
from tests.executor.toys import broken_worker, definitions, prompt, report, run, shown, talking_worker, toy_worker

SUM = "a = Number 3\nb = Add a 1\ns = Show b"
LONG = "s1 = Steps 1000 0.02\ns = Show s1"
STUCK = "a = Number 1\nh = Held a\ns = Show h"
"""`Held` waits five minutes for a gate that nobody opens, and asks nobody whether it should stop."""


@pytest.fixture
async def worker(tmp_path):
    worker = ProcessWorker(toy_worker, tmp_path, grace=1.0)
    yield worker
    await worker.close()


async def start_job(worker, text, until=None):
    """The job's iterator, with its first node (or the node `until`) begun, and that node's id."""
    job = worker.run(Job("job", prompt(text)))
    async for event in job:
        if isinstance(event, NodeStarted) and until in (None, event.node_id):
            return job, event.node_id
    raise AssertionError("no node started")


async def drain(job):
    """The rest of a job's events."""
    return [event async for event in job]


def gone(pid):
    """Whether the process ends within a minute."""
    for _ in range(1200):
        if not Path(f"/proc/{pid}").exists() or Path(f"/proc/{pid}/stat").read_text().split(")")[1].split()[0] == "Z":
            return True
        time.sleep(0.05)
    return False


async def test_it_answers_like_the_local_worker(worker, tmp_path):
    local = toy_worker(tmp_path)
    assert await worker.definitions() == definitions()
    assert await worker.report() == report()
    assert await worker.validate(prompt("s = Show")) == await local.validate(prompt("s = Show"))
    events = await run(worker, SUM)
    assert shown(events) == {"s": [4]}
    assert events[-1].executed == ("a", "b", "s")
    assert (await run(worker, SUM))[-1].executed == ()
    await worker.free(unload_models=True, free_memory=True)
    assert len((await run(worker, SUM))[-1].executed) == 3
    failed = await run(worker, "a = Number 1\nf = Fail a\ns = Show f")
    assert [(event.node_id, event.input_name) for event in failed if isinstance(event, NodeFailed)] == [("f", "value")]
    await local.close()


async def test_calls_are_answered_while_a_job_runs_and_while_the_worker_loads(worker):
    assert worker.pid is None
    asked = asyncio.create_task(worker.validate(prompt(SUM)))
    job, _ = await start_job(worker, LONG)
    assert (await asked).outputs == ("s",)
    assert (await worker.report()).versions == {"toys": "1"}
    assert worker.pid != os.getpid()
    with pytest.raises(RuntimeError, match="still running"):
        await run(worker, SUM)
    await job.aclose()
    assert shown(await run(worker, SUM)) == {"s": [4]}


async def test_an_interrupted_job_ends_and_the_process_lives_on(worker):
    job, node_id = await start_job(worker, LONG)
    pid = worker.pid
    assert await worker.interrupt("another job") is False
    assert await worker.interrupt("job") is True
    rest = await drain(job)
    assert rest[-1] == RunInterrupted(node_id, ())
    assert all(isinstance(event, NodeProgress | NodePreview) for event in rest[:-1])
    assert await worker.interrupt() is False
    assert shown(await run(worker, SUM)) == {"s": [4]}
    assert worker.pid == pid


async def test_a_node_that_does_not_answer_an_interruption_loses_its_process(worker):
    job, _ = await start_job(worker, STUCK, until="h")
    pid = worker.pid
    assert await worker.interrupt()
    rest = await drain(job)
    assert rest == [RunInterrupted("h", ("a",))]
    assert gone(pid)
    assert shown(await run(worker, SUM)) == {"s": [4]}
    assert worker.pid not in (None, pid)


async def test_a_killed_process_loses_its_job_and_every_call_and_the_next_call_starts_another(worker):
    job, _ = await start_job(worker, STUCK, until="h")
    pid = worker.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)  # so that the call is still open when the process dies
    asked = asyncio.create_task(worker.report())
    await asyncio.sleep(0.1)
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(WorkerLost, match=f"pid {pid}.*SIGKILL.*memory"):
        await drain(job)
    with pytest.raises(WorkerLost, match="SIGKILL"):
        await asked
    assert shown(await run(worker, SUM)) == {"s": [4]}
    assert worker.pid not in (None, pid)


async def test_a_job_given_to_the_successor_finishes(worker):
    """What the server's dispatcher does with a lost job."""
    job, _ = await start_job(worker, LONG)
    os.kill(worker.pid, signal.SIGKILL)
    with pytest.raises(WorkerLost):
        await drain(job)
    events = await run(worker, "s1 = Steps 3 0.01\ns = Show s1")
    assert shown(events) == {"s": [3]}
    assert isinstance(events[-1], RunFinished)


async def test_a_factory_that_raises_says_why_each_time():
    worker = ProcessWorker(broken_worker, "no weights in /nowhere")
    for _ in range(2):
        with pytest.raises(WorkerLost, match="could not be made: FileNotFoundError: no weights in /nowhere"):
            await worker.definitions()
    await worker.close()


async def test_an_interruption_while_the_worker_loads_ends_the_job(tmp_path):
    worker = ProcessWorker(toy_worker, tmp_path)
    job = asyncio.create_task(run(worker, LONG))
    while worker.pid is None:  # noqa: ASYNC110 - the process has no event for its birth
        await asyncio.sleep(0.005)
    assert await worker.interrupt("job")
    assert await job == [RunInterrupted(None, ())]
    assert shown(await run(worker, SUM)) == {"s": [4]}
    await worker.close()


async def test_a_process_that_another_thread_has_reaped_and_not_yet_noted_is_lost_like_any_other(worker, monkeypatch):
    """As happens when the successor of a process is started while it ends."""
    poll, reaped, hidden = Popen.poll, [], 5

    def late(self, flag=os.WNOHANG):
        if not reaped:
            code = poll(self, flag)
            if code is None:
                return None
        else:
            code = reaped[0]
        reaped.append(code)
        self.returncode = code if len(reaped) > hidden else None
        return self.returncode

    job, _ = await start_job(worker, LONG)
    monkeypatch.setattr(Popen, "poll", late)
    os.kill(worker.pid, signal.SIGKILL)
    with pytest.raises(WorkerLost, match="SIGKILL"):
        await drain(job)
    assert len(reaped) > hidden


async def test_closing_ends_the_process_even_if_a_node_is_stuck(tmp_path):
    worker = ProcessWorker(toy_worker, tmp_path)
    job, _ = await start_job(worker, STUCK, until="h")
    pid = worker.pid
    await worker.close()
    assert gone(pid)
    with pytest.raises(WorkerLost):
        await drain(job)
    with pytest.raises(WorkerLost, match="closed"):
        await worker.report()


async def test_ctrl_c_does_not_reach_the_worker(worker):
    await worker.definitions()
    os.kill(worker.pid, signal.SIGINT)
    assert shown(await run(worker, SUM)) == {"s": [4]}


def test_the_process_ends_when_its_parent_is_killed(tmp_path):
    program = textwrap.dedent("""
        import asyncio, sys
        from pathlib import Path
        from executor.process import ProcessWorker
        from executor.worker import Job
        from tests.executor.toys import prompt, toy_worker

        async def main():
            worker = ProcessWorker(toy_worker, Path(sys.argv[1]))
            async for event in worker.run(Job("job", prompt("a = Number 1\\nh = Held a\\ns = Show h"))):
                print(worker.pid, flush=True)

        if __name__ == "__main__":
            asyncio.run(main())
    """)
    script = tmp_path / "parent.py"
    script.write_text(program)
    environment = {**os.environ, "PYTHONPATH": str(Path.cwd())}
    parent = subprocess.Popen(
        [sys.executable, script, tmp_path], stdout=subprocess.PIPE, text=True, env=environment, cwd=Path.cwd()
    )
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    parent.stdout.close()
    assert gone(pid)


def test_the_carrier_loads_no_torch_and_no_node():
    program = "import sys, executor.process; print(*sorted({'torch', 'aiohttp', 'nodes', 'networkx'} & {*sys.modules}))"
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert answer.stdout.split() == []


class Unreadable:
    """Can be sent, but not read."""

    def __reduce__(self):
        return unreadable, ()


def unreadable():
    raise ValueError("no such class here")


class Garbler:
    """A worker whose report cannot be read in another process."""

    async def report(self):
        return Unreadable()

    async def messages(self):
        return
        yield

    async def close(self):
        pass


async def test_a_message_that_cannot_be_read_ends_the_process_instead_of_hanging_it():
    worker = ProcessWorker(Garbler)
    with pytest.raises(WorkerLost, match=r"unreadable.*no such class here"):
        await worker.report()
    await worker.close()


async def test_several_jobs_run_at_once_and_each_hears_its_own_events(worker):
    one, node = await start_job(worker, LONG)
    two = [event async for event in worker.run(Job("two", prompt(SUM)))]
    assert shown(two) == {"s": [4]}
    assert await worker.interrupt("job")
    rest = await drain(one)
    assert isinstance(rest[-1], RunInterrupted)
    assert {event.node_id for event in rest[:-1]} <= {node}


async def test_a_dying_process_is_told_to_every_job_in_it(worker):
    one, _ = await start_job(worker, LONG)
    two = worker.run(Job("two", prompt(LONG.replace("1000", "900"))))
    await anext(two)
    os.kill(worker.pid, signal.SIGKILL)
    for job in (one, two):
        with pytest.raises(WorkerLost, match="SIGKILL"):
            await drain(job)
    assert shown(await run(worker, SUM)) == {"s": [4]}


async def test_a_process_that_is_well_says_so_and_one_that_hangs_is_silent(worker):
    assert worker.silent() is None
    await worker.definitions()

    async def until(holds):
        async with asyncio.timeout(60):
            while not holds(worker.silent()):  # noqa: ASYNC110 - a clock is what is watched
                await asyncio.sleep(0.05)

    assert worker.pid is not None
    os.kill(worker.pid, signal.SIGSTOP)
    await until(lambda silent: silent > 2.5)
    os.kill(worker.pid, signal.SIGCONT)
    await until(lambda silent: silent < 1)


async def test_what_it_logs_is_logged_here(tmp_path, caplog):
    worker = ProcessWorker(talking_worker, tmp_path)
    await worker.definitions()
    await worker.close()
    [record] = [record for record in caplog.records if record.name == "toys"]
    assert record.levelname == "WARNING"
    assert record.getMessage().startswith("a word from within\nTraceback")
    assert "ValueError: inside" in record.getMessage()
