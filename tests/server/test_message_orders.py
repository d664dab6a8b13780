"""Every order of messages that protocol.md records, from the real server with a real worker process."""

import itertools

import pytest

from executor.process import ProcessWorker
from tests.executor.toys import folders, prompt
from tests.server.conftest import Server
from tests.server.semantics import semantic_worker
from tests.server.test_runs import told

START = ["status 1", "status 1", "execution_start"]
END = ["status 0", "executing None"]
LONG = prompt("a = Steps 5000 0.01\ns = Show a")

RUNS = {
    "normal": (
        "a = Number 3\nc = Add a 1\nd = Show c",
        ["cached", "executing a", "executing c", "executing d", "executed d", "execution_success"],
    ),
    "the same again: nothing is executed, and what is remembered is told": (
        "a = Number 3\nc = Add a 1\nd = Show c",
        ["cached a,c,d", "executed d", "execution_success"],
    ),
    "the same under another name": (
        "a = Number 3\nc = Add a 1\ne = Show c",
        ["cached a,c,e", "executed e", "execution_success"],
    ),
    "progress": (
        "a = Steps 2 0\nb = Show a",
        ["cached", "executing a", "progress a 1/2", "progress a 2/2", "executing b", "executed b", "execution_success"],
    ),
    "lazy: a node asks, its input is made, and it goes on": (
        "y = Number 5\nn = Number 6\nw = Switch which=1 yes=y no=n\ns = Show w",
        ["cached", "executing w", "executing y", "executing w", "executing s", "executed s", "execution_success"],
    ),
    "error: no success follows": (
        "a = Number 4\nb = Fail a\nc = Show b",
        ["cached", "executing a", "executing b", "execution_error"],
    ),
    "blocker: what it reaches is told as an error, and the run succeeds": (
        "a = Number 9\ng = Gate value=a message=1\nb = Show g",
        ["cached", "executing a", "executing g", "execution_error", "execution_success"],
    ),
    "expansion: inner nodes are told between the parent's start and its end": (
        "a = Number 6\nu = Unfold value=a depth=1\ns = Show u",
        [
            *("cached", "executing a", "executing u", "executing u.0.add", "executing u.0.rest"),
            *("executing s", "executed s", "execution_success"),
        ],
    ),
}


@pytest.fixture
async def real(start, tmp_path) -> Server:
    """A server whose worker is a process with toy nodes that wait, block and expand."""
    root = tmp_path / "worker"
    root.mkdir()
    folders(root)
    return await start(ProcessWorker(semantic_worker, root, grace=1.0), worker_deadline=60.0)


def check_states(words: list[str]) -> None:
    """A node's state is told just before it is said to execute, and the end of all before that of the run."""
    for before, word in itertools.pairwise(words):
        if word.startswith("executing ") and word != "executing None":
            assert f"{word.removeprefix('executing ')} running" in before
    if "execution_success" in words:
        assert "running" not in words[words.index("execution_success") - 1]


def without_states(words: list[str]) -> list[str]:
    return [word for word in words if not word.startswith("state ")]


async def test_runs_are_told_in_the_recorded_orders(real: Server):
    for name, (text, expected) in RUNS.items():
        async with real.listen("me") as listener:
            job = await real.queue(prompt(text), client_id="me")
            messages = await listener.until_end()
        words = told(messages)
        check_states(words)
        assert without_states(words) == [*START, *expected, *END], name
        assert all(it["data"].get("prompt_id", job) == job for it in messages), name
        kept = [name for name, _ in (await real.ended(job))["status"]["messages"]]
        assert kept == [it["type"] for it in messages if it["type"].startswith("execution_")], name


async def test_what_expanded_and_blocked_nodes_are_shown_as(real: Server):
    async with real.listen("me") as listener:
        text = "a = Number 7\nu = Unfold value=a depth=1\ng = Gate value=a message=1\ns = Show u\nb = Show g"
        await real.queue(prompt(text), client_id="me")
        messages = await listener.until_end()
    executing = {it["data"]["node"]: it["data"]["display_node"] for it in messages if it["data"].get("display_node")}
    assert executing["u.0.add"] == executing["u.0.rest"] == "u"
    [error] = [it["data"] for it in messages if it["type"] == "execution_error"]
    assert (error["node_id"], error["exception_type"], error["traceback"]) == ("b", "ExecutionBlocked", [])
    assert error["exception_message"].startswith("odd")


async def test_an_interrupted_run_is_told_in_the_recorded_order(real: Server):
    async with real.listen("me") as listener:
        await real.queue(LONG, client_id="me")
        before = told(await listener.until("progress"))
        await real.post("/interrupt")
        after = told(await listener.until_end())
    assert without_states(before) == [*START, "cached", "executing a", "progress a 1/5000"]
    rest = [word for word in without_states(after) if not word.startswith("progress")]
    assert rest == ["execution_interrupted", *END]


async def test_a_client_that_connects_again_is_told_where_the_run_is_and_all_that_follows(real: Server):
    async with real.listen("me") as lost:
        job = await real.queue(LONG, client_id="me")
        await lost.until("progress")
    async with real.listen("me") as found, real.listen("other") as other:
        greeting = found.heard[0]["data"]
        assert greeting["sid"] == "me"
        executing, state = await found.next(), await found.next()
        assert executing["data"] == {"node": "a", "display_node": "a", "prompt_id": job}
        assert state["type"] == "progress_state"
        assert state["data"]["nodes"]["a"]["value"] >= 1
        await found.until("progress")
        await real.post(f"/jobs/{job}/cancel")
        rest = [word for word in without_states(told(await found.until_end())) if not word.startswith("progress")]
        assert rest == ["execution_interrupted", *END]
        await other.next()
    assert {it["type"] for it in other.heard} == {"status"}
