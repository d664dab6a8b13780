"""How often a run tells the state of its nodes, and that nothing is lost or told out of its order by that."""

import json
import math

import pytest

from server.pacing import Pace
from server.protocol.frames import Message
from tests.server.conftest import Server
from tests.server.fake_worker import FakeWorker
from tests.server.test_runs import FAIL, SAVE, told

STEPS = {"7": {"class_type": "Steps", "inputs": {"steps": 500}}}
WAIT = {"1": {"class_type": "Text", "inputs": {"text": "t"}}, "9": {"class_type": "Wait", "inputs": {}}}


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def state(replaces="progress_state", **nodes: str) -> Message:
    return Message("progress_state", {"prompt_id": "job", "nodes": nodes}, replaces)


def nodes_of(frames) -> list:
    return [frame.data["nodes"] if frame.type == "progress_state" else frame.type for frame in frames]


def test_the_first_state_passes_and_later_ones_wait_and_are_told_together():
    clock = Clock()
    pace = Pace(0.5, clock)
    assert nodes_of(pace.frames([state(a="running"), Message("executing", {})])) == [{"a": "running"}, "executing"]
    assert pace.wait() is None
    assert nodes_of(pace.frames([state(a="finished"), Message("executed", {}), state(b="running")])) == ["executed"]
    assert pace.wait() == 0.5
    clock.now += 0.4
    assert pace.wait() == pytest.approx(0.1)
    assert nodes_of(pace.frames([state(b="finished")])) == []
    assert nodes_of(pace.rest()) == [{"a": "finished", "b": "finished"}]
    assert (pace.rest(), pace.wait()) == ([], None)
    clock.now += 0.5
    assert nodes_of(pace.frames([state(c="running")])) == [{"c": "running"}]


@pytest.mark.parametrize("end", ["execution_success", "execution_interrupted", "execution_error"])
def test_what_waits_is_told_before_the_end(end):
    pace = Pace(math.inf, Clock())
    pace.frames([state(a="running")])
    assert nodes_of(pace.frames([state(a="finished"), Message(end, {})])) == [{"a": "finished"}, end]


def test_neither_blocked_nodes_nor_further_failures_hurry():
    pace = Pace(math.inf, Clock())
    blocked, failed = Message("execution_error", {"exception_type": "ExecutionBlocked"}), Message("execution_error", {})
    pace.frames([state(a="running"), state(a="finished")])
    assert nodes_of(pace.frames([blocked, blocked])) == ["execution_error"] * 2
    assert nodes_of(pace.frames([failed])) == [{"a": "finished"}, "execution_error"]
    assert nodes_of(pace.frames([state(b="running"), failed])) == ["execution_error"]


def test_ten_states_a_second_are_the_most():
    clock, sent = Clock(), list[float]()
    pace = Pace(0.125, clock)
    for _ in range(10_000):  # ten seconds of events, a millisecond apart
        clock.now += 0.001
        wait = pace.wait()
        frames = pace.rest() if wait == 0 else []
        sent += [clock.now] * len([*frames, *pace.frames([state(a="running")])])
    assert max(sum(begin <= at < begin + 1 for at in sent) for begin in sent) + 1 <= 10
    assert len(sent) > 70


def test_states_that_tell_different_nodes_are_not_taken_for_one():
    pace = Pace(math.inf, Clock())
    pace.frames([state(z="running")])
    pace.frames([state("progress_state a", a="finished"), state("progress_state b", b="running")])
    [held] = pace.rest()
    assert held.replaces is None
    pace.frames([state(a="running"), state(a="finished")])
    [held] = pace.rest()
    assert held.replaces == "progress_state"


ORDERS = {
    "normal": (
        SAVE,
        """
        execution_start
        cached
        state 1 running
        executing 1
        executing 2
        executed 2
        state 1 finished,2 finished
        execution_success
        executing None
        """,
    ),
    "failure": (
        FAIL,
        """
        execution_start
        cached
        state 1 running
        executing 1
        executing 3
        state 1 finished,3 running
        execution_error
        executing None
        """,
    ),
}


@pytest.mark.parametrize("case", ORDERS)
async def test_a_run_that_is_over_at_once_tells_its_first_and_its_last_state(start, case):
    server = await start(state_interval=1e9)
    prompt, expected = ORDERS[case]
    async with server.listen("me") as listener:
        await server.queue(prompt, client_id="me")
        heard = [line for line in told(await listener.until_end()) if not line.startswith("status")]
    assert heard == [line.strip() for line in expected.strip().splitlines()]


async def test_what_is_held_back_follows_while_a_node_works_on(start):
    server = await start(state_interval=0.01)
    async with server.listen("me") as listener:
        await server.queue(WAIT, client_id="me")
        while "state 1 finished,9 running" not in told(listener.heard):
            await listener.next()
        server.worker.released.set()
        await listener.until_end()


async def test_steps_are_told_one_by_one_and_states_are_not(start):
    server = await start(state_interval=1e9)
    async with server.listen("me") as listener:
        await server.queue(STEPS, client_id="me")
        types = [message["type"] for message in await listener.until_end()]
    assert types.count("progress") > 30
    assert types.count("progress_state") == 2


@pytest.mark.parametrize("client", ["me", None])
async def test_how_far_a_job_is_can_be_asked_over_http_whoever_owns_it(server: Server, client):
    async with server.listen("other") as other:
        job = await server.queue(WAIT, **({"client_id": client} if client else {}))
        for _ in range(1000):
            _, found = await server.get(f"/jobs/{job}")
            if found.get("progress", {}).get("node") == "9":
                break
        assert found["status"] == "in_progress"
        progress = found["progress"]
        assert (progress["executed"], progress["outputs"]) == (1, {})
        assert [node["state"] for node in progress["nodes"].values()] == ["finished", "running"]
        server.worker.released.set()
        await server.ended(job)
        assert "progress" not in (await server.get(f"/jobs/{job}"))[1]
        await server.post("/queue", {"clear": True})
    assert {message["type"] for message in other.heard} == {"status"}


async def test_a_run_of_800_nodes_stays_under_a_megabyte(start):
    server = await start(FakeWorker(), state_interval=0.125)
    prompt = {str(n): {"class_type": "Text", "inputs": {"text": f"{n}"}} for n in range(799)}
    prompt["save"] = {"class_type": "Save", "inputs": {}}
    async with server.listen("me") as listener:
        await server.queue(prompt, client_id="me")
        messages = await listener.until_end()
    assert sum(len(json.dumps(message)) for message in messages) < 500_000
    finished = {
        node
        for message in messages
        if message["type"] == "progress_state"
        for node, it in message["data"]["nodes"].items()
        if it["state"] == "finished"
    }
    assert finished == set(prompt)
