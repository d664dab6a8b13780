"""A server whose worker has loaded the toy packs: what clients of the protocol see of each form of node."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

import main
from executor.process import ProcessWorker
from tests.packs.bench import FORMS, prompt, toy_options
from tests.server.conftest import Server, starting

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def toys(tmp_path_factory) -> AsyncIterator[Server]:
    root = tmp_path_factory.mktemp("server")
    async with starting(root) as start:
        worker = ProcessWorker(main.make_worker, toy_options(root / "packs"))
        yield await start(worker, worker_deadline=120.0)


async def heard(toys, form, text):
    """What a client hears of a run from its start to its end, as (type, data) without what differs from run to run."""
    async with toys.listen("me") as listener:
        await toys.queue(prompt(form, text), client_id="me")
        messages = await listener.until_end()
    return [(message["type"], message["data"]) for message in messages]


def of(messages, kind, *names):
    """The wanted fields of all messages of a kind."""
    return [tuple(data.get(name) for name in names) for type_, data in messages if type_ == kind]


async def test_expanded_nodes_are_shown_in_place_of_the_node_that_made_them(toys):
    for form in FORMS:
        messages = await heard(toys, form, "r = Reveal value=5\ns = Show value=r")
        shown = of(messages, "executed", "node", "display_node", "output")
        assert ("r.0.0.1", "r", {"values": [5]}) in shown
        assert ("s", "s") in {row[:2] for row in shown}
        assert {display for _, display in of(messages, "executing", "node", "display_node")} == {"r", "s", None}
        assert of(messages, "execution_success", "prompt_id")
        messages = await heard(toys, form, "r = Reveal value=6 display=other\ns = Show value=r")
        assert ("r.0.0.1", "other", {"values": [6]}) in of(messages, "executed", "node", "display_node", "output")


async def test_a_blocker_with_a_message_is_an_error_of_a_run_that_goes_on(toys):
    for form in FORMS:
        text = f"b = Block value=1 message=stop-{form}\nj = Join a=b\ne = Each value=j\nf = Each value=2"
        messages = await heard(toys, form, text)
        fields = ("exception_type", "exception_message", "node_id", "node_type")
        told = of(messages, "execution_error", *fields)
        assert [(kind, node) for kind, _, node, _ in told] == [("ExecutionBlocked", "j")]
        assert f"stop-{form}" in told[0][1]
        assert of(messages, "executed", "node") == [("f",)]
        assert of(messages, "execution_success", "prompt_id")


async def test_a_failure_has_all_that_clients_read(toys):
    for form in FORMS:
        messages = await heard(toys, form, "i = Increment value=1\nx = ExpandFail value=i\ns = Show value=x")
        (error,) = [data for type_, data in messages if type_ == "execution_error"]
        assert (error["node_id"], error["node_type"]) == ("x", f"{form}.ExpandFail")
        assert error["exception_type"] == "ArithmeticError"
        assert "deep down" in error["exception_message"]
        assert "i" in error["executed"]
        assert isinstance(error["traceback"], list)
        assert not of(messages, "execution_success", "prompt_id")


async def test_what_a_node_says_of_its_inputs_refuses_the_prompt(toys):
    for form in FORMS:
        wire = prompt(form, "c = Checked value=3\ns = Show value=c")
        status, answer = await toys.post("/prompt", {"prompt": wire})
        assert status == 400
        (error,) = answer["node_errors"]["c"]["errors"]
        assert (error["type"], error["extra_info"]["input_name"]) == ("custom_validation_failed", "value")
        assert "must be even" in error["details"]
        assert answer["node_errors"]["c"]["class_type"] == f"{form}.Checked"


async def test_packs_see_the_request_before_it_is_run(toys):
    job = await toys.queue(prompt("V1", "s = Show value=1"))
    entry = await toys.ended(job)
    extra = entry["prompt"][3]
    assert (extra["seen_by"], extra["seen_by_v3"]) == ("toys_v1", True)


async def test_definitions_of_packs_are_told_like_all_others(toys):
    status, every = await toys.get("/object_info")
    assert status == 200
    for form, pack in zip(FORMS, ("toys_v1", "toys_v3", "toys_typed"), strict=True):
        either = every[f"{form}.Either"]
        assert either["python_module"] == f"custom_nodes.{pack}"
        assert either["input"]["optional"]["yes"][1]["lazy"] is True
        assert every[f"{form}.Fan"]["output_is_list"] == [True, False]
        assert every[f"{form}.Show"]["output_node"] is True
    for form in ("V3", "Typed"):
        kind, options = every[f"{form}.Grow"]["input"]["required"]["values"]
        assert (kind, options["template"]["prefix"]) == ("COMFY_AUTOGROW_V3", "value")
        assert every[f"{form}.Match"]["output_matchtypes"] == ["same"]
        options = every[f"{form}.Choose"]["input"]["required"]["mode"][1]["options"]
        assert [option["key"] for option in options] == ["scale", "both"]
