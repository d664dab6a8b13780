"""Editor documents posted to the server: converted on demand, and run as they are."""

import copy
import json
import random
from pathlib import Path

import pytest

from executor.object_info import definition_from_object_info
from executor.process import ProcessWorker
from tests.executor.toys import folders, toy_worker
from tests.server.conftest import Server
from tests.server.fake_worker import FakeWorker

DATA = Path(__file__).parents[1] / "executor" / "data"
SHARED = Path(__file__).parents[3] / "shared/parity/workflows"
FOLDERS = [DATA, *([SHARED] if SHARED.is_dir() else [])]
PAIRS = [
    (folder, path.name.removesuffix(".workflow.json"))
    for folder in FOLDERS
    for path in sorted(folder.glob("*.workflow.json"))
]
PEER_DEFECTS = {
    "3d_hunyuan3d-v2.1": "restores values by position where the file names them, so all are shifted",
    "flux1_dev_uso_reference_image_gen": "runs the inside of a bypassed instance that is nested in another",
}
EDITOR_WIDGETS = {"SaveGLB": {"image"}}
"""Inputs that only an extension of that editor has, not the node type."""

DOCUMENT = {
    "id": "w-1",
    "nodes": [
        {"id": 1, "type": "Text", "widgets_values": ["hello"], "outputs": [{"name": "text", "type": "STRING"}]},
        {"id": 2, "type": "Save", "widgets_values": ["picture"]},
        {"id": 3, "type": "Gone", "widgets_values": ["a"]},
    ],
    "links": [],
    "version": 0.4,
}
KNOWN = DOCUMENT | {"nodes": DOCUMENT["nodes"][:2]}


def knowing(folder: Path) -> FakeWorker:
    """A worker with the node types of a recorded `/object_info`."""
    worker = FakeWorker()
    entries = json.loads((folder / "object_info.json").read_text())
    worker.known = {name: definition_from_object_info(name, entry) for name, entry in entries.items()}
    return worker


def comparable(prompt: dict) -> dict:
    """Without titles, which that editor translates, and without the widgets that only it has."""
    return {
        node_id: {
            "class_type": node["class_type"],
            "inputs": {
                name: value
                for name, value in node["inputs"].items()
                if name not in EDITOR_WIDGETS.get(node["class_type"], ())
            },
        }
        for node_id, node in prompt.items()
    }


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
async def test_published_templates_are_converted_to_what_the_editor_would_send(start, folder):
    server = await start(knowing(folder))
    names = [name for where, name in PAIRS if where == folder and name not in PEER_DEFECTS]
    assert len(names) >= 5
    for name in names:
        document = json.loads((folder / f"{name}.workflow.json").read_text())
        expected = json.loads((folder / f"{name}.prompt.json").read_text())
        status, answer = await server.post("/api/workflow/convert", document)
        assert (status, answer["warnings"]) == (200, []), name
        assert comparable(answer["prompt"]) == comparable(expected), name


@pytest.mark.parametrize("body", [DOCUMENT, {"workflow": DOCUMENT}])
async def test_what_did_not_fit_is_said_with_the_prompt(server: Server, body):
    status, answer = await server.post("/workflow/convert", body)
    assert status == 200
    assert answer["warnings"] == ["Node 3: the type 'Gone' is not known here."]
    assert answer["prompt"]["2"]["inputs"] == {"name": "picture"}
    assert await server.get("/history") == (200, {})


@pytest.mark.parametrize("body", [KNOWN, {"prompt": KNOWN}])
async def test_a_document_is_queued_like_a_prompt_and_its_pictures_carry_it(server: Server, body):
    status, answer = await server.post("/prompt", body)
    assert (status, answer["node_errors"], "warnings" in answer) == (200, {}, False)
    entry = await server.ended(answer["prompt_id"])
    assert entry["outputs"]["2"]["images"][0]["filename"] == "picture.png"
    assert server.worker.jobs[0].extra_pnginfo == {"workflow": KNOWN}
    assert (await server.get("/jobs"))[1]["jobs"][0]["workflow_id"] == "w-1"


async def test_the_envelope_of_a_document_counts(server: Server):
    async with server.listen("me") as listener:
        extra_data = {"extra_pnginfo": {"workflow": {"id": "mine"}, "note": "n"}, "preview_method": "none"}
        await server.queue(KNOWN, client_id="me", prompt_id="chosen", extra_data=extra_data)
        await listener.until_end()
    ran = server.worker.jobs[0]
    assert (ran.job_id, ran.preview_method) == ("chosen", "none")
    assert ran.extra_pnginfo == {"workflow": {"id": "mine"}, "note": "n"}
    status, answer = await server.post("/prompt", {"prompt": KNOWN, "prompt_id": "chosen"})
    assert (status, answer["error"]["type"]) == (409, "duplicate_prompt_id")
    status, answer = await server.post("/prompt", {"prompt": KNOWN, "extra_data": 3})
    assert (status, answer["error"]["type"]) == (400, "invalid_prompt")


async def test_a_document_with_an_unknown_node_is_refused_with_its_warnings(server: Server):
    status, answer = await server.post("/prompt", {"prompt": DOCUMENT})
    assert (status, answer["error"]["type"]) == (400, "missing_node_type")
    assert answer["warnings"] == ["Node 3: the type 'Gone' is not known here."]


async def test_no_damaged_document_is_the_servers_fault(server: Server):
    junk = [None, True, -1, 3.5, "x", [], {}, [1], ["a", 2], {"a": 1}, [[1, 2, 3]], [None] * 6]
    chance = random.Random(5)
    document = json.loads((DATA / "image_flux2.workflow.json").read_text())
    for _ in range(60):
        damaged = copy.deepcopy(document)
        spots = [
            (part, key) for part in parts(damaged) for key in (part if isinstance(part, dict) else range(len(part)))
        ]
        for part, key in chance.sample(spots, 3):
            part[key] = copy.deepcopy(chance.choice(junk))
        status, answer = await server.post("/workflow/convert", damaged)
        assert status in (200, 400), answer


def parts(value):
    """Every object and list of a JSON value."""
    if isinstance(value, (dict, list)):
        yield value
        for item in value.values() if isinstance(value, dict) else value:
            yield from parts(item)


async def test_a_document_runs_in_a_real_worker(start, tmp_path):
    root = tmp_path / "worker"
    root.mkdir()
    folders(root)
    server = await start(ProcessWorker(toy_worker, root, grace=1.0), worker_deadline=60.0)
    document = {
        "nodes": [
            {"id": 1, "type": "Number", "widgets_values": [3], "outputs": [{"name": "value", "type": "INT"}]},
            {"id": 2, "type": "Show", "inputs": [{"name": "value", "type": "*", "link": 9}]},
        ],
        "links": [[9, 1, 0, 2, 0, "INT"]],
    }
    entry = await server.ended(await server.queue(document))
    assert entry["outputs"]["2"]["values"] == [3]
