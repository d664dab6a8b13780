"""Every event of a run in the words of the protocol: nodes that a run made itself, text, blockers and hints."""

import json
import struct
from collections.abc import Sequence

import pytest

from executor.events import (
    Event,
    NodeBlocked,
    NodeExecuted,
    NodeFailed,
    NodePreview,
    NodeProgress,
    NodesAdded,
    NodeStarted,
    NodeText,
    Origin,
    RunFinished,
    RunInterrupted,
    RunStarted,
)
from executor.progress import Preview
from server.jobs import JobRecord
from server.protocol.frames import Binary, Frame, Message
from server.protocol.messages import Narrator
from tests.server.conftest import Server

PROMPT = {"1": {"class_type": "Load"}, "2": {"class_type": "Loop"}, "3": {"class_type": "Save"}}
INNER = NodesAdded({"2.0.0.3": Origin("Add", "2", "2", "2"), "2.0.0.4": Origin("Loop", "2", "7", "2")})
DEEPER = NodesAdded({"2.0.0.4.0.0.3": Origin("Add", "2.0.0.4", "7", "2")})
PICTURES = {"images": [{"filename": "a.png"}]}


def narrator(prompt=PROMPT, client_id: str | None = "me") -> Narrator:
    record = JobRecord("job", "in_progress", 1, 1, client_id, prompt, {}, (), 0, 0, None, None)
    return Narrator(record, lambda: 1000)


def words(frame: Frame) -> str:
    """A frame in short: its type and what an editor looks at."""
    if isinstance(frame, Binary):
        (kind,) = struct.unpack(">I", frame.plain[:4])
        return f"binary {kind}"
    data = frame.data
    match frame.type:
        case "executing":
            return f"executing {data['node']} in {data['display_node']}"
        case "executed":
            return f"executed {data['node']} in {data['display_node']}"
        case "progress_state":
            states = (f"{it['node_id']} {it['state']} {it['value']}/{it['max']}" for it in data["nodes"].values())
            return f"state {', '.join(states)}"
        case "progress":
            return f"progress {data['node']} {data['value']}/{data['max']}"
        case "execution_error" | "execution_interrupted":
            return f"{frame.type} {data['node_id']} {data['node_type']}"
        case other:
            return other


def check(events: Sequence[Event], expected: str) -> Narrator:
    """Tell `events`; assert the words of all frames."""
    telling = narrator()
    told = [words(frame) for event in events for frame in telling.tell(event)]
    assert told == [line.strip() for line in expected.strip().splitlines()]
    return telling


CASES = {
    "a node that goes on after its lazy inputs keeps its progress": (
        [NodeStarted("2"), NodeProgress("2", 3, 5), NodeStarted("1"), NodeExecuted("1", None), NodeStarted("2", True)],
        """
        state 2 running 0/1
        executing 2 in 2
        state 2 running 3/5
        progress 2 3/5
        state 2 running 3/5, 1 running 0/1
        executing 1 in 1
        state 2 running 3/5, 1 finished 1/1
        state 2 running 3/5, 1 finished 1/1
        executing 2 in 2
        """,
    ),
    "expanded nodes are shown in the node that they stand for, and it runs until they are done": (
        [
            NodeStarted("2"),
            INNER,
            NodeStarted("2.0.0.3"),
            NodeExecuted("2.0.0.3", PICTURES),
            NodeStarted("2.0.0.4"),
            DEEPER,
            NodeStarted("2.0.0.4.0.0.3"),
            NodeExecuted("2", None),
        ],
        """
        state 2 running 0/1
        executing 2 in 2
        state 2 running 0/1, 2.0.0.3 running 0/1
        executing 2.0.0.3 in 2
        executed 2.0.0.3 in 2
        state 2 running 0/1, 2.0.0.3 finished 1/1
        state 2 running 0/1, 2.0.0.3 finished 1/1, 2.0.0.4 running 0/1
        executing 2.0.0.4 in 7
        state 2 running 0/1, 2.0.0.3 finished 1/1, 2.0.0.4 running 0/1, 2.0.0.4.0.0.3 running 0/1
        executing 2.0.0.4.0.0.3 in 7
        state 2 finished 1/1, 2.0.0.3 finished 1/1, 2.0.0.4 running 0/1, 2.0.0.4.0.0.3 running 0/1
        """,
    ),
    "a failure inside is told of the node of the prompt, and nothing inside it is left running": (
        [
            NodeStarted("2"),
            INNER,
            NodeStarted("2.0.0.3"),
            NodeFailed("2", "Add", "No.", "ValueError"),
            NodeStarted("3"),
        ],
        """
        state 2 running 0/1
        executing 2 in 2
        state 2 running 0/1, 2.0.0.3 running 0/1
        executing 2.0.0.3 in 2
        execution_error 2 Add
        state 3 running 0/1
        executing 3 in 3
        """,
    ),
    "an interruption inside is told of the node of the prompt": (
        [INNER, RunInterrupted("2.0.0.4", ())],
        "execution_interrupted 2 Loop",
    ),
    "a text is a binary frame": ([NodeText("1", "half way")], "binary 3"),
    "a preview is one too": ([NodePreview("1", Preview(b"x", "image/png"))], "binary 1"),
    "a blocked node is told as an error, and the run goes on to its end": (
        [RunStarted(("3",), ()), NodeBlocked("3", "Save", "Nothing to save."), RunFinished(True, (), 0.1)],
        """
        execution_cached
        execution_error 3 Save
        execution_success
        """,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_events_are_told_in_the_words_of_the_protocol(name):
    check(*CASES[name])


def test_progress_and_history_name_where_an_expanded_node_comes_from():
    telling = check([INNER, DEEPER, NodeExecuted("2.0.0.4.0.0.3", PICTURES)], """
        executed 2.0.0.4.0.0.3 in 7
        state 2.0.0.4.0.0.3 finished 1/1
    """)  # fmt: skip
    result = telling.result()
    assert result.outputs == {"2.0.0.4.0.0.3": PICTURES}
    assert result.meta == {
        "2.0.0.4.0.0.3": {
            "node_id": "2.0.0.4.0.0.3",
            "display_node": "7",
            "parent_node": "2.0.0.4",
            "real_node_id": "2",
        }
    }
    [state] = telling.tell(NodeProgress("2.0.0.3", 1, 2))[:1]
    assert isinstance(state, Message)
    assert state.data["nodes"]["2.0.0.3"] == {
        "value": 1,
        "max": 2,
        "state": "running",
        "prompt_id": "job",
        "node_id": "2.0.0.3",
        "display_node_id": "2",
        "parent_node_id": "2",
        "real_node_id": "2",
    }


def test_a_preview_names_the_origin_of_its_node():
    telling = narrator()
    telling.tell(INNER)
    [frame] = telling.tell(NodePreview("2.0.0.4", Preview(b"picture", "image/png")))
    assert isinstance(frame, Binary)
    event, size = struct.unpack(">II", frame.described[:8])
    assert (event, frame.plain) == (4, struct.pack(">II", 1, 2) + b"picture")
    assert json.loads(frame.described[8 : 8 + size]) == {
        "prompt_id": "job",
        "node_id": "2.0.0.4",
        "display_node_id": "7",
        "parent_node_id": "2",
        "real_node_id": "2",
        "image_type": "image/png",
    }


@pytest.mark.parametrize(("node_id", "shown"), [("1", "1"), ("2.0.0.4", "7")])
def test_a_text_frame_names_the_node_that_an_editor_shows(node_id, shown):
    telling = narrator()
    telling.tell(INNER)
    [frame] = telling.tell(NodeText(node_id, "größer"))
    assert isinstance(frame, Binary)
    assert frame.plain == struct.pack(">II", 3, len(shown)) + shown.encode() + "größer".encode()
    assert frame.described == frame.plain


def test_a_blocked_node_stays_in_the_history_without_being_its_error():
    telling = narrator()
    for event in (RunStarted((), ()), INNER, NodeBlocked("2.0.0.3", "Add", "Too bright."), RunFinished(True, (), 1.0)):
        telling.tell(event)
    assert telling.ended == "completed"
    result = telling.result()
    assert result.error is None
    [(name, data)] = [told for told in result.messages if told[0] == "execution_error"]
    assert name == "execution_error"
    assert data == {
        "prompt_id": "job",
        "node_id": "2",
        "node_type": "Add",
        "executed": [],
        "exception_message": "Too bright.",
        "exception_type": "ExecutionBlocked",
        "traceback": [],
        "current_inputs": {},
        "current_outputs": [],
        "timestamp": 1000,
    }


@pytest.mark.parametrize(("hint", "message"), [(None, "No."), ("Lower the batch size.", "No.\nLower the batch size.")])
def test_what_usually_helps_is_the_second_line_of_a_failure(hint, message):
    telling = narrator()
    telling.tell(NodeFailed("1", "Load", "No.", "MemoryError", hint=hint))
    error = telling.result().error
    assert error is not None
    assert error["exception_message"] == message


def loop_events(iterations: int) -> list[Event]:
    """A loop that rebuilds itself in its tail: every iteration is nested in the one before, and all of them wait. Their
    ids grow as those of a real loop do."""
    events: list[Event] = [RunStarted(("2",), ()), NodeStarted("2")]
    opened = ["2"]
    for _ in range(iterations):
        tail = opened[-1]
        body, following = f"{tail}.0.0.b", f"{tail}.0.0.l"
        events.append(NodesAdded({body: Origin("Add", tail, "2", "2"), following: Origin("Loop", tail, "2", "2")}))
        events += [NodeStarted(body), NodeProgress(body, 1, 2), NodeExecuted(body, PICTURES), NodeStarted(following)]
        opened.append(following)
    return [*events, *(NodeExecuted(node_id, None) for node_id in reversed(opened)), RunFinished(True, (), 1.0)]


def traffic(iterations: int) -> int:
    telling = narrator()
    frames = [frame for event in loop_events(iterations) for frame in telling.tell(event)]
    return sum(len(json.dumps(frame.data)) for frame in frames if isinstance(frame, Message))


def test_the_traffic_of_a_loop_grows_with_its_iterations_and_not_with_their_square():
    assert traffic(1000) < 5 * traffic(250)
    assert traffic(1000) / 1000 < 5_000


@pytest.mark.parametrize("kind", ["failed", "blocked"])
def test_the_traffic_of_many_failures_grows_with_their_number_and_not_with_its_square(kind):
    def size(count: int) -> int:
        telling = narrator({str(n): {"class_type": "Add"} for n in range(2 * count)})
        total = 0
        for n in range(count):
            event = NodeFailed(str(n), "Add", "No.", "E") if kind == "failed" else NodeBlocked(str(n), "Add", "No.")
            for frame in (*telling.tell(NodeExecuted(str(count + n), None)), *telling.tell(event)):
                assert isinstance(frame, Message)
                total += len(json.dumps(frame.data))
        return total

    assert size(2000) < 5 * size(500)


def test_the_first_failure_names_all_that_was_done_before():
    telling = narrator()
    for n in range(200):
        telling.tell(NodeExecuted(str(n), None))
    telling.tell(NodeFailed("1", "Load", "No.", "ValueError"))
    error = telling.result().error
    assert error is not None
    assert error["executed"] == error["current_outputs"] == [str(n) for n in range(200)]


def test_a_node_with_an_endless_id_has_one_short_name_everywhere():
    deep = "2" + ".0.0.l" * 20
    telling = narrator()
    telling.tell(NodesAdded({deep: Origin("Loop", "2", "2", "2"), f"{deep}.0.0.b": Origin("Add", deep, "2", "2")}))
    events = [NodeStarted(deep), NodeStarted(f"{deep}.0.0.b"), NodeExecuted(f"{deep}.0.0.b", PICTURES)]
    told = [frame.data for event in events for frame in telling.tell(event) if isinstance(frame, Message)]
    assert [data["node"] for data in told if "node" in data] == ["2.~0", "2.~1", "2.~1"]
    inner = told[-1]["nodes"]["2.~1"]
    assert (inner["node_id"], inner["parent_node_id"], inner["real_node_id"]) == ("2.~1", "2.~0", "2")
    assert telling.result().outputs == {"2.~1": PICTURES}
    assert telling.result().meta["2.~1"]["parent_node"] == "2.~0"
    assert deep not in json.dumps(told)


async def test_a_client_hears_of_expanded_nodes_texts_and_blockers(server: Server):
    server.worker.scripts["loop"] = [
        INNER,
        NodeStarted("2.0.0.3"),
        NodeText("2.0.0.3", "hm"),
        NodeBlocked("2", "Script", "No."),
    ]
    async with server.listen("me") as listener:
        prompt = {"2": {"class_type": "Script", "inputs": {"name": "loop"}}}
        job = await server.queue(prompt, client_id="me")
        heard = [words(Message(it["type"], it["data"])) for it in await listener.until("execution_success")]
    assert "executing 2.0.0.3 in 2" in heard
    assert heard.index("execution_error 2 Script") < heard.index("execution_success")
    assert listener.pictures == [struct.pack(">II", 3, 1) + b"2hm"]
    entry = await server.ended(job)
    assert entry["status"]["status_str"] == "success"
    assert "execution_error" in [name for name, _ in entry["status"]["messages"]]
    assert "execution_error" not in (await server.get(f"/jobs/{job}"))[1]
