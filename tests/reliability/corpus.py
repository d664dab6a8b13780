"""What hostile or broken clients send: bodies, paths and files, as data. It sends nothing itself."""

import json
import struct
from typing import Any

from tests.reliability.stand import node

GRAPH: dict[str, Any] = {
    "1": node("EmptyImage", width=16, height=16, batch_size=1, color=5),
    "3": node("ImageScaleBy", image=["1", 0], upscale_method="bicubic", scale_by=1.0),
    "2": node("SaveImage", images=["3", 0], filename_prefix="graph"),
}
"""A valid prompt, which the cases spoil."""


def _spoiled(node_id: str, value: Any) -> dict[str, Any]:
    return {"prompt": GRAPH | {node_id: value}}


MALFORMED: list[tuple[str, Any, str]] = [
    ("no JSON", b"{", "JSON"),
    ("empty body", b"", "JSON"),
    ("blank body", b"   ", "JSON"),
    ("half a body", json.dumps({"prompt": GRAPH}).encode()[:60], "JSON"),
    ("two values", b"{} {}", "JSON"),
    ("a bare word", b"prompt", "JSON"),
    ("single quotes", b"{'prompt': {}}", "JSON"),
    ("a comma too many", b'{"prompt": {},}', "JSON"),
    ("no UTF-8", b'{"prompt": "\xff\xfe"}', "UTF-8"),
    ("UTF-16 with a broken end", b'\xff\xfe{\x00"', "UTF-8"),
    ("a picture", b"\x89PNG\r\n\x1a\n" + bytes(100), "body"),
    ("null", b"null", "body"),
    ("true", b"true", "body"),
    ("a number", b"5", "body"),
    ("a text", b'"prompt"', "body"),
    ("a list", b"[]", "body"),
    ("a list of prompts", b'[{"prompt": {}}]', "body"),
    ("an empty object", {}, "prompt"),
    ("no prompt", {"client_id": "x"}, "prompt"),
    ("the graph itself", GRAPH, "prompt"),
    *((f"prompt is {value!r}", {"prompt": value}, "prompt") for value in (None, True, 5, 1.5, "x", [], [1], "{}")),
    ("empty prompt", {"prompt": {}}, "output"),
    ("an editor document", {"prompt": {"nodes": [], "links": []}}, "output"),
    *((f"node 3 is {value!r}", _spoiled("3", value), "3") for value in (None, True, 5, "x", [], {})),
    *(
        (f"class_type is {value!r}", _spoiled("3", {"class_type": value, "inputs": {}}), "3")
        for value in (None, True, 5, "", [], ["EmptyImage"], {})
    ),
    *(
        (f"inputs is {value!r}", _spoiled("3", {"class_type": "ImageScaleBy", "inputs": value}), "3")
        for value in (True, 5, "x", [1])
    ),
    ("prompt_id an object", {"prompt": GRAPH, "prompt_id": {"a": 1}}, "prompt_id"),
    ("prompt_id a path", {"prompt": GRAPH, "prompt_id": "../../x"}, "prompt_id"),
    ("prompt_id too long", {"prompt": GRAPH, "prompt_id": "x" * 100_000}, "prompt_id"),
    ("client_id an object", {"prompt": GRAPH, "client_id": {"a": 1}}, "client_id"),
    ("NaN", b'{"prompt": {}, "number": NaN}', "number"),
]
"""Name, body, and what the refusal must name."""


def nested(depth: int) -> bytes:
    """JSON that is nested so deeply."""
    return b'{"a":' * depth + b"1" + b"}" * depth


def safetensors(header: Any, data: bytes = b"", *, length: int | None = None) -> bytes:
    """A file with this header, which may be text already, and perhaps a wrong word about its length."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


_WEIGHT = {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]}


def bad_checkpoints(good: bytes) -> dict[str, tuple[bytes, str]]:
    """File name -> content, and a word that the error must hold. `good` is a whole checkpoint."""
    length = int.from_bytes(good[:8], "little")
    return {
        "empty.safetensors": (b"", "empty"),
        "short.safetensors": (b"\1\2\3", "3 bytes"),
        "random.safetensors": (bytes((i * 37 + 11) % 256 for i in range(4096)), "header"),
        "cut_header.safetensors": (good[: length // 2], "truncated"),
        "cut_data.safetensors": (good[: len(good) // 2], f"{len(good):,}"),
        "cut_one.safetensors": (good[:-1], f"{len(good) - 1:,}"),
        "page.safetensors": (b"<!DOCTYPE html><html><body>404</body></html>", "HTML"),
        "pointer.safetensors": (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 30302208\n",
            "Git LFS",
        ),
        "huge_header.safetensors": (safetensors({}, length=2**63), "9,223,372,036,854,775,808"),
        "ninety_mb.safetensors": (safetensors({}, length=90_000_000), "90,000,000"),
        "deep_header.safetensors": (safetensors(nested(100_000)), "damaged"),
        "list_header.safetensors": (safetensors([1, 2]), "damaged"),
        "overlap.safetensors": (
            safetensors({"a": _WEIGHT, "b": _WEIGHT | {"data_offsets": [8, 24]}}, bytes(24)),
            "damaged",
        ),
        "outside.safetensors": (safetensors({"a": _WEIGHT | {"data_offsets": [0, 10**6]}}, bytes(16)), "truncated"),
        "overflow.safetensors": (safetensors({"a": _WEIGHT | {"shape": [2**40, 2**40]}}, bytes(16)), "damaged"),
        "negative.safetensors": (safetensors({"a": _WEIGHT | {"data_offsets": [-16, 0]}}, bytes(16)), "damaged"),
        "unknown.safetensors": (safetensors({"some.tensor": _WEIGHT}, bytes(16)), "some"),
    }


PATHS: list[str] = [
    "..", "../", "../x.png", "../../x.png", "../../../etc/passwd", "a/../../x.png", "a/../../../x.png", "./../x.png",
    "/etc/passwd", "//etc/passwd", "///etc/passwd", "/", "~/x.png", "~root/x.png", "\\\\server\\share\\x.png",
    "//server/share/x.png", "C:\\x.png", "C:/x.png", "c:x.png", "..\\x.png", "..\\..\\x.png", "a\\..\\..\\x.png",
    "%2e%2e/x.png", "%2e%2e%2fx.png", "..%2fx.png", "..%5cx.png", "%252e%252e%252fx.png", "%25252e%25252e%25252fx.png",
    "%c0%ae%c0%ae/x.png", "..%c0%afx.png", "....//x.png", "....//....//x.png", "..././x.png", ".../x.png",
    "../output2/x.png", "../input2/x.png", "../outputx", "\0", "x\0.png", "../x\0.png", "x.png\0.txt", "CON", "NUL.png",
    "x.png:stream", "x.png::$DATA", "file:/" + "//etc/passwd", "x" * 5000, "a/" * 2500 + "x.png", " ../x.png",
    "../ x.png", "\u2025/x.png", "\uff0e\uff0e/x.png", "\u2216x.png", "..\u2215x.png", "\n../x.png", "..\n/x.png",
    "..;/x.png", "/proc/self/environ", "/dev/stdin", "a/./../../b/../../x.png", "..//..//x.png", "x.png/../../../x.png",
]  # fmt: skip
"""Names that lead out of a folder, or look as if they did."""


EVIL = "https://evil.example"

HOSTILE: list[tuple[str, dict[str, str]]] = [
    ("a page of another site", {"Origin": EVIL}),
    ("a page of another site, as plain text", {"Origin": EVIL, "Content-Type": "text/plain"}),
    ("a page of another program on this machine", {"Origin": "http://127.0.0.1:9"}),
    ("a sandboxed frame", {"Origin": "null"}),
    ("a page from the disk", {"Origin": "file" + "://"}),
    ("a name that was rebound to this machine", {"Host": "evil.example", "Origin": "http://evil.example"}),
    ("a foreign host and no origin", {"Host": "evil.example"}),
    ("a foreign host and another origin", {"Host": "evil.example", "Origin": "http://other.example"}),
    ("the address 0.0.0.0", {"Host": "0.0.0.0:8188", "Origin": EVIL}),
    ("an address of the network", {"Host": "192.168.1.5:8188", "Origin": "http://192.168.1.5:8188"}),
    ("a form of another site", {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}),
    ("a port that is none", {"Host": "127.0.0.1:notaport"}),
    ("half an address", {"Host": "[::1"}),
]
"""Who asks, and what the browser says of it. None may have any effect."""

HOSTILE_SOCKETS: list[tuple[str, dict[str, str]]] = [
    ("a page of another site", {"Origin": EVIL}),
    ("a sandboxed frame", {"Origin": "null"}),
    ("a name that was rebound to this machine", {"Host": "evil.example", "Origin": "http://evil.example"}),
    ("a foreign host and no origin", {"Host": "evil.example"}),
    ("a page that navigates", {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}),
]

HANDSHAKE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
}
