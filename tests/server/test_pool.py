"""Several workers: who runs which job, what each of them answers, and what the death of one costs."""

import asyncio
from typing import Any

import pytest

from executor.packs import PackMessage
from executor.worker import WorkerLost
from server.affinity import LOADER, Remembered, traits_of
from server.keys import WORKERS
from server.pool import WorkerPool
from tests.server.conftest import Server
from tests.server.fake_worker import DEFINITIONS, FakeWorker

WAIT = {"1": {"class_type": "Wait", "inputs": {}}}
SAVE = {"1": {"class_type": "Save", "inputs": {"name": "a"}}}
DIE = {"5": {"class_type": "Die", "inputs": {"times": 1}}}


def meet(name: str) -> dict[str, Any]:
    return {"1": {"class_type": "Meet", "inputs": {"name": name}}}


@pytest.fixture
async def two(start) -> tuple[Server, FakeWorker, FakeWorker]:
    """A server with two workers that are ready."""
    workers = FakeWorker(device="one"), FakeWorker(device="two")
    server = await start(workers=workers)
    await ready(server, 2)
    return server, *workers


async def ready(server: Server, count: int) -> None:
    pool = server.app[WORKERS]
    await pool.until(lambda: sum(station.ready for station in pool.stations) == count)


async def running(server: Server, count: int) -> list[str]:
    """The ids in `queue_running` once there are so many, and all of them have reached their worker."""
    for _ in range(500):
        _, queue = await server.get("/queue")
        begun = [station.worker._stops for station in server.app[WORKERS].stations]
        if len(queue["queue_running"]) == sum(map(len, begun)) == count:
            return [item[1] for item in queue["queue_running"]]
        await asyncio.sleep(0.01)
    raise AssertionError(f"{queue['queue_running']} run")


def ran(worker: FakeWorker) -> list[str]:
    return [job.job_id for job in worker.jobs]


async def test_two_workers_run_two_jobs_at_once(two):
    server, first, second = two
    first.barrier = second.barrier = asyncio.Barrier(2)  # passed only by two jobs that run at the same time
    jobs = [await server.queue(meet(name)) for name in "ab"]
    for job in jobs:
        assert (await server.ended(job))["status"]["completed"] is True
    assert [ran(first), ran(second)] == [[jobs[0]], [jobs[1]]]


async def test_one_worker_runs_as_many_jobs_at_once_as_it_may(start):
    server = await start(FakeWorker(room=2), jobs_per_worker=2)
    jobs = [await server.queue(meet(name)) for name in "ab"]
    for job in jobs:
        assert (await server.ended(job))["status"]["completed"] is True
    assert ran(server.worker) == jobs


async def test_the_queue_shows_all_that_runs_and_a_third_job_waits(two):
    server, first, second = two
    jobs = [await server.queue(WAIT) for _ in range(3)]
    assert await running(server, 2) == jobs[:2]
    _, queue = await server.get("/queue")
    assert [item[1] for item in queue["queue_pending"]] == jobs[2:]
    _, health = await server.get("/health")
    shown = [(worker["state"], worker["running"]) for worker in health["workers"]]
    assert shown == [("ready", [jobs[0]]), ("ready", [jobs[1]])]
    assert health["running"] == jobs[0]
    second.released.set()
    assert (await server.ended(jobs[1]))["status"]["completed"] is True
    assert (await server.ended(jobs[2]))["status"]["completed"] is True
    assert ran(second) == jobs[1:]
    first.released.set()


def loading(model: str, *texts: str) -> dict[str, Any]:
    """A prompt that loads a model, if it is named, and has some texts."""
    nodes: dict[str, Any] = {"load": {"class_type": "Load", "inputs": {"ckpt_name": model}}} if model else {}
    nodes |= {f"t{text}": {"class_type": "Text", "inputs": {"text": text}} for text in texts}
    return nodes | {"save": {"class_type": "Save", "inputs": {"name": model + "".join(texts)}}}


MANY = tuple(f"text {n}" for n in range(LOADER // 2))

AFFINITY = {
    "a model stays where it is": ([("a", "1"), ("b", "1"), ("a", "2"), ("b", "2"), ("b", "3"), ("a", "3")], "010110"),
    "one model needs one worker": ([("a", "1"), ("a", "2"), ("a", "3")], "000"),
    "what nobody knows goes where it is longest ago": ([("a", "1"), ("b", "2"), ("c", "3"), ("d", "4")], "0101"),
    "a model counts more than many texts": ([("a", *MANY), ("b", "1"), ("b", *MANY)], "011"),
    "texts count where no model does": ([("", "1", "2", "3"), ("", "9"), ("", "2", "3")], "010"),
    "of two that know as much, the last": ([("", "1"), ("", "2"), ("", "1", "2")], "011"),
}


@pytest.mark.parametrize("name", AFFINITY)
async def test_a_job_goes_to_the_worker_that_remembers_most_of_it(two, name):
    server, *workers = two
    prompts, expected = AFFINITY[name]
    chosen = ""
    for model, *texts in prompts:
        job = await server.queue(loading(model, *texts))
        await server.ended(job)
        chosen += str([job in ran(worker) for worker in workers].index(True))
    assert chosen == expected


async def test_a_busy_worker_is_not_waited_for(two):
    server, first, second = two
    job = await server.queue(loading("a", "1") | {"w": {"class_type": "Wait", "inputs": {}}})
    await running(server, 1)
    again = await server.queue(loading("a", "2"))
    await server.ended(again)
    assert [ran(first), ran(second)] == [[job], [again]]
    first.released.set()


def test_what_a_worker_remembers_is_bounded_and_links_are_no_part_of_it():
    linked = {"1": {"class_type": "Save", "inputs": {"name": ["9", 0]}}}
    assert traits_of(linked, DEFINITIONS) == traits_of({"2": {"class_type": "Save", "inputs": {}}}, DEFINITIONS)
    assert list(traits_of(loading("a"), DEFINITIONS).values()) == [LOADER, 1]
    remembered = Remembered()
    for n in range(20_000):
        remembered.add({n: 1})
    assert remembered.share(dict.fromkeys(range(20_000), 1)) == 8192
    assert remembered.share({19_999: 5, 0: 7}) == 5


@pytest.mark.parametrize("odd", [None, 3, {}, {"class_type": ["x"]}, {"class_type": "Text", "inputs": [1]}])
def test_odd_nodes_have_traits_too(odd):
    traits_of({"1": odd}, DEFINITIONS)


async def test_an_interrupt_reaches_the_worker_that_runs_the_job(two):
    server, first, second = two
    jobs = [await server.queue(WAIT) for _ in range(2)]
    await running(server, 2)
    await server.post("/interrupt", {"prompt_id": jobs[1]})
    assert (await server.ended(jobs[1]))["status"]["messages"][-1][0] == "execution_interrupted"
    assert (first.calls, second.calls) == ([], [("interrupt", jobs[1])])
    assert await running(server, 1) == jobs[:1]
    first.released.set()
    assert (await server.ended(jobs[0]))["status"]["completed"] is True


async def test_an_interrupt_without_an_id_stops_everything(two):
    server, *_ = two
    jobs = [await server.queue(WAIT) for _ in range(2)]
    await running(server, 2)
    await server.post("/interrupt")
    for job in jobs:
        assert (await server.ended(job))["status"]["messages"][-1][0] == "execution_interrupted"


async def test_a_dying_worker_costs_only_its_own_job_one_attempt(two):
    server, first, second = two
    waiting = await server.queue(WAIT)
    await running(server, 1)
    dying = await server.queue(DIE)
    # The next attempt is on whichever worker is free; each of them counts its own deaths.
    second.released.set()
    assert (await server.ended(dying))["status"]["completed"] is True
    assert await running(server, 1) == [waiting]
    first.released.set()
    assert (await server.ended(waiting))["status"]["completed"] is True
    assert [ran(first), ran(second)] == [[waiting], [dying, dying]]


async def test_an_idle_worker_that_dies_is_started_again_before_anyone_asks(two):
    server, first, _ = two
    loaded = first.asked_definitions
    first._loading = asyncio.Event()
    first.killed.set()
    pool = server.app[WORKERS]
    await pool.stations[0].gone.wait()
    assert [worker["state"] for worker in (await server.get("/health"))[1]["workers"]] == ["starting", "ready"]
    job = await server.queue(SAVE)
    assert (await server.ended(job))["status"]["completed"] is True  # on the one that lives
    first._loading.set()
    await ready(server, 2)
    assert first.asked_definitions == loaded + 1


async def test_a_worker_that_dies_again_and_again_is_started_more_and_more_slowly(monkeypatch):
    monkeypatch.setattr("server.pool._QUICK_DEATHS", 2)
    pauses = []

    async def pause(seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr("server.pool.asyncio.sleep", pause)
    worker = FakeWorker()
    pool = WorkerPool([worker])
    pool.start()
    for _ in range(5):
        await pool.until(lambda: pool.stations[0].ready)
        worker.killed.set()
        await pool.stations[0].gone.wait()
    await pool.until(lambda: pool.stations[0].ready)
    await pool.close()
    assert pauses == [1, 2, 4, 8]


async def test_a_job_that_kills_its_worker_every_time_cannot_take_others_with_it(start):
    server = await start(FakeWorker(room=3), jobs_per_worker=3)
    waiting = [await server.queue(WAIT) for _ in range(2)]
    await running(server, 2)
    poison = await server.queue({"5": {"class_type": "Die", "inputs": {"times": 9}}}, front=True)
    assert "died 2 times" in (await server.ended(poison))["status"]["messages"][-1][1]["exception_message"]
    server.worker.released.set()
    for job in waiting:
        assert (await server.ended(job))["status"]["completed"] is True
    assert ran(server.worker) == [*waiting, poison, poison, *waiting]


async def test_a_worker_that_cannot_start_leaves_the_work_to_the_other(start):
    good = FakeWorker()
    server = await start(workers=(FakeWorker(broken="no driver"), good))
    jobs = [await server.queue(SAVE | {"2": {"class_type": "Text", "inputs": {"text": n}}}) for n in range(3)]
    for job in jobs:
        assert (await server.ended(job))["status"]["completed"] is True
    assert ran(good) == jobs
    states = [worker["state"] for worker in (await server.get("/health"))[1]["workers"]]
    assert states == ["no driver", "ready"]
    assert (await server.get("/health"))[1]["worker"] == "ready"


async def test_a_worker_that_still_loads_is_given_nothing_yet(start):
    loading_now = asyncio.Event()
    first, second = FakeWorker(), FakeWorker(loading=loading_now)
    server = await start(workers=(first, second))
    await ready(server, 1)
    jobs = [await server.queue(WAIT) for _ in range(2)]
    assert await running(server, 1) == jobs[:1]
    loading_now.set()
    assert await running(server, 2) == jobs
    assert ran(second) == jobs[1:]
    first.released.set()
    second.released.set()


async def test_system_stats_list_every_device_once(start):
    server = await start(workers=[FakeWorker(device=name) for name in ("one", "two", "one")])
    await ready(server, 3)
    _, stats = await server.get("/system_stats")
    assert [device["name"] for device in stats["devices"]] == ["one", "two"]


async def test_all_workers_free_what_they_hold(two):
    server, *workers = two
    await server.post("/free", {"free_memory": True})
    await asyncio.sleep(0)
    assert [worker.calls for worker in workers] == [[("free", (True, True))]] * 2


async def test_a_question_goes_to_a_worker_that_lives(two):
    server, first, second = two
    first.invalid.append(WorkerLost("signal 9"))
    job = await server.queue(SAVE)
    assert (await server.ended(job))["status"]["completed"] is True
    second.invalid.append(WorkerLost("signal 9"))
    first.invalid.append(WorkerLost("signal 9"))
    assert (await server.post("/prompt", {"prompt": {}}))[0] == 400


async def test_a_late_listener_learns_of_all_its_jobs(two):
    server, *workers = two
    jobs = [await server.queue(WAIT, client_id="late") for _ in range(2)]
    await running(server, 2)
    async with server.listen("late") as listener:
        told = [(await listener.next())["data"]["prompt_id"] for _ in range(4)]
    assert told == [jobs[0], jobs[0], jobs[1], jobs[1]]
    for worker in workers:
        worker.released.set()


async def test_packs_of_every_worker_are_heard(two):
    server, *workers = two
    async with server.listen("me") as listener:
        for number, worker in enumerate(workers):
            await worker.said.put(PackMessage("toy", number))
        assert sorted([(await listener.next())["data"] for _ in workers]) == [0, 1]


async def test_the_pool_says_that_no_worker_starts_only_when_none_does():
    loading_now = asyncio.Event()
    pool = WorkerPool([FakeWorker(broken="a"), FakeWorker(loading=loading_now)])
    pool.start()
    await pool.until(lambda: pool.stations[0].failure is not None)
    assert pool.failure is None
    loading_now.set()
    await pool.room()
    assert pool.failure is None
    await pool.close()
    broken = WorkerPool([FakeWorker(broken="a"), FakeWorker(broken="b")])
    broken.start()
    await broken.until(lambda: broken.failure is not None)
    assert broken.failure == "a"
    await broken.close()
