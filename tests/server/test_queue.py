"""The queue in a user's hands: jobs are cancelled, moved and held back, over restarts and crashes too."""

import asyncio
import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.keys import DISPATCHER, STORE
from server.queue_order import Move, NotWaiting, renumbered
from tests.server.conftest import Server

SAVE = {"1": {"class_type": "Save", "inputs": {"name": "a"}}}
WAIT = {"1": {"class_type": "Wait", "inputs": {}}}


async def pending(server: Server) -> list[str]:
    return [item[1] for item in (await server.get("/queue"))[1]["queue_pending"]]


async def state_of(server: Server, job_id: str) -> str:
    return (await server.get(f"/jobs/{job_id}"))[1]["status"]


@pytest.mark.parametrize(
    ("path", "body"), [("/jobs/chosen/cancel", None), ("/jobs/cancel", {"job_ids": ["chosen", "unknown", "chosen"]})]
)
async def test_a_running_job_is_cancelled_and_its_client_hears_of_the_end(server: Server, path, body):
    async with server.listen("me") as listener:
        await server.queue(WAIT, client_id="me", prompt_id="chosen")
        await server.queue(SAVE, prompt_id="next")
        await listener.until("executing")
        assert await server.post(path, body) == (200, {"cancelled": True})
        types = [message["type"] for message in await listener.until_end()]
    assert [it for it in types if it != "status"] == ["execution_interrupted", "executing"]
    assert (await server.ended("next"))["status"]["completed"] is True
    assert await state_of(server, "chosen") == "cancelled"
    assert await server.post(path, body) == (200, {"cancelled": False})
    listed = (await server.get("/jobs?status=cancelled"))[1]
    assert [job["id"] for job in listed["jobs"]] == ["chosen"]


async def test_a_pending_job_is_cancelled_and_its_client_hears_of_the_end(server: Server):
    blocker = await server.queue(WAIT)
    await server.started()
    async with server.listen("me") as listener:
        await server.queue(SAVE, client_id="me", prompt_id="chosen")
        assert await server.post("/jobs/chosen/cancel") == (200, {"cancelled": True})
        heard = await listener.until_end()
    [interrupted] = [message["data"] for message in heard if message["type"] == "execution_interrupted"]
    assert (interrupted["prompt_id"], interrupted["node_id"]) == ("chosen", None)
    assert await pending(server) == []
    assert await state_of(server, "chosen") == "cancelled"
    server.worker.released.set()
    await server.ended(blocker)
    assert [job.job_id for job in server.worker.jobs] == [blocker]


async def test_a_job_that_is_cancelled_on_its_way_to_a_worker_never_runs(start):
    server = await start()
    dispatcher, store = server.app[DISPATCHER], server.app[STORE]
    await server.post("/queue", {"pause": True})
    await server.queue(SAVE, prompt_id="early")
    await store.pause(False)
    claimed = await store.claim()  # as the dispatcher does, before it has found a worker
    assert claimed is not None
    assert await dispatcher.cancel(["early"]) == ["early"]
    await store.requeue("early", forgive=True)
    dispatcher.wake()
    assert (await server.ended("early"))["status"]["messages"][-1][0] == "execution_interrupted"
    assert server.worker.jobs == []


async def test_a_paused_queue_begins_nothing_until_it_is_resumed(server: Server):
    async with server.listen("me") as listener:
        blocker = await server.queue(WAIT, prompt_id="running")
        await server.started()
        assert (await server.post("/queue", {"pause": True}))[0] == 200
        server.worker.released.set()
        assert (await server.ended(blocker))["status"]["completed"] is True  # what runs goes on
        await server.queue(SAVE, client_id="me", prompt_id="held")
        assert await pending(server) == ["held"]
        assert (await server.get("/queue"))[1]["queue_paused"] is True
        assert (await server.get("/prompt"))[1]["exec_info"] == {"queue_remaining": 1, "queue_paused": True}
        await asyncio.sleep(0.05)
        assert [job.job_id for job in server.worker.jobs] == ["running"]
        await server.post("/queue", {"pause": False})
        heard = await listener.until_end()
    assert (await server.ended("held"))["status"]["completed"] is True
    told = [it["data"]["status"]["exec_info"]["queue_paused"] for it in listener.heard if it["type"] == "status"]
    assert told[0] is False
    assert True in told
    assert heard[-2]["data"]["status"]["exec_info"] == {"queue_remaining": 0, "queue_paused": False}


async def test_a_queue_stays_paused_over_a_restart(start):
    server = await start()
    await server.post("/queue", {"pause": True})
    await server.queue(SAVE, prompt_id="held")
    await server.app.shutdown()
    await server.app.cleanup()
    again = await start()
    assert (await again.get("/queue"))[1]["queue_paused"] is True
    async with again.listen() as listener:
        assert listener.heard[0]["data"]["status"]["exec_info"]["queue_paused"] is True
    assert await pending(again) == ["held"]
    await again.post("/queue", {"pause": False})
    assert (await again.ended("held"))["status"]["completed"] is True


async def test_waiting_jobs_are_moved_and_run_in_their_new_order(server: Server):
    await server.post("/queue", {"pause": True})
    for name in "abcd":
        await server.queue(SAVE, prompt_id=name)

    async def check(move: dict, expected: str) -> None:
        assert (await server.post("/queue", {"move": move}))[0] == 200
        assert "".join(await pending(server)) == expected

    await check({"prompt_id": "d", "to": "front"}, "dabc")
    await check({"prompt_id": "d", "to": "back"}, "abcd")
    await check({"prompt_id": "c", "before": "b"}, "acbd")
    await check({"prompt_id": "a", "after": "b"}, "cbad")
    await check({"prompt_id": "c", "number": 1000}, "badc")
    await check({"prompt_id": "c", "before": "c"}, "badc")
    await server.queue(SAVE, prompt_id="e")
    assert await pending(server) == ["b", "a", "d", "e", "c"]
    status, answer = await server.post("/queue", {"move": {"prompt_id": "a", "after": "gone"}})
    assert (status, answer["error"]["message"]) == (404, "No job 'gone' is waiting.")
    await server.post("/queue", {"pause": False})
    await server.ended("c")
    assert [job.job_id for job in server.worker.jobs] == ["b", "a", "d", "e", "c"]


NUMBERS = st.one_of(st.sampled_from([0.0, 1.0, -1.0, 1e15, -1e15]), st.floats(-1e15, 1e15))


@given(numbers=st.lists(NUMBERS, min_size=1, max_size=8), data=st.data())
def test_any_move_gives_the_order_that_was_asked_for(numbers, data):
    waiting = [(f"job{at}", number) for at, number in enumerate(sorted(numbers))]
    names = [name for name, _ in waiting]
    chosen = data.draw(st.sampled_from(names))
    place = data.draw(st.sampled_from(["front", "back", "before", "after"]))
    neighbour = data.draw(st.sampled_from(names)) if place in ("before", "after") else None
    changed = renumbered(waiting, Move(chosen, place, neighbour))
    after = [(changed.get(name, number), at, name) for at, (name, number) in enumerate(waiting)]
    found = [name for *_, name in sorted(after)]
    expected = [name for name in names if name != chosen]
    if neighbour == chosen:
        expected = names
    else:
        at = {"front": 0, "back": len(expected)}.get(place)
        expected.insert(expected.index(neighbour) + (place == "after") if at is None else at, chosen)
    assert found == expected
    assert all(math.isfinite(number) for number, *_ in after)


def test_a_place_between_the_same_two_neighbours_is_found_for_ever():
    waiting = [(name, float(at)) for at, name in enumerate("abc")]
    for turn in itertools.islice(itertools.cycle("ca"), 300):
        changed = renumbered(waiting, Move(turn, "after", "b") if turn == "a" else Move(turn, "before", "b"))
        waiting = sorted(((name, changed.get(name, number)) for name, number in waiting), key=lambda it: it[1])
        assert len({number for _, number in waiting}) == 3
    with pytest.raises(NotWaiting, match="z"):
        renumbered(waiting, Move("z", "front"))


async def test_ids_are_checked_for_being_uuids_only_where_that_was_asked_for(start, tmp_path):
    strict = await start(uuid_prompt_ids=True)
    status, answer = await strict.post("/prompt", {"prompt": SAVE, "prompt_id": "mine"})
    assert (status, answer["error"]["type"]) == (400, "invalid_prompt_id")
    status, _ = await strict.post("/prompt", {"prompt": SAVE, "prompt_id": "9F9619FF-8B86-4011-B42D-00CF4FC964FF"})
    assert status == 400
    good = "9f9619ff-8b86-4011-b42d-00cf4fc964ff"
    assert await strict.queue(SAVE, prompt_id=good) == good
    assert await strict.queue(SAVE, prompt_id=None)
    lax = await start(base=tmp_path / "lax")
    assert await lax.queue(SAVE, prompt_id="mine") == "mine"


async def test_the_queue_is_told_whole_however_long_it_is(server: Server):
    await server.post("/queue", {"pause": True})
    names = [await server.queue(SAVE) for _ in range(300)]
    assert await pending(server) == names
    _, body = await server.get("/queue")
    number, _, prompt, extra_data, outputs = body["queue_pending"][-1]
    assert (number, prompt, outputs, list(extra_data)) == (300, SAVE, ["1"], ["create_time"])
    listed = (await server.get("/jobs?status=pending&limit=2"))[1]
    assert [job["id"] for job in listed["jobs"]] == [names[-1], names[-2]]
    assert listed["pagination"] == {"offset": 0, "limit": 2, "total": 300, "has_more": True}
