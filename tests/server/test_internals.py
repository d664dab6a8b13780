"""What the panels of an editor ask for: the log, the files of a folder, the user's folders, pictures of models."""

import base64
import io
import json
import logging
import os
import struct

import pytest
from PIL import Image

from tests.server.conftest import Server

log = logging.getLogger("tests.internals")


async def test_the_log_is_kept_and_told_to_subscribers_alone(server: Server):
    log.warning("before")
    async with server.listen("me") as me, server.listen("other") as other:
        subscription = {"clientId": "me", "enabled": True}
        assert (await server.ask("PATCH", "/internal/logs/subscribe", json=subscription))[0] == 200
        log.warning("of interest")
        [message] = await me.until("logs")
        assert message["data"]["size"] is None
        assert message["data"]["entries"][0]["m"] == "WARNING tests.internals: of interest\n"
        await server.ask("PATCH", "/internal/logs/subscribe", json=subscription | {"enabled": False})
        log.warning("after")
        await server.post("/queue", {"clear": True})
        assert [it["type"] for it in (await me.next(), await other.next())] == ["status", "status"]
    _, raw = await server.get("/internal/logs/raw")
    lines = [entry["m"].rpartition(": ")[2] for entry in raw["entries"]]
    assert lines[-3:] == ["before\n", "of interest\n", "after\n"]
    assert "of interest\n" in (await server.get("/internal/logs"))[1]


async def test_only_the_last_lines_of_the_log_are_kept_and_none_after_the_end(server: Server):
    for number in range(400):
        log.warning("line %d", number)
    entries = (await server.get("/internal/logs/raw"))[1]["entries"]
    assert (len(entries), entries[-1]["m"][-9:]) == (300, "line 399\n")
    handlers = len(logging.getLogger().handlers)
    await server.app.shutdown()
    await server.app.cleanup()
    assert len(logging.getLogger().handlers) == handlers - 2, "the panel's and the file's"


async def test_the_files_of_a_folder_are_listed_newest_first(server: Server):
    for age, name in enumerate(["c.png", "a.png", "b.png"]):
        path = server.folders.output / name
        path.write_bytes(b"x")
        os.utime(path, (1000 - age, 1000 - age))
    (server.folders.output / "inner").mkdir()
    assert await server.get("/internal/files/output") == (200, ["c.png", "a.png", "b.png"])


async def test_the_users_folders_are_listed_with_what_is_in_them(server: Server):
    await server.ask("POST", "/userdata/workflows%2Fdeep%2Fa.json", data=b"{}")
    await server.ask("POST", "/userdata/b.txt", data=b"four")
    _, found = await server.get("/v2/userdata")
    assert [(it["type"], it["path"]) for it in found] == [
        ("directory", "workflows"),
        ("directory", "workflows/deep"),
        ("file", "b.txt"),
        ("file", "workflows/deep/a.json"),
    ]
    assert found[2]["size"] == 4
    _, inside = await server.get("/v2/userdata?path=workflows/deep")
    assert [(it["name"], it["path"]) for it in inside] == [("a.json", "workflows/deep/a.json")]


def picture(image_format: str) -> bytes:
    target = io.BytesIO()
    Image.new("RGB", (4, 4), "red").save(target, image_format)
    return target.getvalue()


def model(metadata: dict[str, str]) -> bytes:
    header = json.dumps({"__metadata__": metadata}).encode()
    return struct.pack("<Q", len(header)) + header


@pytest.mark.parametrize("source", ["beside", "header", "link", "none", "damaged"])
async def test_the_picture_of_a_model_lies_beside_it_or_in_its_header(server: Server, source):
    folder = server.folders.models["checkpoints"][0]
    cover = json.dumps([base64.b64encode(picture("PNG")).decode()])
    covers = {"header": cover, "link": cover, "damaged": '["?"]'}
    (folder / "a.safetensors").write_bytes(model({"ssmd_cover_images": covers[source]} if source in covers else {}))
    if source == "link":
        (folder / "a.safetensors").rename(folder.parent / "elsewhere.safetensors")
        (folder / "a.safetensors").symlink_to(folder.parent / "elsewhere.safetensors")
    if source == "beside":
        (folder / "a.preview.png").write_bytes(picture("PNG"))
    url = f"{server.url}/api/experiment/models/preview/checkpoints/0/a.safetensors"
    async with server.session.get(url) as answer:
        body = await answer.read()
        assert answer.status == (404 if source in ("none", "damaged") else 200)
    if answer.status == 200:
        assert answer.content_type == "image/webp"
        assert Image.open(io.BytesIO(body)).size == (4, 4)
