"""What packs send to clients, as `PackMessage`: JSON that is surely JSON, and the payloads of binary frames.

Knows the binary events of the protocol; who listens, it does not know.
"""

import io
import json
import struct
from collections.abc import Mapping
from typing import Any

from PIL import Image, ImageOps

from executor.packs import PackMessage

PREVIEW_IMAGE = 1
UNENCODED_PREVIEW_IMAGE = 2
TEXT = 3
PREVIEW_IMAGE_WITH_METADATA = 4

_KINDS = {"JPEG": 1, "PNG": 2}
_MEDIA_TYPES = {"JPEG": "image/jpeg", "PNG": "image/png"}
_QUALITY = 95


def make_message(event: str | int, data: Any, client_id: str | None) -> PackMessage:
    """The message that packs mean by `send(event, data, client_id)`. Raises TypeError or ValueError for data that its
    event cannot carry."""
    if isinstance(event, str):
        return PackMessage(str(event), json.loads(json.dumps(data)), client_id)
    number = int(event)
    if number == UNENCODED_PREVIEW_IMAGE:
        image_format, image, largest = data
        content = struct.pack(">I", _KINDS[_known(image_format)]) + encode_picture(image_format, image, largest)
        return PackMessage(PREVIEW_IMAGE, content, client_id)
    if number == PREVIEW_IMAGE_WITH_METADATA and not isinstance(data, bytes | bytearray):
        (image_format, image, largest), metadata = data
        return PackMessage(number, _with_metadata(image_format, image, largest, metadata), client_id)
    if not isinstance(data, bytes | bytearray | memoryview):
        raise TypeError(f"a binary event carries bytes, not {type(data).__name__}")
    return PackMessage(number, bytes(data), client_id)


def encode_picture(image_format: str, image: Image.Image, largest: int | None) -> bytes:
    """A "JPEG" or "PNG" file of the picture, shrunk to fit a square of `largest` pixels if that is given."""
    name = _known(image_format)
    if largest is not None and largest < max(image.size):
        image = ImageOps.contain(image, (largest, largest), Image.Resampling.BILINEAR)
    if name == "JPEG" and image.mode not in ("RGB", "L"):
        image = image.convert("RGB")
    buffer = io.BytesIO()
    image.save(buffer, name, quality=_QUALITY, compress_level=1)
    return buffer.getvalue()


def text_payload(text: str | bytes, node_id: str) -> bytes:
    """The payload of a TEXT frame."""
    node, shown = node_id.encode(), text.encode() if isinstance(text, str) else bytes(text)
    return struct.pack(">I", len(node)) + node + shown


def _with_metadata(
    image_format: str, image: Image.Image, largest: int | None, metadata: Mapping[str, Any] | None
) -> bytes:
    described = json.dumps({**(metadata or {}), "image_type": _MEDIA_TYPES[_known(image_format)]}).encode()
    return struct.pack(">I", len(described)) + described + encode_picture(image_format, image, largest)


def _known(image_format: str) -> str:
    name = {"JPG": "JPEG"}.get(str(image_format).upper(), str(image_format).upper())
    if name not in _KINDS:
        raise ValueError(f"previews are JPEG or PNG, not {image_format}")
    return name
