"""The bytes of one memo in a file: a checksum, a JSON header, then byte strings. Opens and places no file.

The file says itself whose memo it is, so a file under a wrong name is found out. The checksum is against damage, not
against an enemy: whoever can write to the folder can write a valid file.
"""

import json
import struct
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from executor.cache import Memo
from executor.codec import Codecs, pack, unpack

MAGIC = b"HDLMEMO1"
_FIXED = struct.Struct("<8sIQ")
"""Magic, CRC-32 of all that follows the fixed part, length of the header."""


class Damaged(ValueError):
    """A file is not, or no longer, the memo that it should be."""


@dataclass(frozen=True, slots=True)
class MemoFile:
    """A file's content, in pieces so that large ones are not copied."""

    pieces: tuple[bytes, ...]

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return sum(map(len, self.pieces))


def encode_memo(key: str, memo: Memo, codecs: Codecs) -> MemoFile:
    """The file for `memo`. Raises Unstorable."""
    structure, blobs = pack((memo.outputs, memo.ui), codecs)
    header = json.dumps(
        {
            "key": key,
            "seconds": memo.seconds,
            "shown_state": memo.shown_state,
            "blobs": [len(blob) for blob in blobs],
            "memo": structure,
        },
        separators=(",", ":"),
    ).encode()
    return MemoFile((_FIXED.pack(MAGIC, _checksum((header, *blobs)), len(header)), header, *blobs))


def decode_memo(key: str, content: bytes, codecs: Codecs) -> Memo:
    """The memo in a file's content. Raises Damaged."""
    if len(content) < _FIXED.size:
        raise Damaged("The file is too short.")
    magic, checksum, header_length = _FIXED.unpack_from(content)
    view = memoryview(content)[_FIXED.size :]
    if magic != MAGIC or checksum != _checksum((view,)):
        raise Damaged("The file does not match its checksum.")
    try:
        header: dict[str, Any] = json.loads(bytes(view[:header_length]))
        if header["key"] != key:
            raise Damaged("The file belongs to another memo.")
        blobs, position = [], header_length
        for length in header["blobs"]:
            blobs.append(bytes(view[position : position + length]))
            position += length
        outputs, ui = unpack(header["memo"], blobs, codecs)
    except Damaged:
        raise
    except Exception as error:  # codecs are not ours; whatever they raise, this file is of no use
        raise Damaged(f"The file cannot be understood: {error}") from error
    return Memo(outputs, ui, header["seconds"], header["shown_state"])


def _checksum(pieces: Iterable[bytes | memoryview]) -> int:
    value = 0
    for piece in pieces:
        value = zlib.crc32(piece, value)
    return value
