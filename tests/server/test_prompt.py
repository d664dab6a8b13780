"""What `/prompt` accepts and how it refuses: every refusal is a 400 with a sentence, and nothing is queued by it."""

import asyncio
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from server.errors import ApiError
from server.keys import CREDENTIALS
from server.protocol.prompts import PromptRequest, parse_prompt_request
from server.wire import parse_json
from tests.server.conftest import Server
from tests.server.fake_worker import FakeWorker

SAVE = {"1": {"class_type": "Save", "inputs": {"name": "a"}}}
WAIT = {"1": {"class_type": "Wait", "inputs": {}}}


def nested(depth: int) -> str:
    return "[" * depth + "]" * depth


MALFORMED = {
    "nothing": (b"", "no_prompt|invalid_prompt"),
    "no JSON": (b"{", "invalid_json"),
    "no UTF-8": (b'{"a": "\xff"}', "invalid_json"),
    "null": (b"null", "invalid_prompt"),
    "a list": (b"[1, 2]", "invalid_prompt"),
    "no prompt": (b"{}", "no_prompt"),
    "a null prompt": (b'{"prompt": null}', "no_prompt"),
    "a list as prompt": (b'{"prompt": [1]}', "invalid_prompt"),
    "text as prompt": (b'{"prompt": "draw a cat"}', "invalid_prompt"),
    "no outputs": (b'{"prompt": {}}', "prompt_no_outputs"),
    "a null node": (b'{"prompt": {"1": null}}', "missing_node_type"),
    "NaN": (b'{"prompt": {"3": {"class_type": "Save", "inputs": {"name": NaN}}}}', "invalid_json"),
    "an overflowing number": (b'{"prompt": {}, "number": 1e999}', "invalid_json"),
    "a number of many digits": (b'{"prompt": {}, "number": ' + b"9" * 5000 + b"}", "invalid_json"),
    "500 levels": (f'{{"prompt": {{}}, "extra_data": {{"extra_pnginfo": {nested(500)}}}}}'.encode(), "invalid_json"),
    "100000 levels": (nested(100_000).encode(), "invalid_json"),
    "client_id as an object": (json.dumps({"prompt": SAVE, "client_id": {"a": 1}}).encode(), "invalid_prompt"),
    "an endless client_id": (json.dumps({"prompt": SAVE, "client_id": "x" * 100_000}).encode(), "invalid_prompt"),
    "prompt_id as a path": (json.dumps({"prompt": SAVE, "prompt_id": "../../x"}).encode(), "invalid_prompt_id"),
    "prompt_id as a number": (json.dumps({"prompt": SAVE, "prompt_id": 5}).encode(), "invalid_prompt_id"),
    "number as text": (json.dumps({"prompt": SAVE, "number": "first"}).encode(), "invalid_prompt"),
    "number as truth": (json.dumps({"prompt": SAVE, "number": True}).encode(), "invalid_prompt"),
    "extra_data as a list": (json.dumps({"prompt": SAVE, "extra_data": [1]}).encode(), "invalid_prompt"),
    "extra_pnginfo as text": (
        json.dumps({"prompt": SAVE, "extra_data": {"extra_pnginfo": "x"}}).encode(),
        "invalid_prompt",
    ),
    "targets as text": (json.dumps({"prompt": SAVE, "partial_execution_targets": "1"}).encode(), "invalid_prompt"),
    "no targets": (json.dumps({"prompt": SAVE, "partial_execution_targets": []}).encode(), "prompt_no_outputs"),
    "an editor document": (json.dumps({"prompt": {"nodes": [], "links": []}}).encode(), "prompt_no_outputs"),
    "a bare editor document": (json.dumps({"nodes": [], "links": [], "version": 0.4}).encode(), "prompt_no_outputs"),
}


@pytest.mark.parametrize("case", MALFORMED)
async def test_a_malformed_body_is_refused_with_a_reason(server: Server, case):
    body, expected = MALFORMED[case]
    status, answer = await server.ask("POST", "/prompt", data=body)
    assert status == 400
    assert answer["error"]["type"] in expected.split("|"), answer
    assert set(answer["error"]) == {"type", "message", "details", "extra_info"}
    assert answer["error"]["message"]
    assert await server.get("/prompt") == (200, {"exec_info": {"queue_remaining": 0, "queue_paused": False}})


async def test_a_number_that_is_none_is_named_by_its_path(server: Server):
    body = b'{"prompt": {"3": {"class_type": "Save", "inputs": {"cfg": -Infinity}}}}'
    _, answer = await server.ask("POST", "/prompt", data=body)
    assert "'prompt.3.inputs.cfg'" in answer["error"]["message"]


async def test_a_bare_graph_is_told_where_it_belongs(server: Server):
    _, answer = await server.post("/prompt", SAVE)
    assert answer["error"]["details"] == "Put the graph under the key 'prompt'."


async def test_all_unknown_classes_are_named_at_once(server: Server):
    prompt = {node_id: {"class_type": f"No{node_id}", "inputs": {}} for node_id in "123"}
    status, answer = await server.post("/prompt", {"prompt": prompt})
    assert (status, answer["error"]["type"]) == (400, "missing_node_type")
    assert list(answer["node_errors"]) == ["1", "2", "3"]
    assert answer["node_errors"]["2"] == {
        "errors": [
            {
                "type": "missing_node_type",
                "message": "Node type 'No2' is not known",
                "details": "Node ID '#2'",
                "extra_info": {},
            }
        ],
        "dependent_outputs": ["2"],
        "class_type": "No2",
    }


async def test_the_good_outputs_run_and_the_answer_names_the_bad(server: Server):
    prompt = SAVE | {"2": {"class_type": "Save", "inputs": {"bad": 1}}}
    status, answer = await server.post("/prompt", {"prompt": prompt})
    assert (status, list(answer["node_errors"])) == (200, ["2"])
    entry = await server.ended(answer["prompt_id"])
    assert entry["prompt"][4] == ["1"]
    assert server.worker.jobs[0].targets == ("1",)


async def test_a_prompt_with_only_bad_outputs_lists_them(server: Server):
    status, answer = await server.post("/prompt", {"prompt": {"2": {"class_type": "Save", "inputs": {"bad": 1}}}})
    assert (status, answer["error"]["type"]) == (400, "prompt_outputs_failed_validation")
    assert answer["error"]["details"] == "why"
    assert list(answer["node_errors"]) == ["2"]


async def test_any_content_type_is_read_when_a_program_sends_it(server: Server):
    body = json.dumps({"prompt": SAVE})
    for kind in ("text/plain", "application/x-www-form-urlencoded", "application/json"):
        status, _ = await server.ask("POST", "/prompt", data=body, headers={"Content-Type": kind})
        assert status == 200


async def test_a_body_over_the_limit_is_refused_before_it_is_held(start):
    server = await start(max_json_size=1000)
    status, answer = await server.post("/prompt", {"prompt": SAVE, "x": "y" * 2000})
    assert (status, answer["error"]["type"]) == (413, "body_too_large")

    async def chunks():
        for _ in range(100):
            yield b"x" * 100

    status, _ = await server.ask("POST", "/prompt", data=chunks())
    assert status == 413


async def test_a_chosen_prompt_id_is_echoed_and_taken_once(server: Server):
    first = await server.queue(SAVE, prompt_id="my-own_id")
    assert first == "my-own_id"
    answers = await asyncio.gather(*(server.post("/prompt", {"prompt": SAVE, "prompt_id": "same"}) for _ in range(5)))
    assert sorted(status for status, _ in answers) == [200, 409, 409, 409, 409]
    refused = next(body for status, body in answers if status == 409)
    assert refused["error"]["type"] == "duplicate_prompt_id"
    assert "'same'" in refused["error"]["message"]


async def test_a_null_prompt_id_gets_one(server: Server):
    assert len(await server.queue(SAVE, prompt_id=None)) == 36


async def test_secrets_are_kept_nowhere_and_client_marks_are_dropped(server: Server):
    prompt = {"1": {"class_type": "Save", "inputs": {"name": "a"}, "is_changed": ["x"]}}
    job = await server.queue(prompt, client_id="me", extra_data={"api_key_comfy_org": "s3cret", "note": 1})
    entry = await server.ended(job)
    _number, _id, stored, extra_data, _outputs = entry["prompt"]
    assert stored == SAVE
    assert set(extra_data) == {"note", "create_time", "client_id"}


KEYS = {"auth_token_comfy_org": "t0ken", "api_key_comfy_org": "s3cret"}


@pytest.mark.parametrize(
    ("extra_data", "credentials"),
    [
        (None, {}),
        ({"note": 1}, {}),
        ({"api_key_comfy_org": "s3cret"}, {"API_KEY_COMFY_ORG": "s3cret"}),
        (KEYS, {"AUTH_TOKEN_COMFY_ORG": "t0ken", "API_KEY_COMFY_ORG": "s3cret"}),
        ({"api_key_comfy_org": 3, "auth_token_comfy_org": ""}, {}),
    ],
)
async def test_the_job_carries_its_client_and_credentials(server: Server, extra_data, credentials):
    await server.ended(await server.queue(SAVE, client_id="me", extra_data=extra_data))
    [ran] = server.worker.jobs
    assert (ran.client_id, ran.credentials) == ("me", credentials)


async def test_credentials_are_in_no_answer_no_file_and_no_log_and_end_with_their_job(server: Server, caplog):
    caplog.set_level("DEBUG")
    blocker = await server.queue(WAIT, extra_data=KEYS, prompt_id="runs")
    await server.started()
    await server.queue(WAIT, extra_data=KEYS, prompt_id="waits")
    assert server.app[CREDENTIALS].of("waits")
    shown = [(await server.get(path))[1] for path in ("/queue", "/jobs", "/jobs/runs", "/jobs/waits")]
    await server.post("/queue", {"delete": ["waits"]})
    assert not server.app[CREDENTIALS].of("waits")
    server.worker.released.set()
    shown.append(await server.ended(blocker))
    assert not server.app[CREDENTIALS].of("runs")
    kept = b"".join(path.read_bytes() for path in server.folders.user.rglob("*") if path.is_file())
    for secret in KEYS.values():
        assert secret not in json.dumps(shown)
        assert secret.encode() not in kept
        assert secret not in caplog.text


async def test_a_second_attempt_has_the_credentials_of_the_first(server: Server):
    dies = {"1": {"class_type": "Die", "inputs": {"times": 1}}}
    await server.ended(await server.queue(dies, extra_data=KEYS))
    assert [bool(ran.credentials) for ran in server.worker.jobs] == [True, True]


async def test_a_refused_duplicate_neither_gives_nor_takes_credentials(server: Server):
    await server.queue(WAIT)
    await server.started()
    await server.queue(SAVE, prompt_id="with", extra_data=KEYS)
    await server.queue(SAVE, prompt_id="without")
    for name in ("with", "without"):
        other = {"api_key_comfy_org": "other"}
        assert (await server.post("/prompt", {"prompt": SAVE, "prompt_id": name, "extra_data": other}))[0] == 409
    server.worker.released.set()
    await server.ended("without")
    credentials = {ran.job_id: ran.credentials for ran in server.worker.jobs}
    assert credentials["with"]["API_KEY_COMFY_ORG"] == "s3cret"
    assert credentials["without"] == {}


async def test_a_bare_nan_in_is_changed_does_not_refuse_a_prompt_read_from_a_picture(server: Server):
    body = b'{"prompt": {"1": {"class_type": "Save", "inputs": {"name": "a"}, "is_changed": [NaN]}}}'
    status, _ = await server.ask("POST", "/prompt", data=body)
    assert status == 200


async def test_a_full_queue_asks_to_come_back(start):
    server = await start(max_queue=2)
    await server.queue(WAIT)
    await server.queue(WAIT)
    status, answer = await server.post("/prompt", {"prompt": WAIT})
    assert (status, answer["error"]["type"]) == (429, "queue_full")
    server.worker.released.set()


async def test_the_job_carries_what_the_envelope_said(server: Server):
    picture = {"workflow": {"id": "w-1", "nodes": []}}
    extra_data = {"extra_pnginfo": picture, "preview_method": "taesd"}
    job = await server.queue(
        SAVE | {"2": {"class_type": "Save", "inputs": {}}}, extra_data=extra_data, partial_execution_targets=["2"]
    )
    await server.ended(job)
    ran = server.worker.jobs[0]
    assert (ran.job_id, ran.targets, ran.extra_pnginfo, ran.preview_method) == (job, ("2",), picture, "taesd")


async def test_prompts_wait_for_a_worker_that_loads_and_are_told_when_it_cannot(start, tmp_path):
    loading = asyncio.Event()
    server = await start(FakeWorker(loading=loading), worker_deadline=0.1)
    assert (await server.get("/features"))[0] == 200
    assert (await server.get("/health"))[1]["worker"] == "starting"
    status, answer = await server.post("/prompt", {"prompt": SAVE})
    assert (status, answer["error"]["type"]) == (503, "worker_starting")
    loading.set()
    assert (await server.get("/object_info"))[0] == 200
    assert (await server.get("/health"))[1]["worker"] == "ready"
    broken = await start(FakeWorker(broken="no module named torch"), base=tmp_path / "other")
    status, answer = await broken.get("/object_info")
    assert status == 503
    assert "no module named torch" in answer["error"]["message"]
    assert (await broken.get("/system_stats"))[1]["devices"] == []


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
ENVELOPES = st.fixed_dictionaries(
    {},
    optional={
        "prompt": ANY_JSON | st.just(SAVE) | st.dictionaries(st.text(max_size=3), ANY_JSON, max_size=3),
        "client_id": ANY_JSON,
        "prompt_id": ANY_JSON,
        "number": ANY_JSON,
        "front": ANY_JSON,
        "extra_data": ANY_JSON,
        "partial_execution_targets": ANY_JSON,
    },
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=ANY_JSON | ENVELOPES)
def test_no_envelope_is_the_servers_fault(body):
    outcome: PromptRequest | ApiError
    try:
        outcome = parse_prompt_request(parse_json(json.dumps(body).encode()), now=1)
    except ApiError as refusal:
        outcome = refusal
    if isinstance(outcome, ApiError):
        assert outcome.status == 400
        assert outcome.message
    else:
        assert isinstance(outcome.prompt, dict)
        assert outcome.prompt_id
