"""What a saved file says about how it was made: the texts in pictures, animations, latents and checkpoints.

Reads headers and chunks, never pixels or weights, and understands none of the texts.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, UnidentifiedImageError

PNG_START = b"\x89PNG\r\n\x1a\n"
LONGEST_HEADER = 100 * 2**20
"""Bytes of a safetensors header; the format allows no more."""
_EXIF_TEXTS = range(0x0100, 0x0111)
"""Tags below and at 0x0110, where saved animations keep `name:text`."""


class MetadataError(ValueError):
    """A file is missing, unreadable, or of a kind that carries no texts. The text is one sentence for the user."""


@dataclass(frozen=True, slots=True)
class Metadata:
    """What a file tells of itself."""

    kind: str
    """For people: "PNG picture, 512x512"."""
    texts: dict[str, str]
    """By name: `prompt` and `workflow` are JSON, `parameters` is what older web UIs wrote."""


def read_metadata(path: Path) -> Metadata:
    """Raises MetadataError."""
    try:
        with path.open("rb") as file:
            start = file.read(16)
    except OSError as error:
        raise MetadataError(f"{path} cannot be read: {error.strerror}.") from error
    if path.suffix in (".safetensors", ".sft", ".latent") or start[8:10] == b'{"':
        return _of_tensors(path)
    try:
        with Image.open(path) as picture:
            frames = getattr(picture, "n_frames", 1)
            kind = f"{picture.format} picture, {picture.width}x{picture.height}" + (
                f", {frames} frames" if frames > 1 else ""
            )
            texts = {str(name): text for name, text in picture.info.items() if isinstance(text, str)}
            texts |= _from_exif(picture)
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, SyntaxError, ValueError) as error:
        raise MetadataError(f"{path} is neither a readable picture nor a safetensors file.") from error
    if start.startswith(PNG_START):
        texts |= dict(_from_chunks(path))
    return Metadata(kind, texts)


def _from_exif(picture: Image.Image) -> dict[str, str]:
    texts = {}
    for tag, value in picture.getexif().items():
        name, colon, text = value.partition(":") if tag in _EXIF_TEXTS and isinstance(value, str) else ("", "", "")
        if colon and name.isidentifier():
            texts[name] = text
    return texts


def _from_chunks(path: Path) -> Iterator[tuple[str, str]]:
    """Of `comf` chunks, which Pillow does not read: a name, a zero, a text."""
    with path.open("rb") as file:
        file.seek(len(PNG_START))
        while len(head := file.read(8)) == 8:
            length, kind = int.from_bytes(head[:4], "big"), head[4:]
            if kind == b"comf":
                name, _, text = file.read(length).partition(b"\0")
                yield name.decode("latin-1"), text.decode("utf-8", "replace")
                length = 0
            file.seek(length + 4, 1)


def _of_tensors(path: Path) -> Metadata:
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(length)) if length <= LONGEST_HEADER else None
    except (OSError, ValueError, RecursionError):
        header = None
    if not isinstance(header, dict):
        raise MetadataError(f"{path} is no whole safetensors file; copy or download it again.")
    texts = header.pop("__metadata__", {})
    kept = {str(name): str(text) for name, text in texts.items()} if isinstance(texts, dict) else {}
    return Metadata(f"safetensors file, {len(header)} tensors", kept)
