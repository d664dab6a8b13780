"""Moving pictures as files that carry texts: animated PNG and animated WebP. Writes no file itself."""

import io
import json
from collections.abc import Mapping
from itertools import count
from typing import Any

from PIL import Image
from PIL.PngImagePlugin import PngInfo
from torch import Tensor

from nodes.diffusion.pictures import to_pixels

FIRST_TAG, NEXT_TAG = 0x0110, 0x010F
"""EXIF tags of the prompt, and of what else there is, downwards; where every reader of such files looks."""


def encode_apng(pictures: Tensor, texts: Mapping[str, Any], fps: float, compression: int) -> bytes:
    """(N, H, W, 3 or 4) frames in 0 to 1 at `fps` as a PNG file; `texts` as JSON in `comf` chunks behind the first
    frame, where programs that copy animations leave them."""
    chunks = PngInfo()
    for name, value in texts.items():
        chunks.add(b"comf", f"{name}\0{json.dumps(value)}".encode("latin-1"), after_idat=True)
    first, *others = _frames(pictures)
    buffer = io.BytesIO()
    first.save(
        buffer,
        "PNG",
        pnginfo=chunks,
        compress_level=compression,
        save_all=True,
        duration=int(1000 / fps),
        append_images=others,
    )
    return buffer.getvalue()


def encode_webp(pictures: Tensor, texts: Mapping[str, Any], fps: float, *, quality: int | None, method: int) -> bytes:
    """(N, H, W, 3 or 4) frames in 0 to 1 at `fps` as a WebP file, lossless if `quality` (0 to 100) is None; `texts` as
    JSON in its EXIF. `method` is how hard the encoder tries, 0 to 6."""
    first, *others = _frames(pictures)
    exif, further = first.getexif(), count(NEXT_TAG, -1)
    for name, value in texts.items():
        exif[FIRST_TAG if name == "prompt" else next(further)] = f"{name}:{json.dumps(value)}"
    buffer = io.BytesIO()
    first.save(
        buffer,
        "WEBP",
        exif=exif,
        save_all=True,
        duration=int(1000 / fps),
        append_images=others,
        lossless=quality is None,
        quality=80 if quality is None else quality,
        method=method,
    )
    return buffer.getvalue()


def _frames(pictures: Tensor) -> list[Image.Image]:
    return [Image.fromarray(to_pixels(picture)) for picture in pictures]
