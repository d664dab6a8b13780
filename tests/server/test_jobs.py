"""The job store on its own: order, states, attempts, damage, and a disk that refuses."""

import asyncio
import os
import sqlite3

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.jobs import DuplicateJob, JobResult, JobStore, NewJob, QueueFull, StoreError
from server.queue_order import Move

RESULT = JobResult({"1": {"text": ["é\ud800"]}}, {"1": {}}, [["execution_start", {}]], None)


def new(job_id: str, **more) -> NewJob:
    return NewJob(job_id, {"1": {"class_type": "Save"}}, ("1",), **more)


@pytest.fixture
async def store(tmp_path):
    store = JobStore(tmp_path / "deep" / "heddle.db", max_unfinished=50, max_ended=20)
    assert await store.open() == []
    yield store
    await store.close()


async def reopened(store: JobStore) -> tuple[JobStore, list[str]]:
    """The same file after the process that held it has gone, and the jobs that it gives up."""
    await store.close()
    again = JobStore(store.path)
    return again, [job.job_id for job in await again.open()]


async def test_a_job_keeps_everything_through_its_life_and_a_restart(store):
    assert await store.add(new("a", extra_data={"x": [1]}, client_id="me", number=2.5)) == 2.5
    added = await store.get("a")
    assert (added.state, added.number, added.attempt, added.started) == ("pending", 2.5, 0, None)
    claimed = await store.claim()
    assert (claimed.state, claimed.attempt, claimed.started >= added.created) == ("in_progress", 1, True)
    await store.finish("a", "completed", RESULT)
    again, lost = await reopened(store)
    job = await again.get("a")
    assert lost == []
    assert (job.state, job.prompt, job.targets, job.extra_data) == ("completed", added.prompt, ("1",), {"x": [1]})
    assert (job.client_id, job.result) == ("me", RESULT)
    assert job.created <= job.started <= job.finished
    await again.close()


async def test_the_file_is_written_through_to_the_disk(store):
    assert await store._write(lambda table: table._db.execute("PRAGMA synchronous").fetchone()[0]) == 2  # FULL
    assert await store._write(lambda table: table._db.execute("PRAGMA journal_mode").fetchone()[0]) == "wal"


async def test_what_is_asked_at_the_same_time_is_committed_together_and_each_succeeds_on_its_own(store):
    commits = await store._write(count_commits)
    results = await asyncio.gather(
        *(store.add(new(f"j{n % 40}")) for n in range(50)), store.move(Move("none", "front")), return_exceptions=True
    )
    refused = [result for result in results if isinstance(result, Exception)]
    assert sorted(type(error).__name__ for error in refused) == ["DuplicateJob"] * 10 + ["NotWaiting"]
    assert [job.job_id for job in await store.in_state("pending")] == [f"j{n}" for n in range(40)]
    assert store.remaining == 40
    assert len(commits) < 40


def count_commits(table) -> list[str]:
    """Every COMMIT from now on."""
    commits: list[str] = []
    table._db.set_trace_callback(lambda statement: commits.append(statement) if statement == "COMMIT" else None)
    return commits


async def test_a_defect_in_one_change_undoes_neither_its_neighbours_nor_the_order(store):
    def defect(table):
        table._db.execute("UPDATE jobs SET number = 99")
        raise ZeroDivisionError

    results = await asyncio.gather(
        store.add(new("a")), store._write(defect), store.add(new("b")), return_exceptions=True
    )
    assert isinstance(results[1], ZeroDivisionError)
    pending = await store.in_state("pending")
    assert [(job.job_id, job.number) for job in pending] == [("a", 1), ("b", 2)]


async def test_what_ran_at_a_crash_is_tried_once_more_and_then_given_up(store):
    for name in "ab":
        await store.add(new(name))
    await store.claim()
    again, lost = await reopened(store)
    assert (lost, [job.job_id for job in await again.in_state("pending")]) == ([], ["a", "b"])
    assert (await again.claim()).attempt == 2
    third, lost = await reopened(again)
    assert lost == ["a"]
    assert [job.job_id for job in await third.in_state("pending")] == ["b"]
    await third.close()


async def test_an_orderly_stop_is_no_attempt(store):
    await store.add(new("a"))
    for _ in range(5):
        assert (await store.claim()).attempt == 1
        await store.requeue("a", forgive=True)


async def test_ids_are_taken_once_and_the_queue_has_an_end(store):
    await store.add(new("a"))
    with pytest.raises(DuplicateJob):
        await store.add(new("a"))
    for n in range(49):
        await store.add(new(f"n{n}"))
    with pytest.raises(QueueFull):
        await store.add(new("one too many"))
    assert store.remaining == 50
    assert await store.get("one too many") is None


async def test_an_ended_job_cannot_end_again(store):
    await store.add(new("a"))
    await store.claim()
    await store.finish("a", "completed", RESULT)
    await store.finish("a", "failed", JobResult())
    assert (await store.get("a")).state == "completed"
    assert await store.withdraw(["a"]) == {}


async def test_concurrent_claims_get_different_jobs(store):
    for n in range(20):
        await store.add(new(str(n)))
    claimed = await asyncio.gather(*(store.claim() for _ in range(25)))
    ids = [job.job_id for job in claimed if job]
    assert sorted(ids, key=int) == [str(n) for n in range(20)]
    assert claimed.count(None) == 5


async def test_a_damaged_file_is_moved_aside_and_said(tmp_path, caplog):
    path = tmp_path / "heddle.db"
    path.write_bytes(b"this is no database" * 500)
    store = JobStore(path)
    await store.open()
    await store.add(new("a"))
    await store.close()
    [aside] = tmp_path.glob("heddle.db.damaged-*")
    assert aside.read_bytes().startswith(b"this is no database")
    assert "damaged" in caplog.text


async def test_a_file_of_a_newer_version_is_left_alone(tmp_path):
    path = tmp_path / "heddle.db"
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA user_version = 99")
    database.close()
    before = path.read_bytes()
    store = JobStore(path)
    with pytest.raises(StoreError, match="written by a newer Heddle"):
        await store.open()
    await store.close()
    assert path.read_bytes() == before


async def test_a_disk_that_refuses_is_named_and_nothing_is_half_done(store):
    await store.add(new("before"))
    await store._write(lambda table: table._db.execute("PRAGMA max_page_count = 1"))
    with pytest.raises(StoreError, match=r"heddle\.db.*full"):
        await store.add(new("big", extra_data={"x": "y" * 500_000}))
    await store._write(lambda table: table._db.execute("PRAGMA max_page_count = 100000"))
    assert [job.job_id for job in await store.in_state("pending")] == ["before"]
    await store.add(new("after"))
    assert store.remaining == 2


async def test_a_second_server_is_refused_and_changes_nothing(store):
    await store.add(new("a"))
    await store.claim()
    second = JobStore(store.path)
    with pytest.raises(StoreError, match=rf"in use by another Heddle \(process {os.getpid()}\)"):
        await second.open()
    await second.close()
    assert [job.job_id for job in await store.in_state("in_progress")] == ["a"]
    again, _ = await reopened(store)
    await again.close()


OPERATIONS = st.lists(
    st.sampled_from(["add", "front", "claim", "complete", "fail", "withdraw", "forget", "requeue", "restart"]),
    max_size=30,
)


@settings(max_examples=30)
@given(operations=OPERATIONS)
def test_every_accepted_job_is_in_exactly_one_state_and_runs_in_order(operations, tmp_path_factory):
    asyncio.run(play(operations, tmp_path_factory.mktemp("jobs") / "heddle.db"))


def ids(jobs) -> bytes:
    return b" ".join(job.job_id for job in jobs)


async def play(operations: list[str], path) -> None:
    """Do the operations on a store and on a plain model of it; both must agree after each."""
    store = JobStore(path)
    await store.open()
    pending: list[str] = []
    running: dict[str, int] = {}
    attempts: dict[str, int] = {}
    ended: list[str] = []
    for step, operation in enumerate(operations):
        name = f"job{step}"
        if operation in ("add", "front"):
            await store.add(new(name, front=operation == "front"))
            pending.insert(0 if operation == "front" else len(pending), name)
        elif operation == "claim" and not running:
            job = await store.claim()
            assert (job.job_id if job else None) == (pending[0] if pending else None)
            if job:
                running[pending.pop(0)] = attempts[job.job_id] = attempts.get(job.job_id, 0) + 1
        elif operation in ("complete", "fail") and running:
            [name] = running
            await store.finish(name, "completed" if operation == "complete" else "failed", RESULT)
            ended.append(name)
            running.clear()
        elif operation == "requeue" and running:
            [name] = running
            await store.requeue(name)
            running.clear()
            pending = [job.job_id for job in await store.in_state("pending")]
            assert name in pending
        elif operation == "withdraw" and pending:
            gone = pending.pop()
            assert list(await store.withdraw([gone])) == [gone]
        elif operation == "forget":
            await store.forget()
            ended.clear()
        elif operation == "restart":
            store, lost = await reopened(store)
            assert lost == [name for name in running if attempts[name] >= 2]
            for name in lost:
                await store.finish(name, "failed", JobResult())
                ended.append(name)
            running.clear()
            pending = [job.job_id for job in await store.in_state("pending")]
        assert [job.job_id for job in await store.in_state("pending")] == pending
        assert [job.job_id for job in await store.in_state("in_progress")] == list(running)
        assert [name async for page in store.ended(ids) for name in page.split(b" ")] == [it.encode() for it in ended]
        assert await store.count() == len(pending) + len(running)
    await store.close()
