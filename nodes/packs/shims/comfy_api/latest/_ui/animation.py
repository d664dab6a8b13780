"""Animated pictures as files: APNG and WEBP, with the texts that they carry."""

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from PIL import Image
from PIL.PngImagePlugin import PngInfo
from torch import Tensor

_EXIF_MODEL, _EXIF_MAKE = 0x0110, 0x010F
_WEBP_METHODS = {"default": 4, "fastest": 0, "slowest": 6}


@dataclass(frozen=True)
class Animation:
    """Pictures that follow each other."""

    frames: Sequence[Image.Image]
    fps: float
    texts: Mapping[str, Any]

    @classmethod
    def of(cls, images: Tensor, fps: float, texts: Mapping[str, Any]) -> "Animation":
        """From (N, H, W, 3) in 0 to 1. Raises ValueError for none, or for a rate that is none."""
        if not len(images) or not fps > 0:
            raise ValueError(f"{len(images)} frames at {fps} a second make no animation.")
        return cls([picture_of(image) for image in images], fps, texts)

    def png(self, compression: int) -> bytes:
        """As an APNG file; the texts are in `comf` chunks behind the first picture."""
        chunks = PngInfo()
        for name, value in self.texts.items():
            chunk = name.encode("latin-1", "replace") + b"\0" + json.dumps(value).encode("latin-1")
            chunks.add(b"comf", chunk, after_idat=True)
        return self._encoded("PNG", pnginfo=chunks, compress_level=compression)

    def webp(self, *, lossless: bool, quality: int, method: int | str) -> bytes:
        """As a WEBP file; the texts are in EXIF tags."""
        exif = Image.Exif()
        tags = iter(range(_EXIF_MAKE, 0, -1))
        for name, value in self.texts.items():
            exif[_EXIF_MODEL if name == "prompt" else next(tags)] = f"{name}:{json.dumps(value)}"
        speed = _WEBP_METHODS.get(method, 4) if isinstance(method, str) else method
        return self._encoded("WEBP", exif=exif, lossless=lossless, quality=quality, method=speed)

    def _encoded(self, format: str, **options: Any) -> bytes:
        buffer = io.BytesIO()
        first, *others = self.frames
        first.save(buffer, format, save_all=True, append_images=others, duration=int(1000 / self.fps), **options)
        return buffer.getvalue()


def picture_of(image: Tensor) -> Image.Image:
    """(H, W, 3 or 4) in 0 to 1 as a picture."""
    return Image.fromarray((image.detach().float().clamp(0, 1) * 255).byte().cpu().numpy())
