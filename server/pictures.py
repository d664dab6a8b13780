"""Pictures that the server itself opens: previews, single channels, masks. Blocking; call it in a thread.

Every picture's size is read from its header first, so that a small file cannot ask for a huge amount of memory.
"""

import base64
import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final, Literal

from PIL import Image, UnidentifiedImageError
from PIL.PngImagePlugin import PngInfo

from server.errors import ApiError

MAX_PIXELS: Final = 64 * 1024 * 1024
_FORMATS: Final = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")

_SIDECARS: Final = (".preview.png", ".png", ".webp", ".jpg", ".jpeg")

Channel = Literal["rgba", "rgb", "a"]


@contextmanager
def opened(source: Path | IO[bytes], name: str) -> Iterator[Image.Image]:
    """The picture, its header read and its pixels not yet. Raises ApiError: 415 for no picture, 413 for a huge one."""
    try:
        with Image.open(source, formats=_FORMATS) as picture:
            width, height = picture.size
            if width * height > MAX_PIXELS:
                message = f"'{name}' has {width} x {height} pixels; at most {MAX_PIXELS} are opened."
                raise ApiError(413, "picture_too_large", message)
            yield picture
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ApiError(413, "picture_too_large", f"'{name}' is too large to open: {error}") from None
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise ApiError(415, "not_a_picture", f"'{name}' cannot be opened as a picture: {_plain(error)}") from None


def preview(path: Path, wish: str) -> tuple[bytes, str]:
    """The picture in a lighter format, `webp` or `jpeg` with an optional `;quality`; bytes and media type."""
    wanted, _, quality = wish.partition(";")
    image_format = "jpeg" if wanted == "jpeg" else "webp"
    with opened(path, path.name) as picture:
        has_alpha = "A" in picture.getbands() or "transparency" in picture.info
        mode = "RGBA" if has_alpha and image_format == "webp" else "RGB"
        target = io.BytesIO()
        picture.convert(mode).save(target, image_format, quality=min(int(quality), 100) if quality.isdigit() else 90)
    return target.getvalue(), f"image/{image_format}"


def model_preview(model: Path) -> bytes | None:
    """WEBP of the picture that lies beside a model file, or else of the one in its header; None without either."""
    for suffix in _SIDECARS:
        beside = model.with_name(f"{model.stem}{suffix}")
        if beside.is_file():
            return preview(beside, "webp")[0]
    covers = (safetensors_metadata(model) or {}).get("ssmd_cover_images") if model.suffix == ".safetensors" else None
    try:
        listed = json.loads(covers) if isinstance(covers, str) else []
        cover = base64.b64decode(listed[0], validate=True) if isinstance(listed, list) and listed else None
    except (ValueError, TypeError):
        return None
    if cover is None:
        return None
    with opened(io.BytesIO(cover), model.name) as picture:
        target = io.BytesIO()
        picture.convert("RGBA").save(target, "webp")
    return target.getvalue()


def channel(path: Path, wanted: Channel) -> bytes:
    """A PNG of the picture's colours without alpha (`rgb`), or of nothing but its alpha (`a`)."""
    with opened(path, path.name) as picture:
        if wanted == "rgb":
            return _png(picture.convert("RGB"))
        alpha = picture.convert("RGBA").getchannel("A")
        only_alpha = Image.new("RGBA", picture.size)
        only_alpha.putalpha(alpha)
        return _png(only_alpha)


def with_mask(original: Path, mask: IO[bytes]) -> bytes:
    """A PNG with the colours and text chunks of `original` and the alpha of the uploaded `mask`."""
    with opened(original, original.name) as picture, opened(mask, "the mask") as uploaded:
        texts = PngInfo()
        for key, text in getattr(picture, "text", {}).items():
            texts.add_text(key, text)
        masked = picture.convert("RGBA")
        alpha = uploaded.convert("RGBA").getchannel("A")
        if alpha.size != masked.size:
            alpha = alpha.resize(masked.size)
        masked.putalpha(alpha)
        return _png(masked, texts)


def check_upload(source: IO[bytes], name: str) -> None:
    """Refuse a picture that nothing here would open for its size (ApiError 413). Other files are not judged."""
    try:
        with opened(source, name):
            pass
    except ApiError as refusal:
        if refusal.status == 413:
            raise
    finally:
        source.seek(0)


def safetensors_metadata(path: Path) -> dict[str, str] | None:
    """The `__metadata__` of a safetensors header of at most 1 MiB; None if there is none."""
    with path.open("rb") as file:
        size = int.from_bytes(file.read(8), "little")
        text = file.read(size) if 2 <= size <= 1024 * 1024 else b""
    try:
        header = json.loads(text)
    except (ValueError, RecursionError):
        return None
    found = header.get("__metadata__") if isinstance(header, dict) else None
    return found if isinstance(found, dict) else None


def _png(picture: Image.Image, texts: PngInfo | None = None) -> bytes:
    target = io.BytesIO()
    picture.save(target, "PNG", compress_level=1, pnginfo=texts)
    return target.getvalue()


def _plain(error: Exception) -> str:
    return "it has no known picture format." if isinstance(error, UnidentifiedImageError) else f"{error}."
