"""Files and models (FM): damaged and hostile files are named with what is wrong, and no path leads out of its folder.

KNOWN lists what fails today, and why.
"""

import io
import json
import os
import pickle
import urllib.parse
import zipfile
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.reliability.cases import Case, Table, run_case
from tests.reliability.corpus import PATHS, bad_checkpoints
from tests.reliability.stand import EMBEDDED, Answer, Stand, node, patience, saving

KNOWN = {
    "FM-15 a name for results that leads out is refused before anything runs": (
        "filename_prefix is judged by the node when it saves; the door does not know which texts are names of files"
    ),
}

cases = Table(known=KNOWN)

MEBIBYTE = 2**20


def load(stand: Stand, name: str) -> dict[str, Any]:
    """Try to load a checkpoint and use it; why that fails."""
    return stand.failure(
        {
            "1": node("CheckpointLoaderSimple", ckpt_name=name),
            "2": node("CLIPTextEncode", clip=["1", 1], text="x"),
            "3": node("PreviewAny", source=["2", 0]),
        }
    )


def put(stand: Stand, name: str, content: bytes) -> None:
    (stand.base / "models" / "checkpoints" / name).write_bytes(content)


def upload(stand: Stand, name: str, content: bytes, **fields: str) -> Answer:
    """Upload a file as a browser does."""
    parts = [
        f'--cut\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'.encode()
        for key, value in fields.items()
    ]
    quoted = name.replace('"', "%22").replace("\r", "").replace("\n", "")
    parts.append(
        b'--cut\r\nContent-Disposition: form-data; name="image"; filename="'
        + quoted.encode("utf-8", "surrogatepass")
        + b'"\r\nContent-Type: application/octet-stream\r\n\r\n'
        + content
        + b"\r\n--cut--\r\n"
    )
    return stand.ask("POST", "/upload/image", b"".join(parts), {"Content-Type": "multipart/form-data; boundary=cut"})


def png(width: int = 8, height: int = 8) -> bytes:
    held = io.BytesIO()
    Image.new("RGB", (width, height), (9, 8, 7)).save(held, "PNG")
    return held.getvalue()


@cases("FM-01", "each damaged checkpoint is named with what is wrong, within the memory")
def damaged(stand: Stand) -> None:
    worker = stand.worker
    assert worker is not None
    corpus = bad_checkpoints(EMBEDDED.read_bytes())
    for name, (content, _) in corpus.items():
        put(stand, name, content)
    put(stand, "good.safetensors", EMBEDDED.read_bytes())
    good = {
        "1": node("CheckpointLoaderSimple", ckpt_name="good.safetensors"),
        "2": node("CLIPTextEncode", clip=["1", 1], text="x"),
        "3": node("PreviewAny", source=["2", 0]),
    }
    assert stand.run(good)["status"] == "completed"  # what a loader needs is imported, and not counted
    before = worker.memory_info().rss
    for name, (_, word) in corpus.items():
        error = load(stand, name)
        message = error["exception_message"]
        assert error["node_id"] == "1", (name, error)
        assert name in message, (name, message)
        assert word.lower() in message.lower(), (name, word, message)
        assert "weights_only" not in message
    assert worker.memory_info().rss <= before + 64 * MEBIBYTE
    assert stand.worker == worker, "the worker died"


@cases("FM-02", "a web page, a pointer and a file of another kind are called what they are")
def foreign(stand: Stand) -> None:
    for name, content, word in (
        ("page.safetensors", b"<!DOCTYPE html><html></html>", "HTML"),
        ("pointer.safetensors", b"version https://git-lfs.github.com/spec/v1\n", "Git LFS"),
        ("picture.safetensors", png(), "picture.safetensors"),
        ("text.safetensors", b"hello, this is a text file\n" * 10, "no safetensors"),
    ):
        put(stand, name, content)
        assert word in load(stand, name)["exception_message"]


class Payload:
    """Touches a file as soon as it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.marker}",)


def zipped(content: bytes) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        archive.writestr("archive/data.pkl", content)
        archive.writestr("archive/version", "3\n")
        archive.writestr("archive/byteorder", "little")
    return held.getvalue()


@cases("FM-03", "no pickle runs, whatever it is called and wherever it is loaded")
def pickles(stand: Stand) -> None:
    marker = stand.base / "executed"
    bare = [pickle.dumps(Payload(marker), protocol=protocol) for protocol in (0, 2, 4)]
    contents = {f"pickle{i}": content for i, content in enumerate((*bare, zipped(bare[1]), b"\n" + bare[2]))}
    for kind, content in contents.items():
        for suffix in (".ckpt", ".pt", ".safetensors"):
            put(stand, kind + suffix, content)
            error = load(stand, kind + suffix)
            assert kind + suffix in error["exception_message"], error
            assert "weights_only" not in error["exception_message"], error
    assert not marker.exists(), "a payload ran"


@cases("FM-05", "a zip bomb is refused before it is opened")
def zip_bomb(stand: Stand) -> None:
    held = io.BytesIO()
    with (
        zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("archive/data.pkl", "w", force_zip64=True) as file,
    ):
        for _ in range(200):
            file.write(bytes(MEBIBYTE))
    put(stand, "bomb.ckpt", held.getvalue())
    worker = stand.worker
    assert worker is not None
    before = worker.memory_info().rss
    assert "bomb.ckpt" in load(stand, "bomb.ckpt")["exception_message"]
    assert worker.memory_info().rss <= before + 64 * MEBIBYTE


@cases("FM-06", "a file that is replaced or gone between two runs is noticed")
def changed(stand: Stand) -> None:
    for color in ((1, 2, 3), (200, 100, 50)):
        Image.new("RGB", (8, 8), color).save(stand.base / "input" / "changing.png")
        graph = {"1": node("LoadImage", image="changing.png"), "2": node("SaveImage", images=["1", 0])}
        saved = stand.run(graph)["outputs"]["2"]["images"][0]
        assert Image.open(stand.base / "output" / saved["filename"]).getpixel((0, 0)) == color
    (stand.base / "input" / "changing.png").unlink()
    answer = stand.prompt(graph)
    assert answer.status == 400, answer.text
    assert "changing.png" in answer.text


@cases("FM-07", "a file of an unknown architecture is named with the keys that it has")
def unknown(stand: Stand) -> None:
    content, word = bad_checkpoints(EMBEDDED.read_bytes())["unknown.safetensors"]
    put(stand, "unknown.safetensors", content)
    message = load(stand, "unknown.safetensors")["exception_message"]
    assert "unknown.safetensors" in message
    assert word in message


SECRET = b"a secret that nobody may read"


def _outside(stand: Stand) -> set[Path]:
    """What lies beside the folders of the installation, where an escape would write."""
    inside = {"input", "output", "temp", "user", "models", "custom_nodes"}
    return {
        path for path in stand.base.parent.rglob("*") if not inside & set(path.relative_to(stand.base.parent).parts)
    }


@cases("FM-08", "no path leads out of its folder, through any route or any node input")
def paths(stand: Stand) -> None:
    assert len(PATHS) >= 60
    (stand.base / "x.png").write_bytes(SECRET)
    (stand.base.parent / "x.png").write_bytes(SECRET)
    for sibling in ("output2", "input2"):
        (stand.base / sibling).mkdir(exist_ok=True)
        (stand.base / sibling / "x.png").write_bytes(SECRET)
    before = _outside(stand)
    for path in PATHS:
        quoted = urllib.parse.quote(path, safe="")
        for route in (
            f"/view?filename={quoted}",
            f"/view?filename={quoted}&type=output",
            f"/view?filename=x.png&subfolder={quoted}&type=output",
            f"/userdata/{quoted}",
            f"/userdata?dir={quoted}",
            f"/extensions/hostile_pack/{quoted}",
            f"/view_metadata/checkpoints?filename={quoted}",
            f"/models/{quoted}",
            f"/workflow_templates/hostile_pack/{quoted}",
        ):
            _leaks_not(stand.get(route), path)
        for answer in (
            stand.ask("POST", f"/userdata/{quoted}", b"written"),
            stand.ask("DELETE", f"/userdata/{quoted}"),
            stand.ask("POST", f"/userdata/x.json/move/{quoted}"),
            upload(stand, path.replace("\0", "")[:1000], png(), subfolder="a"),
            upload(stand, "good.png", png(), subfolder=path),
        ):
            _leaks_not(answer, path)
        for graph in (
            {"1": node("LoadImage", image=path), "2": node("PreviewAny", source=["1", 0])},
            {"1": node("LoadImageMask", image=path, channel="red"), "2": node("PreviewAny", source=["1", 0])},
            {"1": node("CheckpointLoaderSimple", ckpt_name=path), "2": node("PreviewAny", source=["1", 0])},
        ):
            answer = stand.prompt(graph)
            assert answer.status == 400, (path, answer.text)
            _leaks_not(answer, path)
    assert _outside(stand) == before
    assert (stand.base / "x.png").read_bytes() == SECRET


def _leaks_not(answer: Answer, path: str) -> None:
    assert answer.status < 500, (path, answer.path, answer.status, answer.text[:300])
    for secret in (SECRET, b"root:", b"PATH="):
        assert secret not in answer.body, (path, answer.path)


@cases("FM-09", "links in a folder that point out of it are not followed")
def links(stand: Stand) -> None:
    outside = stand.base / "elsewhere"
    outside.mkdir()
    (outside / "x.png").write_bytes(SECRET)
    for place in ("input", "output", "user/default"):
        (stand.base / place).mkdir(exist_ok=True, parents=True)
        (stand.base / place / "out").symlink_to(outside)
        (stand.base / place / "file.png").symlink_to(outside / "x.png")
    for route in (
        "/view?filename=x.png&subfolder=out",
        "/view?filename=x.png&subfolder=out&type=input",
        "/view?filename=file.png",
        "/view?filename=file.png&type=input",
        "/userdata/out%2Fx.png",
        "/userdata/file.png",
    ):
        answer = stand.get(route)
        assert 400 <= answer.status < 500, (route, answer.status)
        _leaks_not(answer, route)
    assert 400 <= upload(stand, "new.png", png(), subfolder="out").status < 500
    assert 400 <= stand.ask("POST", "/userdata/out%2Fnew.json", b"{}").status < 500
    graph = {"1": node("LoadImage", image="out/x.png"), "2": node("PreviewAny", source=["1", 0])}
    assert stand.prompt(graph).status == 400 or "leads outside" in stand.failure(graph)["exception_message"]
    assert stand.failure(saving(1, "out/new"))["node_id"] == "2"
    assert [file.name for file in outside.iterdir()] == ["x.png"]
    for place in ("input", "output", "user/default"):
        (stand.base / place / "out").unlink()
        (stand.base / place / "file.png").unlink()


@cases("FM-11", "a picture that ends too early is no silent success")
def truncated(stand: Stand) -> None:
    whole = io.BytesIO()
    Image.effect_noise((64, 64), 50).save(whole, "PNG")
    (stand.base / "input" / "cut.png").write_bytes(whole.getvalue()[: len(whole.getvalue()) // 2])
    graph = {"1": node("LoadImage", image="cut.png"), "2": node("SaveImage", images=["1", 0])}
    error = stand.failure(graph)
    assert error["node_id"] == "1"
    assert "cut.png" in error["exception_message"]


@cases("FM-12", "what users made is shown in place only if it cannot run")
def served(stand: Stand) -> None:
    page = b"<html><script>alert(1)</script></html>"
    for name, content, inline in (
        ("a.html", page, False), ("a.HTML", page, False), ("a.xht", page, False), ("a.js", b"alert(1)", False),
        ("a.mjs", b"alert(1)", False), ("a.svg", b"<svg onload='alert(1)'/>", False), ("a.xml", b"<a/>", False),
        ("a.pdf", b"%PDF-1.4", False), ("noext", page, False), ("liar.png", page, False), ("real.png", png(), True),
    ):  # fmt: skip
        (stand.base / "output" / name).write_bytes(content)
        (stand.base / "user" / "default").mkdir(exist_ok=True)
        (stand.base / "user" / "default" / name).write_bytes(content)
        for route in (f"/view?filename={name}", f"/userdata/{name}"):
            answer = stand.get(route)
            headers = {key.lower(): value for key, value in answer.headers.items()}
            assert answer.status == 200, (route, answer.status)
            assert headers["x-content-type-options"] == "nosniff", route
            assert "sandbox" in headers["content-security-policy"], route
            if not inline:
                assert headers["content-type"] == "application/octet-stream", (route, headers)
                assert headers["content-disposition"].startswith("attachment"), (route, headers)
            elif route.startswith("/view"):
                assert headers["content-type"] == "image/png", headers
        (stand.base / "output" / name).unlink()


@cases("FM-14", "an upload never takes the place of a result, nor of another upload unless asked")
def overwrite(stand: Stand) -> None:
    first = upload(stand, "same.png", png(8)).json()["name"]
    assert upload(stand, "same.png", png(8)).json()["name"] == first
    assert upload(stand, "same.png", png(9)).json()["name"] != first
    (stand.base / "output" / "result.png").write_bytes(png(8))
    upload(stand, "result.png", png(9), type="output", overwrite="true")
    assert (stand.base / "output" / "result.png").read_bytes() == png(8)
    (stand.base / "output" / "result.png").unlink()


@cases("FM-15", "a name for results that leads out is refused, and the field is named")
def prefixes(stand: Stand) -> None:
    for prefix in ("../x", "../../x", "/tmp/x", "a/../../x", "x" * 300, "\0"):
        answer = stand.prompt(saving(1, prefix))
        if answer.status == 200:
            error = stand.until(answer.json()["prompt_id"], "failed")["execution_error"]
            assert error["node_id"] == "2", (prefix, error)
        else:
            assert answer.status == 400


@cases("FM-15", "a name for results that leads out is refused before anything runs")
def prefixes_at_the_door(stand: Stand) -> None:
    answer = stand.prompt(saving(1, "../x"))
    assert answer.status == 400, answer.text
    assert "filename_prefix" in answer.text


@cases("FM-10", "a picture of too many pixels is refused from its header")
def bombs(stand: Stand) -> None:
    big = io.BytesIO()
    Image.new("1", (12_000, 12_000)).save(big, "PNG")
    for name, content in (("big.png", big.getvalue()), ("huge.png", _claims(50_000, 50_000))):
        answer = upload(stand, name, content)
        assert answer.status == 413, (name, answer.status, answer.text)
        assert "12000" in answer.text.replace(",", "") or "50000" in answer.text.replace(",", "")
        assert answer.seconds <= 0.05 * patience() + 0.05


def _claims(width: int, height: int) -> bytes:
    """A PNG that says of itself to be of this size."""
    import struct
    import zlib

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + head
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk)) + png()[33:]


@pytest.mark.parametrize("case", cases.params())
def test_files(case: Case, stand: Stand) -> None:
    run_case(case, stand)


def test_the_payload_would_run_if_it_were_unpickled(tmp_path: Path) -> None:
    pickle.loads(pickle.dumps(Payload(tmp_path / "ran")))
    assert (tmp_path / "ran").exists()
    assert json.dumps(str(tmp_path))
