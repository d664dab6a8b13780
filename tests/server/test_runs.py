"""What sockets hear of a run, in which order, and what the history keeps of it."""

import asyncio
import json
import struct

import pytest

from server.jobs import JobStore
from server.keys import STORE
from tests.server.conftest import Server
from tests.server.fake_worker import JPEG

SAVE = {"1": {"class_type": "Text", "inputs": {"text": "t"}}, "2": {"class_type": "Save", "inputs": {"name": "a"}}}
STEPS = {"7": {"class_type": "Steps", "inputs": {"steps": 2}}}
FAIL = {"1": {"class_type": "Text", "inputs": {"text": "t"}}, "3": {"class_type": "Fail", "inputs": {}}}
WAIT = {"1": {"class_type": "Wait", "inputs": {}}}
PICTURE = {"images": [{"filename": "a.png", "subfolder": "", "type": "output"}]}


def told(messages):
    """Messages as short words: type, and the node or count that matters."""
    words = []
    for message in messages:
        data = message["data"]
        match message["type"]:
            case "status":
                words.append(f"status {data['status']['exec_info']['queue_remaining']}")
            case "executing" | "executed":
                words.append(f"{message['type']} {data['node']}")
            case "execution_cached":
                words.append(f"cached {','.join(data['nodes'])}".strip())
            case "progress_state":
                words.append("state " + ",".join(f"{node} {it['state']}" for node, it in data["nodes"].items()))
            case "progress":
                words.append(f"progress {data['node']} {data['value']}/{data['max']}")
            case other:
                words.append(other)
    return words


async def check(server: Server, prompt, expected: str) -> str:
    """Run `prompt` as a client that listens; assert the order of all it hears."""
    async with server.listen("me") as listener:
        job = await server.queue(prompt, client_id="me")
        heard = told(await listener.until_end())
    assert heard == [line.strip() for line in expected.strip().splitlines()]
    return job


NORMAL = """
    status 1
    status 1
    execution_start
    cached
    state 1 running
    executing 1
    state 1 finished
    state 1 finished,2 running
    executing 2
    executed 2
    state 1 finished,2 finished
    execution_success
    status 0
    executing None
"""


async def test_a_normal_run_is_told_in_the_order_that_clients_expect(server: Server):
    job = await check(server, SAVE, NORMAL)
    entry = await server.ended(job)
    assert entry["outputs"] == {"2": PICTURE}
    assert entry["meta"] == {"2": {"node_id": "2", "display_node": "2", "parent_node": None, "real_node_id": "2"}}
    assert entry["status"]["status_str"] == "success"
    assert entry["status"]["completed"] is True
    assert [name for name, _ in entry["status"]["messages"]] == [
        "execution_start",
        "execution_cached",
        "execution_success",
    ]
    assert all(data["prompt_id"] == job and data["timestamp"] > 1e12 for _, data in entry["status"]["messages"])


async def test_a_repeated_run_tells_its_remembered_outputs_and_executes_nothing(server: Server):
    await server.ended(await server.queue(SAVE))
    job = await check(
        server,
        SAVE,
        """
        status 1
        status 1
        execution_start
        cached 1,2
        executed 2
        state 2 finished
        execution_success
        status 0
        executing None
        """,
    )
    assert (await server.ended(job))["outputs"] == {"2": PICTURE}


async def test_a_cached_run_without_a_client_keeps_its_outputs_too(server: Server):
    await server.ended(await server.queue(SAVE))
    assert (await server.ended(await server.queue(SAVE)))["outputs"] == {"2": PICTURE}


async def test_progress_follows_its_state_and_previews_come_between(server: Server):
    await check(
        server,
        STEPS,
        """
        status 1
        status 1
        execution_start
        cached
        state 7 running
        executing 7
        state 7 running
        progress 7 1/2
        state 7 running
        progress 7 2/2
        state 7 finished
        execution_success
        status 0
        executing None
        """,
    )


async def test_a_failure_ends_the_run_and_says_what_and_where(server: Server):
    job = await check(
        server,
        FAIL,
        """
        status 1
        status 1
        execution_start
        cached
        state 1 running
        executing 1
        state 1 finished
        state 1 finished,3 running
        executing 3
        execution_error
        status 0
        executing None
        """,
    )
    entry = await server.ended(job)
    assert entry["status"]["status_str"] == "error"
    assert entry["status"]["completed"] is False
    name, data = entry["status"]["messages"][-1]
    del data["timestamp"]
    assert (name, data) == (
        "execution_error",
        {
            "prompt_id": job,
            "node_id": "3",
            "node_type": "Fail",
            "executed": ["1"],
            "exception_message": "It cannot work.",
            "exception_type": "ValueError",
            "traceback": ["line 1", "line 2"],
            "current_inputs": {"text": ["'a'"]},
            "current_outputs": ["1"],
            "input_name": "text",
        },
    )
    assert (await server.get(f"/jobs/{job}"))[1]["status"] == "failed"


@pytest.mark.parametrize("body", [None, {}, {"prompt_id": "running"}])
async def test_an_interrupt_ends_the_running_job(server: Server, body):
    async with server.listen("me") as listener:
        await server.queue(WAIT, client_id="me", prompt_id="running")
        await listener.until("executing")
        assert (await server.post("/interrupt", body))[0] == 200
        heard = told(await listener.until_end())
    assert heard == ["execution_interrupted", "status 0", "executing None"]
    entry = await server.ended("running")
    assert (entry["status"]["status_str"], entry["status"]["completed"]) == ("error", False)
    name, data = entry["status"]["messages"][-1]
    assert (name, data["node_id"], data["node_type"]) == ("execution_interrupted", "1", "Wait")
    assert (await server.get("/jobs/running"))[1]["status"] == "cancelled"


async def test_an_interrupt_of_another_job_hits_nobody(server: Server):
    job = await server.queue(WAIT)
    await server.started()
    assert (await server.post("/interrupt", {"prompt_id": "another"}))[0] == 200
    assert server.worker.calls == []
    server.worker.released.set()
    assert (await server.ended(job))["status"]["completed"] is True


async def test_an_interrupt_that_comes_before_the_worker_began_still_counts(server: Server):
    await server.queue(WAIT, prompt_id="early")
    for _ in range(1000):
        if (await server.get("/health"))[1]["running"] == "early":
            break
    await server.post("/interrupt", {"prompt_id": "early"})
    assert (await server.ended("early"))["status"]["messages"][-1][0] == "execution_interrupted"


async def test_the_next_job_runs_whatever_became_of_the_last(server: Server):
    for prompt in (
        FAIL,
        {"1": {"class_type": "Die", "inputs": {"times": 9}}},
        {"1": {"class_type": "Odd", "inputs": {}}},
    ):
        await server.queue(prompt)
    assert (await server.ended(await server.queue(SAVE)))["status"]["completed"] is True


async def test_a_lost_worker_costs_one_retry(server: Server):
    job = await server.queue({"5": {"class_type": "Die", "inputs": {"times": 1}}})
    assert (await server.ended(job))["status"]["completed"] is True
    assert [ran.job_id for ran in server.worker.jobs] == [job, job]


async def test_a_job_that_loses_the_worker_twice_fails_with_the_reason(server: Server):
    job = await server.queue({"5": {"class_type": "Die", "inputs": {"times": 9}}})
    entry = await server.ended(job)
    _, data = entry["status"]["messages"][-1]
    assert (data["node_id"], data["node_type"], data["exception_type"]) == ("5", "Die", "WorkerLost")
    assert "died 2 times" in data["exception_message"]
    assert "node 5 (Die): signal 9" in data["exception_message"]
    assert len(server.worker.jobs) == 2


async def test_what_json_cannot_hold_becomes_something_it_can(server: Server):
    job = await server.queue({"1": {"class_type": "Odd", "inputs": {}}})
    output = (await server.ended(job))["outputs"]["1"]["text"]
    assert output[:2] == [None, "<bytes>"]
    assert sorted(output[2]) == ["a", "b"]


async def test_previews_come_in_the_form_that_each_client_understands(server: Server):
    async with server.listen("me") as plain, server.listen("me") as described:
        flags = {"type": "feature_flags", "data": {"supports_preview_metadata": True}}
        await described.socket.send_str(json.dumps(flags))
        answer = await described.next()
        assert answer["data"]["supports_preview_metadata"] is True
        assert answer["data"]["max_upload_size"] == 100 * 1024 * 1024
        job = await server.queue(STEPS, client_id="me")
        await asyncio.gather(plain.until_end(), described.until_end())
    assert plain.pictures == [struct.pack(">II", 1, 1) + JPEG] * 2
    event, size = struct.unpack(">II", described.pictures[0][:8])
    assert event == 4
    assert json.loads(described.pictures[0][8 : 8 + size]) == {
        "node_id": "7",
        "prompt_id": job,
        "display_node_id": "7",
        "parent_node_id": None,
        "real_node_id": "7",
        "image_type": "image/jpeg",
    }
    assert described.pictures[0][8 + size :] == JPEG


async def test_the_word_true_is_not_true(server: Server):
    async with server.listen("me") as listener:
        await listener.socket.send_str('{"type": "feature_flags", "data": {"supports_preview_metadata": "true"}}')
        await listener.until("feature_flags")
        await server.queue(STEPS, client_id="me")
        await listener.until_end()
    assert {struct.unpack(">I", picture[:4])[0] for picture in listener.pictures} == {1}


async def test_a_job_without_a_client_tells_nobody_but_the_count(server: Server):
    async with server.listen("other") as listener:
        await server.ended(await server.queue(STEPS))
        await server.ended(await server.queue(STEPS, client_id="someone"))
        await asyncio.sleep(0.05)
        await server.post("/queue", {"clear": True})
        while (await listener.next())["data"]["status"]["exec_info"]["queue_remaining"]:
            pass
    assert {message["type"] for message in listener.heard} == {"status"}
    assert listener.pictures == []


async def test_a_large_run_does_not_repeat_every_node_in_every_message(server: Server):
    async def bytes_of(count: int) -> int:
        prompt = {str(n): {"class_type": "Text", "inputs": {"text": f"{count} {n}"}} for n in range(count)}
        prompt["save"] = {"class_type": "Save", "inputs": {"name": f"n{count}"}}
        async with server.listen(f"c{count}") as listener:
            await server.queue(prompt, client_id=f"c{count}")
            messages = await listener.until_end()
        finished = {
            node
            for message in messages
            if message["type"] == "progress_state"
            for node, it in message["data"]["nodes"].items()
            if it["state"] == "finished"
        }
        assert len(finished) == count + 1
        return sum(len(json.dumps(message)) for message in messages)

    assert await bytes_of(800) < 4.5 * await bytes_of(200)


async def test_priority_and_front_decide_the_order(server: Server):
    blocker = await server.queue(WAIT)
    await server.started()
    envelopes = {"late": {"number": 1e6}, "b": {}, "c": {}, "first": {"number": -1000}, "front": {"front": True}}
    for name, envelope in envelopes.items():
        await server.queue(SAVE, prompt_id=name, **envelope)
    _, queue = await server.get("/queue")
    assert [item[1] for item in queue["queue_running"]] == [blocker]
    assert [item[1] for item in queue["queue_pending"]] == ["first", "front", "b", "c", "late"]
    number, _, prompt, extra_data, outputs = queue["queue_pending"][0]
    assert (number, prompt, outputs) == (-1000, SAVE, ["2"])
    assert "create_time" in extra_data
    server.worker.released.set()
    await server.ended("late")
    assert [job.job_id for job in server.worker.jobs][1:] == ["first", "front", "b", "c", "late"]


async def test_pending_jobs_can_be_withdrawn_and_the_running_one_goes_on(server: Server):
    running = await server.queue(WAIT)
    await server.started()
    for name in "abc":
        await server.queue(SAVE, prompt_id=name)
    await server.post("/queue", {"delete": ["b", "unknown", running]})
    assert [item[1] for item in (await server.get("/queue"))[1]["queue_pending"]] == ["a", "c"]
    await server.post("/queue", {"clear": True})
    assert (await server.get("/prompt"))[1]["exec_info"]["queue_remaining"] == 1
    server.worker.released.set()
    await server.ended(running)
    assert list((await server.get("/history"))[1]) == [running]
    assert (await server.get("/jobs/b"))[1]["status"] == "cancelled"
    states = {job["id"]: job["status"] for job in (await server.get("/jobs"))[1]["jobs"]}
    assert states == {running: "completed", "a": "cancelled", "b": "cancelled", "c": "cancelled"}


async def test_history_is_cut_as_asked(server: Server):
    names = [f"job{n}" for n in range(5)]
    for name in names:
        await server.queue(SAVE, prompt_id=name)
    await server.ended(names[-1])

    async def check(query: str, expected: list[str]):
        assert list((await server.get(f"/history{query}"))[1]) == expected

    await check("", names)
    await check("?max_items=2", names[-2:])
    await check("?max_items=2&offset=1", names[1:3])
    await check("?offset=3", names[3:])
    await check("?max_items=0", [])
    await check("?max_items=100", names)
    await server.post("/history", {"delete": ["job1", "unknown"]})
    await check("", [name for name in names if name != "job1"])
    assert await server.get("/history/job1") == (200, {})
    await server.post("/history", {"clear": True})
    await check("", [])


async def test_only_the_newest_jobs_are_kept(start):
    server = await start(max_history=3)
    for n in range(5):
        await server.ended(await server.queue(SAVE, prompt_id=f"job{n}"))
    assert list((await server.get("/history"))[1]) == ["job2", "job3", "job4"]


async def test_the_jobs_list_filters_sorts_and_pages(server: Server):
    for n in range(4):
        await server.queue(SAVE, prompt_id=f"s{n}", extra_data={"extra_pnginfo": {"workflow": {"id": f"w{n % 2}"}}})
    await server.ended(await server.queue(FAIL, prompt_id="bad"))

    async def check(query: str, ids: str, total: int):
        _, body = await server.get(f"/jobs?{query}")
        assert [job["id"] for job in body["jobs"]] == ids.split()
        assert body["pagination"]["total"] == total

    await check("", "bad s3 s2 s1 s0", 5)
    await check("status=failed", "bad", 1)
    await check("status=completed,pending&sort_order=asc", "s0 s1 s2 s3", 4)
    await check("workflow_id=w1", "s3 s1", 2)
    await check("limit=2&offset=1", "s3 s2", 5)
    _, body = await server.get("/jobs?limit=2&offset=1")
    assert body["pagination"] == {"offset": 1, "limit": 2, "total": 5, "has_more": True}
    _, job = await server.get("/jobs/s1")
    assert job["outputs"] == {"2": PICTURE}
    assert job["preview_output"]["filename"] == "a.png"
    assert job["workflow"]["prompt"] == SAVE
    assert job["execution_start_time"] <= job["execution_end_time"]


@pytest.mark.parametrize(
    ("body", "asked"),
    [
        ({}, []),
        ({"unload_models": True}, [("free", (True, False))]),
        ({"free_memory": True}, [("free", (True, True))]),
        ({"unload_models": False, "free_memory": False}, []),
    ],
)
async def test_free_asks_the_worker_for_what_was_wished(server: Server, body, asked):
    await server.post("/free", body)
    await asyncio.sleep(0.01)
    assert server.worker.calls == asked


async def test_a_stopping_server_gives_the_running_job_back(start):
    server = await start()
    await server.queue(WAIT, prompt_id="unfinished")
    await server.started()
    path = server.app[STORE].path
    await server.app.shutdown()
    await server.app.cleanup()
    assert server.worker.closed
    store = JobStore(path)
    assert await store.open() == []
    [job] = await store.in_state("pending")
    assert (job.job_id, job.attempt) == ("unfinished", 0)
    await store.close()


async def test_the_worker_is_told_whether_saved_files_carry_their_workflow(start):
    for wanted in (True, False):
        server = await start(saves_metadata=wanted)
        await server.ended(await server.queue(SAVE))
        assert [job.saves_metadata for job in server.worker.jobs] == [wanted]
        await server.app.shutdown()
        await server.app.cleanup()
