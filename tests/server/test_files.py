"""Files in and out: nothing leaves its folder, nothing runs in our name, nothing is half written."""

import asyncio
import io
import json
import os
import struct
import zlib

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from yarl import URL

from executor.folders import PathError
from executor.whole_files import sweep, write_atomic
from server.files import store_upload, upload_name
from tests.server.conftest import Server


def png(colour=(10, 20, 30, 128), size=(4, 3), **texts: str) -> bytes:
    info, target = PngInfo(), io.BytesIO()
    for key, text in texts.items():
        info.add_text(key, text)
    Image.new("RGBA", size, colour).save(target, "PNG", pnginfo=info)
    return target.getvalue()


def form(content: bytes | None, name: str = "a.png", **fields: str) -> aiohttp.FormData:
    data = aiohttp.FormData(quote_fields=False, default_to_multipart=True)
    for key, value in fields.items():
        data.add_field(key, value)
    if content is not None:
        data.add_field("image", content, filename=name)
    return data


def files_under(root):
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


async def upload(server: Server, content, name="a.png", path="/upload/image", **fields):
    return await server.ask("POST", path, data=form(content, name, **fields))


async def test_an_upload_is_stored_and_viewed(server: Server):
    assert await upload(server, png()) == (200, {"name": "a.png", "subfolder": "", "type": "input"})
    for query in ("filename=a.png&type=input", "filename=a.png [input]"):
        async with server.session.get(f"{server.url}/view?{query}") as answer:
            assert answer.status == 200
            assert answer.content_type == "image/png"
            assert await answer.read() == png()
            assert answer.headers["Content-Disposition"].startswith('inline; filename="a.png"')
            assert "sandbox" in answer.headers["Content-Security-Policy"]


async def test_the_same_file_is_kept_once_and_another_gets_another_name(server: Server):
    names = [(await upload(server, content))[1]["name"] for content in (b"one", b"one", b"two", b"two", b"three")]
    assert names == ["a.png", "a.png", "a (1).png", "a (1).png", "a (2).png"]
    assert files_under(server.folders.input) == {"a.png": b"one", "a (1).png": b"two", "a (2).png": b"three"}


async def test_overwriting_is_possible_where_asked_but_never_for_results(server: Server):
    for place, expected in (("input", "a.png"), ("temp", "a.png"), ("output", "a (1).png")):
        await upload(server, b"one", type=place)
        answer = await upload(server, b"two", type=place, overwrite="true", subfolder="")
        assert answer[1] == {"name": expected, "subfolder": "", "type": place}
    assert files_under(server.folders.output) == {"a.png": b"one", "a (1).png": b"two"}


async def test_a_subfolder_is_made(server: Server):
    _, answer = await upload(server, b"x", subfolder="deep/er")
    assert answer == {"name": "a.png", "subfolder": "deep/er", "type": "input"}
    assert files_under(server.folders.input) == {"deep/er/a.png": b"x"}


@pytest.mark.parametrize("name", ["Screenshot at 1.00.00\u202fPM.png", "猫 (1).png", "a'b & c.png", ".hidden.png"])
async def test_ordinary_names_of_all_kinds_are_kept_as_they_are(server: Server, name):
    _, answer = await upload(server, png(), name)
    assert answer["name"] == name
    async with server.session.get(f"{server.url}/view", params={"filename": name, "type": "input"}) as viewed:
        assert await viewed.read() == png()


@pytest.mark.parametrize("path", ["/upload/image", "/upload/mask"])
@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("../a.png", {}),
        ("/etc/a.png", {}),
        ("sub/a.png", {}),
        ("..", {}),
        (".", {}),
        ("a\\b.png", {}),
        ("C:a.png", {}),
        ("x" * 300, {}),
        ("a.png", {"subfolder": ".."}),
        ("a.png", {"subfolder": "/tmp"}),
        ("a.png", {"subfolder": "a/../../b"}),
        ("a.png", {"subfolder": "x" * 2000}),
        ("a.png", {"type": "bogus"}),
        ("a.png", {"type": "user"}),
    ],
)
async def test_no_upload_leaves_its_folder(server: Server, tmp_path, path, name, fields):
    (server.folders.output / "o.png").write_bytes(png())
    before = set(files_under(tmp_path))
    status, answer = await upload(server, png(), name, path, original_ref='{"filename": "o.png"}', **fields)
    assert status == 400
    assert answer["error"]["message"]
    assert set(files_under(tmp_path)) == before


async def test_an_upload_without_a_file_or_with_a_damaged_body_is_refused(server: Server):
    status, answer = await upload(server, None, type="input")
    assert (status, answer["error"]["message"]) == (400, "The upload has no file field 'image'.")
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    for body in (b"", b"--x\r\n", b"garbage", b"--x\r\nContent-Disposition: form-data\r\n\r\nabc"):
        status, _ = await server.ask("POST", "/upload/image", data=body, headers=headers)
        assert status == 400, body
    status, _ = await server.ask("POST", "/upload/image", data=b"x", headers={"Content-Type": "multipart/form-data"})
    assert status == 400


async def test_an_upload_over_the_limit_is_refused_and_leaves_nothing(start):
    server = await start(max_upload_size=10_000)
    status, answer = await upload(server, b"x" * 20_000)
    assert status == 413
    assert "max-upload-size" in answer["error"]["message"]
    assert files_under(server.folders.input) == {}


async def test_a_picture_of_too_many_pixels_is_refused_by_its_header(server: Server):
    chunk = struct.pack(">4sIIBBBBB", b"IHDR", 9000, 9000, 8, 2, 0, 0, 0)
    header = struct.pack(">8sI", b"\x89PNG\r\n\x1a\n", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
    status, answer = await upload(server, header + png()[33:])
    assert status == 413
    assert "9000 x 9000" in answer["error"]["message"]
    assert files_under(server.folders.input) == {}


async def test_a_mask_joins_the_colours_and_texts_of_its_original(server: Server):
    (server.folders.input / "o.png").write_bytes(png((200, 100, 50, 255), prompt="{}"))
    reference = json.dumps({"filename": "o.png", "type": "input"})
    status, answer = await upload(
        server, png((0, 0, 0, 40)), "m.png", "/upload/mask", original_ref=reference, subfolder="s"
    )
    assert (status, answer["subfolder"]) == (200, "s")
    with Image.open(server.folders.input / "s" / "m.png") as made:
        assert made.getpixel((0, 0)) == (200, 100, 50, 40)
        assert made.text == {"prompt": "{}"}


@pytest.mark.parametrize(
    ("reference", "status"),
    [
        ("", 400),
        ("junk", 400),
        ("[]", 400),
        ("{}", 400),
        ('{"filename": "none.png"}', 404),
        ('{"filename": "../x"}', 400),
    ],
)
async def test_a_mask_without_its_original_is_refused(server: Server, reference, status):
    found, _ = await upload(server, png(), "m.png", "/upload/mask", original_ref=reference)
    assert found == status
    assert files_under(server.folders.input) == {}


async def test_channels_and_previews_are_made_on_request(server: Server):
    (server.folders.output / "a.png").write_bytes(png())

    async def opened(query: str):
        async with server.session.get(f"{server.url}/view?filename=a.png&{query}") as answer:
            return answer.content_type, Image.open(io.BytesIO(await answer.read()))

    kind, picture = await opened("channel=rgb")
    assert (kind, picture.mode, picture.getpixel((0, 0))) == ("image/png", "RGB", (10, 20, 30))
    kind, picture = await opened("channel=a")
    assert (kind, picture.mode, picture.getpixel((0, 0))) == ("image/png", "RGBA", (0, 0, 0, 128))
    kind, picture = await opened("preview=webp;50")
    assert (kind, picture.format, picture.size) == ("image/webp", "WEBP", (4, 3))
    kind, picture = await opened("preview=jpeg")
    assert (kind, picture.format) == ("image/jpeg", "JPEG")
    assert (await opened("preview=strange;x"))[0] == "image/webp"
    assert (await server.get("/view?filename=a.png&channel=q"))[0] == 400


async def test_what_is_no_picture_cannot_be_previewed(server: Server):
    (server.folders.output / "a.png").write_bytes(b"not a picture")
    status, answer = await server.get("/view?filename=a.png&preview=webp")
    assert (status, answer["error"]["message"]) == (
        415,
        "'a.png' cannot be opened as a picture: it has no known picture format.",
    )


ACTIVE = {
    "a.svg": b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>",
    "a.html": b"<script>alert(1)</script>",
    "a.HTML": b"<script>alert(1)</script>",
    "a.xml": b"<?xml version='1.0'?><a/>",
    "a.js": b"alert(1)",
    "a.pdf": b"%PDF-1.4",
    "noext": b"<html>",
    "a.png": b"<svg onload='alert(1)'/>",
    "a.json": b"{}",
}


@pytest.mark.parametrize("name", ACTIVE)
async def test_what_a_browser_could_run_is_only_a_download(server: Server, name):
    (server.folders.output / name).write_bytes(ACTIVE[name])
    user = server.folders.user / "default"
    user.mkdir(exist_ok=True)
    (user / name).write_bytes(ACTIVE[name])
    for path in (f"/view?filename={name}", f"/userdata/{name}"):
        async with server.session.get(server.url + path) as answer:
            assert answer.status == 200
            is_json = path == "/userdata/a.json"
            assert answer.content_type == ("application/json" if is_json else "application/octet-stream")
            assert is_json or answer.headers["Content-Disposition"].startswith("attachment")
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert "sandbox" in answer.headers["Content-Security-Policy"]


async def ask_as_is(server: Server, method: str, path: str):
    """A request whose path is sent without the client's own tidying."""
    async with server.session.request(method, URL(server.url + path, encoded=True)) as answer:
        return answer.status, await answer.read()


ESCAPES = [
    "../secret.txt",
    "..%2Fsecret.txt",
    "%2e%2e%2fsecret.txt",
    "a/../../secret.txt",
    "....//secret.txt",
    "/etc/passwd",
    "%2Fetc%2Fpasswd",
    "..%5Csecret.txt",
    "..%252Fsecret.txt",
    "link/secret.txt",
    "%00secret.txt",
    "..",
    ".",
    "C:secret.txt",
    "x" * 300,
    "x" * 5000,
    "%ED%A0%80",
]


HARMLESS = {("GET", "/userdata?dir=."), ("GET", "/."), ("GET", "/..")}


@pytest.mark.parametrize("name", ESCAPES)
async def test_no_path_leads_out_of_its_folder(server: Server, tmp_path, name):
    (tmp_path / "secret.txt").write_bytes(b"secret")
    user = server.folders.user / "default"
    user.mkdir()
    for root in (server.folders.output, user, server.folders.models["checkpoints"][0]):
        (root / "link").symlink_to(tmp_path)
    before = files_under(tmp_path)
    paths = [
        ("GET", f"/view?filename={name}"),
        ("GET", f"/view?filename=secret.txt&subfolder={name.removesuffix('secret.txt')}"),
        ("GET", f"/userdata/{name}"),
        ("GET", f"/userdata?dir={name}"),
        ("POST", f"/userdata/{name}"),
        ("DELETE", f"/userdata/{name}"),
        ("GET", f"/view_metadata/checkpoints?filename={name}"),
        ("GET", f"/{name}"),
    ]
    for method, path in paths:
        status, body = await ask_as_is(server, method, path)
        assert body != b"secret"
        stored = (method, status) in (("POST", 200), ("DELETE", 204))  # a name that only looks like a path is a name
        assert 400 <= status < 500 or stored or (method, path) in HARMLESS, (method, path, status)
    after = files_under(tmp_path)
    assert {path: content for path, content in after.items() if not path.startswith("user/default/")} == before


async def test_a_workflow_is_saved_listed_opened_moved_and_removed(server: Server):
    assert await server.ask("POST", "/userdata/workflows%2Fa.json", data=b'{"nodes": []}') == (200, "workflows/a.json")
    _, info = await server.ask("POST", "/userdata/workflows%2Fsub%2Fb.json?full_info=true", data=b"{}")
    assert (info["path"], info["size"]) == ("workflows/sub/b.json", 2)
    assert info["modified"] > 1e12
    assert await server.get("/userdata/workflows%2Fa.json") == (200, {"nodes": []})
    assert await server.get("/userdata?dir=workflows") == (200, ["a.json"])
    assert await server.get("/userdata?dir=workflows&recurse=true") == (200, ["a.json", "sub/b.json"])
    _, split = await server.get("/userdata?dir=workflows&recurse=true&split=true")
    assert split == [["a.json", "a.json"], ["sub/b.json", "sub", "b.json"]]
    _, full = await server.get("/userdata?dir=workflows&full_info=true")
    assert [(item["path"], item["size"]) for item in full] == [("a.json", 13)]
    status, answer = await server.ask("POST", "/userdata/workflows%2Fa.json?overwrite=false", data=b"x")
    assert (status, answer["error"]["type"]) == (409, "file_exists")
    assert (await server.post("/userdata/workflows%2Fa.json/move/workflows%2Fsub%2Fb.json?overwrite=false"))[0] == 409
    assert await server.post("/userdata/workflows%2Fa.json/move/workflows%2Fc.json") == (200, "workflows/c.json")
    assert (await server.ask("DELETE", "/userdata/workflows%2Fc.json"))[0] == 204
    assert files_under(server.folders.user / "default") == {"workflows/sub/b.json": b"{}"}


async def test_a_file_that_somebody_changed_meanwhile_is_not_replaced(server: Server):
    url = server.url + "/userdata/workflows%2Fa.json"

    async def post(content: bytes, version: str | None = None) -> tuple[int, str | None]:
        headers = {} if version is None else {"If-Match": version}
        async with server.session.post(url, data=content, headers=headers) as answer:
            return answer.status, answer.headers.get("ETag")

    async def read() -> tuple[bytes, str | None]:
        async with server.session.get(url) as answer:
            return await answer.read(), answer.headers.get("ETag")

    assert (await post(b"[0]", '"never"'))[0] == 412
    assert not (server.folders.user / "default" / "workflows" / "a.json").exists()
    status, first = await post(b"[1]")
    assert (status, await read()) == (200, (b"[1]", first))
    status, second = await post(b"[2, 2]", first)
    assert (status, await read()) == (200, (b"[2, 2]", second))
    assert await post(b"[3]", first) == (412, None)
    assert await read() == (b"[2, 2]", second)
    results = await asyncio.gather(*(post(b"[%d]" % (100 + n), second) for n in range(8)))
    assert sorted(status for status, _ in results) == [200, *[412] * 7]


async def test_settings_are_merged_and_a_damaged_file_is_left_alone(server: Server):
    await asyncio.gather(*(server.post("/settings", {f"key{n}": n}) for n in range(10)))
    await server.post("/settings/Some.Key", [1, 2])
    _, settings = await server.get("/settings")
    assert settings == {f"key{n}": n for n in range(10)} | {"Some.Key": [1, 2]}
    assert await server.get("/settings/Some.Key") == (200, [1, 2])
    assert (await server.post("/settings", [1]))[0] == 400
    path = server.folders.user / "default" / "comfy.settings.json"
    path.write_text('{"half":')
    for answer in (await server.get("/settings"), await server.post("/settings", {"a": 1})):
        assert (answer[0], answer[1]["error"]["type"]) == (409, "damaged_file")
    assert path.read_text() == '{"half":'


async def test_metadata_of_a_model_is_read_from_its_header(server: Server):
    root = server.folders.models["checkpoints"][0]
    header = json.dumps({"__metadata__": {"format": "pt"}}).encode()
    (root / "good.safetensors").write_bytes(struct.pack("<Q", len(header)) + header)
    for name, content in (
        ("short", b"abc"),
        ("huge", struct.pack("<Q", 2**63)),
        ("deep", struct.pack("<Q", 9000) + b"[" * 9000),
    ):
        (root / f"{name}.safetensors").write_bytes(content)
        assert (await server.get(f"/view_metadata/checkpoints?filename={name}.safetensors"))[0] == 404
    assert await server.get("/view_metadata/checkpoints?filename=good.safetensors") == (200, {"format": "pt"})
    assert await server.get("/models/checkpoints") == (
        200,
        ["deep.safetensors", "good.safetensors", "huge.safetensors", "short.safetensors"],
    )
    _, described = await server.get("/experiment/models/checkpoints")
    assert (described[1]["name"], described[1]["pathIndex"]) == ("good.safetensors", 0)


async def test_embeddings_are_listed_by_the_name_that_a_text_uses(server: Server):
    root = server.folders.models["embeddings"][0]
    (root / "sub").mkdir()
    for name in ("style.safetensors", "sub/v1.5.pt", "notes.txt"):
        (root / name).write_bytes(b"x")
    assert await server.get("/embeddings") == (200, ["style", "sub/v1.5"])


async def test_the_page_explains_itself_until_the_editor_is_built(start, tmp_path):
    bare = await start(base=tmp_path / "bare")
    status, page = await bare.get("/")
    assert status == 200
    assert b"npm run build" in page
    dist = tmp_path / "dist"
    (dist / "assets").mkdir(parents=True)
    (dist / "index.html").write_text("<!doctype html><title>Editor</title>")
    (dist / "assets" / "index-DiwrgTda.js").write_text("1")
    (dist / "favicon.svg").write_text("<svg/>")
    built = await start(base=tmp_path / "built", editor=dist)
    for path, kind, cache in (
        ("/", "text/html", "no-cache"),
        ("/assets/index-DiwrgTda.js", "text/javascript", "public, max-age=31536000, immutable"),
        ("/favicon.svg", "image/svg+xml", "no-cache"),
    ):
        async with built.session.get(built.url + path) as answer:
            assert (answer.status, answer.content_type) == (200, kind)
            assert answer.headers["Cache-Control"] == cache
            assert "script-src 'self'" in answer.headers["Content-Security-Policy"]
    assert (await built.get("/assets/none.js"))[0] == 404
    assert (await built.get("/assets"))[0] == 404


def test_an_unfinished_write_leaves_the_old_file_and_no_litter(tmp_path, monkeypatch):
    path = tmp_path / "a.json"
    write_atomic(path, b"old")

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_atomic(path, b"new")
    assert files_under(tmp_path) == {"a.json": b"old"}


def test_litter_of_a_crash_is_swept_once_it_is_old(tmp_path):
    fresh, old = tmp_path / ".a.heddle-tmp", tmp_path / ".b.heddle-tmp"
    for path in (fresh, old, tmp_path / "kept"):
        path.write_bytes(b"x")
    os.utime(old, (0, 0))
    sweep(tmp_path)
    assert sorted(files_under(tmp_path)) == [".a.heddle-tmp", "kept"]


def test_uploads_find_names_on_a_file_system_without_links(tmp_path, monkeypatch):
    def unsupported(*_paths: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr("os.link", unsupported)
    names = [
        store_upload(io.BytesIO(content), tmp_path / "a.png", overwrite=False).name for content in (b"1", b"1", b"2")
    ]
    assert names == ["a.png", "a.png", "a (1).png"]
    assert files_under(tmp_path) == {"a.png": b"1", "a (1).png": b"2"}


@given(name=st.text(max_size=30))
def test_an_upload_name_is_one_plain_name_or_refused(name):
    try:
        kept = upload_name(name)
    except PathError:
        return
    assert kept == name
    assert not set(kept) & set("/\\:\0")
    assert kept.strip(". ")
