"""What node packs bring and say: files for the editor, reports, messages, and their look at every prompt."""

import asyncio
import hashlib
import json
import struct
from pathlib import Path
from typing import Any

import pytest

from executor.folders import ModelFolder
from executor.packs import PackMessage, PackReport, PackServices
from server.clients import MAX_OFFERED_BYTES, Client, Packed
from tests.server.conftest import Server
from tests.server.fake_worker import FakeWorker, definition

SAVE = {"1": {"class_type": "Save", "inputs": {"name": "a"}}}


def write(root: Path, files: dict[str, Any]) -> None:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")


def pack(root: Path, name: str, files: dict[str, Any], web: str | None = None) -> PackReport:
    write(root / name, files)
    directories = {name: str(root / name / web)} if web else None
    return PackReport(
        name, str(root / name), f"custom_nodes.{name}", (f"{name} Node",), 0.25, web_directories=directories
    )


async def serving(start, *reports: PackReport, **services) -> Server:
    worker = FakeWorker()
    worker.services = PackServices(reports, **services)
    return await start(worker)


async def test_every_pack_is_reported_with_what_went_wrong(start):
    broken = PackReport("bad", "/somewhere", "custom_nodes.bad", error="It needs 'x'.", traceback=("line 1", "line 2"))
    server = await serving(start, PackReport("good", "/p", "custom_nodes.good", ("A", "B"), 1.5), broken)
    assert (await server.get("/api/packs"))[1] == [
        {
            "name": "good",
            "module": "custom_nodes.good",
            "node_types": ["A", "B"],
            "seconds": 1.5,
            "error": None,
            "traceback": [],
        },
        {
            "name": "bad",
            "module": "custom_nodes.bad",
            "node_types": [],
            "seconds": 0.0,
            "error": "It needs 'x'.",
            "traceback": ["line 1", "line 2"],
        },
    ]


@pytest.fixture
async def scripted(start, tmp_path) -> Server:
    files = {
        "js/b.js": "b",
        "js/deep/a b.js": "a",
        "js/style.css": "c",
        "js/notes.xyz": "?",
        "secret.py": "s",
        "x.js": "x",
    }
    toys = pack(tmp_path, "toys & co", files, web="js")
    web = tmp_path / "toys & co" / "js"
    (web / "leak.js").symlink_to(tmp_path / "toys & co" / "secret.py")
    (web / "out").symlink_to(tmp_path / "toys & co")
    (web / "same.js").symlink_to(web / "b.js")
    return await serving(start, toys, pack(tmp_path, "plain", {"a.js": ""}))


async def test_scripts_of_packs_are_listed_and_nothing_outside_their_folder(scripted: Server):
    _, listed = await scripted.get("/extensions")
    assert listed == [
        "/extensions/toys%20%26%20co/b.js",
        "/extensions/toys%20%26%20co/deep/a%20b.js",
        "/extensions/toys%20%26%20co/same.js",
    ]
    for address in listed:
        assert (await scripted.get(address))[0] == 200


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("b.js", "text/javascript"),
        ("style.css", "text/css"),
        ("notes.xyz", "application/octet-stream"),
        ("leak.js", None),
        ("out/secret.py", None),
        ("out/x.js", None),
        ("..%2Fsecret.py", None),
        ("%2e%2e/secret.py", None),
        ("%2Fetc%2Fpasswd", None),
        ("deep", None),
        ("deep/", None),
        ("none.js", None),
        ("a%00.js", None),
    ],
)
async def test_a_web_folder_gives_its_own_files_with_their_types(scripted: Server, path, kind):
    from yarl import URL

    url = URL(f"{scripted.url}/extensions/toys%20&%20co/{path}", encoded=True)
    async with scripted.session.get(url) as answer:
        assert answer.status == (200 if kind else 404)
        if kind:
            assert answer.content_type == kind
            assert answer.headers["X-Content-Type-Options"] == "nosniff"


async def test_translations_of_packs_are_merged_and_a_damaged_file_is_left_out(start, tmp_path, caplog):
    one = {
        "locales/en/main.json": {"g": {"a": "1", "b": "2"}},
        "locales/en/nodeDefs.json": {"N": {"t": "x"}},
        "locales/fr/settings.json": {"s": 1},
        "locales/fr/main.json": "{",
    }
    two = {"locales/en/main.json": {"g": {"b": "3"}}, "locales/en/nodeDefs.json": {"M": 1}, "locales/README": ""}
    server = await serving(start, pack(tmp_path, "one", one), pack(tmp_path, "two", two))
    assert (await server.get("/i18n"))[1] == {
        "en": {"g": {"a": "1", "b": "3"}, "nodeDefs": {"N": {"t": "x"}, "M": 1}},
        "fr": {"settings": {"s": 1}},
    }
    assert "main.json is left out" in caplog.text


async def test_example_workflows_of_packs_are_listed_and_served(start, tmp_path):
    files = {
        "example_workflows/b.json": {"b": 1},
        "example_workflows/b.jpg": "x",
        "workflows/a.json": {"a": 1},
        "c.json": {},
    }
    server = await serving(start, pack(tmp_path, "one", files), pack(tmp_path, "none", {}))
    assert (await server.get("/workflow_templates"))[1] == {"one": ["b", "a"]}
    assert await server.get("/api/workflow_templates/one/b.json") == (200, {"b": 1})
    assert await server.get("/api/workflow_templates/one/a.json") == (200, {"a": 1})
    assert (await server.get("/api/workflow_templates/one/b.jpg"))[0] == 200
    for missing in ("one/c.json", "one/..%2Fc.json", "none/b.json"):
        assert (await server.get(f"/api/workflow_templates/{missing}"))[0] == 404


async def test_subgraphs_of_packs_are_listed_by_id_and_fetched_by_it(start, tmp_path):
    server = await serving(start, pack(tmp_path, "one", {"subgraphs/blur.json": {"nodes": []}}))
    _, listed = await server.get("/global_subgraphs")
    wanted = hashlib.sha256(b"custom_nodes.one/blur.json").hexdigest()
    entry = {"source": "custom_node", "name": "blur", "info": {"node_pack": "custom_nodes.one"}}
    assert listed == {wanted: entry}
    assert (await server.get(f"/global_subgraphs/{wanted}"))[1] == entry | {"data": '{"nodes": []}'}
    assert await server.get("/global_subgraphs/other") == (200, None)


async def test_model_folders_that_packs_add_are_known_to_the_server(start, tmp_path):
    write(tmp_path / "extra", {"a.onnx": "x", "b.txt": "x"})
    folder = ModelFolder((tmp_path / "extra",), frozenset({".onnx"}))
    server = await serving(start, model_folders={"onnx": folder})
    await server.get("/packs")
    assert (await server.get("/models/onnx"))[1] == ["a.onnx"]


@pytest.mark.parametrize(
    ("message", "text", "frame"),
    [
        (PackMessage("toy.event", {"a": [1, None]}), {"type": "toy.event", "data": {"a": [1, None]}}, None),
        (PackMessage("toy.event", None), {"type": "toy.event", "data": None}, None),
        (PackMessage(1, b"picture"), None, struct.pack(">I", 1) + b"picture"),
        (PackMessage(77, bytearray(b"x")), None, struct.pack(">I", 77) + b"x"),
    ],
)
async def test_a_message_of_a_pack_reaches_whom_it_names(server: Server, message, text, frame):
    last = PackMessage("last", {})
    async with server.listen("me") as me, server.listen("you") as you:
        for client_id in (None, "me"):
            await server.worker.said.put(PackMessage(message.event, message.data, client_id))
        await server.worker.said.put(last)
        for listener, times in ((me, 2), (you, 1)):
            heard = (await listener.until("last"))[:-1]
            assert heard == [text] * times if text else listener.pictures == [frame] * times


@pytest.mark.parametrize(
    "message",
    [
        PackMessage("bad", {"a": object()}),
        PackMessage("bad", {"a": {1, 2}}),
        PackMessage("bad", b"bytes"),
        PackMessage(3, "text"),
        PackMessage(-1, b"x"),
        PackMessage(2**32, b"x"),
    ],
)
async def test_what_cannot_be_a_frame_is_dropped_with_a_line_in_the_log(server: Server, caplog, message):
    async with server.listen("me") as listener:
        await server.worker.said.put(message)
        await server.worker.said.put(PackMessage("last", {}))
        assert await listener.until("last") == [{"type": "last", "data": {}}]
    assert f"message '{message.event}' cannot be sent" in caplog.text
    assert listener.pictures == []


async def test_a_pack_that_says_too_much_loses_its_messages_and_not_the_client(caplog):
    dropped = []
    reading = Reading()
    client = Client("me", reading, lambda: dropped.append("connection"))
    for _ in range(100):
        client.offer(Packed("x" * 100_000))
    client.put(Packed("last"))
    assert dropped == []
    assert caplog.text.count("loses messages") == 1
    pump = asyncio.create_task(client.pump())
    await reading.read_all.wait()
    pump.cancel()
    assert sum(map(len, reading.heard)) <= MAX_OFFERED_BYTES + 100


class Reading:
    """A socket that reads everything."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.read_all = asyncio.Event()

    async def send_str(self, data: str) -> None:
        self.heard.append(data)
        if data == "last":
            self.read_all.set()

    async def send_bytes(self, data: bytes) -> None:
        self.heard.append(data.decode())


async def rewritten(start, rewrite, **services) -> tuple[Server, str]:
    """A server whose packs look at every prompt, and the job that it made of SAVE."""
    worker = FakeWorker()
    worker.services = PackServices(rewrites_prompts=services.get("rewrites_prompts", True))
    worker.rewrite = rewrite
    server = await start(worker)
    job = await server.queue(SAVE, client_id="me")
    await server.ended(job)
    return server, server.worker.jobs[0].prompt["1"]["inputs"]["name"]


async def renames(body):
    assert body["client_id"] == "me"
    return body | {"prompt": {"1": {"class_type": "Save", "inputs": {"name": "packs"}}}}


async def fails(_body):
    raise RuntimeError("it fell over")


async def hangs(_body):
    await asyncio.Event().wait()


async def nests(_body):
    return {"prompt": SAVE, "deep": json.loads("[" * 200 + "]" * 200)}


async def returns_nothing(_body):
    return None


@pytest.mark.parametrize(
    ("rewrite", "name", "said"),
    [
        (renames, "packs", None),
        (fails, "a", "it fell over"),
        (hangs, "a", "took more than"),
        (nests, "a", "nested more than"),
        (returns_nothing, "a", "no JSON object"),
    ],
)
async def test_packs_may_rewrite_a_prompt_and_cannot_break_it(start, monkeypatch, caplog, rewrite, name, said):
    monkeypatch.setattr("server.routes.prompt._REWRITE_SECONDS", 0.05 if rewrite is hangs else 5.0)
    _, found = await rewritten(start, rewrite)
    assert found == name
    assert said is None or said in caplog.text


async def test_packs_that_do_not_ask_see_no_prompt(start):
    _, name = await rewritten(start, fails, rewrites_prompts=False)
    assert name == "a"


@pytest.mark.parametrize(("node_types", "asked_again"), [((), False), (("Fresh",), True)])
async def test_node_types_are_asked_for_again_only_where_packs_may_change_them(start, node_types, asked_again):
    server = await serving(start, PackReport("toys", "", "custom_nodes.toys", node_types))
    assert (await server.get("/object_info"))[0] == 200
    server.worker.known["Fresh"] = definition("Fresh")
    assert bool((await server.get("/object_info/Fresh"))[1]) is asked_again
    assert ("Fresh" in (await server.get("/object_info"))[1]) is asked_again


async def test_a_worker_that_does_not_answer_leaves_the_nodes_described_as_before(start, monkeypatch, caplog):
    server = await serving(start, PackReport("toys", "", "custom_nodes.toys", ("Toy",)))
    _, known = await server.get("/object_info")
    monkeypatch.setattr("server.catalogue._REFRESH_SECONDS", 0.01)
    server.worker._loading = asyncio.Event()
    assert await server.get("/object_info") == (200, known)
    assert "described as they were before" in caplog.text
