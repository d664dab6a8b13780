"""Messages of packs as the frames that clients parse."""

import io
import json
import struct
from typing import Any

import pytest
from PIL import Image

from nodes.packs.messages import make_message, text_payload

RED = Image.new("RGBA", (64, 16), "red")


@pytest.mark.parametrize(
    ("image_format", "largest", "kind", "file_format", "size"),
    [
        ("JPEG", None, 1, "JPEG", (64, 16)),
        ("PNG", 32, 2, "PNG", (32, 8)),
        ("jpg", 512, 1, "JPEG", (64, 16)),
    ],
)
def test_a_picture_becomes_a_preview_frame(
    image_format: str, largest: int | None, kind: int, file_format: str, size: tuple[int, int]
) -> None:
    message = make_message(2, (image_format, RED, largest), "me")
    assert (message.event, message.client_id) == (1, "me")
    assert struct.unpack(">I", message.data[:4]) == (kind,)
    picture = Image.open(io.BytesIO(message.data[4:]))
    assert (picture.format, picture.size) == (file_format, size)


def test_a_picture_with_metadata_says_its_type() -> None:
    data = make_message(4, (("PNG", RED, None), {"node_id": "7"}), None).data
    (length,) = struct.unpack(">I", data[:4])
    assert json.loads(data[4 : 4 + length]) == {"node_id": "7", "image_type": "image/png"}
    assert Image.open(io.BytesIO(data[4 + length :])).size == (64, 16)


def test_bytes_pass_as_they_are() -> None:
    assert make_message(1, bytearray(b"\0\0\0\1jpeg"), None).data == b"\0\0\0\1jpeg"
    assert make_message(3, text_payload("hé", "12"), None).data == b"\0\0\0\x0212h\xc3\xa9"


@pytest.mark.parametrize(
    ("event", "data", "expected"),
    [
        ("an.event", {"a": object()}, "not JSON serializable"),
        (1, "text", "carries bytes, not str"),
        (2, ("GIF", RED, None), "JPEG or PNG, not GIF"),
    ],
)
def test_what_no_frame_carries_is_refused(event: Any, data: Any, expected: str) -> None:
    with pytest.raises((TypeError, ValueError), match=expected):
        make_message(event, data, None)
