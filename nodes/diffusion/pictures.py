"""Picture files <-> tensors: EXIF rotation, transparency as a mask, and the text chunks that carry a workflow."""

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageOps, ImageSequence, UnidentifiedImageError
from PIL.PngImagePlugin import PngInfo
from torch import Tensor


class PictureError(ValueError):
    """A picture file is missing, unreadable or none. The text is for the user."""


def load_picture(path: Path) -> tuple[Tensor, Tensor]:
    """(N, H, W, 3) colours and (N, H, W) mask, both in 0 to 1, of the N frames of a picture (one unless animated).

    The mask is 1 where the picture is transparent. Frames of another size than the first are left out.
    Raises PictureError.
    """
    try:
        with Image.open(path) as opened:
            frames = [_frame(frame) for frame in ImageSequence.Iterator(opened)]
    except FileNotFoundError as error:
        raise PictureError(f"There is no picture '{path.name}' in its folder.") from error
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, SyntaxError, ValueError) as error:
        raise PictureError(f"'{path.name}' is no readable picture: {_first_line(error)}") from error
    kept = [frame for frame in frames if frame[0].shape == frames[0][0].shape]
    return torch.stack([colours for colours, _ in kept]), torch.stack([mask for _, mask in kept])


def encode_png(picture: Tensor, texts: Mapping[str, Any], compression: int) -> bytes:
    """A (H, W, 3 or 4) picture in 0 to 1 as a PNG file whose text chunks hold `texts` as JSON."""
    chunks = PngInfo()
    for name, value in texts.items():
        chunks.add_text(name, json.dumps(value))
    buffer = io.BytesIO()
    Image.fromarray(to_pixels(picture)).save(buffer, "PNG", pnginfo=chunks, compress_level=compression)
    return buffer.getvalue()


def to_pixels(picture: Tensor) -> "np.ndarray[Any, np.dtype[np.uint8]]":
    """A (H, W) or (H, W, channels) picture in 0 to 1 as bytes; what lies between two is cut off, as in every saved
    picture."""
    pixels: np.ndarray[Any, np.dtype[np.uint8]] = (picture.clamp(0, 1) * 255).to(torch.uint8).cpu().numpy()
    return pixels


def _frame(frame: Image.Image) -> tuple[Tensor, Tensor]:
    upright = ImageOps.exif_transpose(frame)
    if upright.mode.startswith(("I", "F")):
        # Pillow clips 16-bit grey at 255 where it should divide.
        upright = Image.fromarray((np.asarray(upright, dtype=np.float64) / 65535 * 255).clip(0, 255).astype(np.uint8))
    clear = "A" in upright.getbands() or "transparency" in upright.info
    if not clear:
        colours = torch.from_numpy(np.array(upright.convert("RGB"))).float() / 255
        return colours, torch.zeros(colours.shape[:2])
    whole = torch.from_numpy(np.array(upright.convert("RGBA"))).float() / 255
    return whole[..., :3], 1 - whole[..., 3]


def _first_line(error: Exception) -> str:
    text = str(error).splitlines()[0] if str(error) else type(error).__name__
    return "its format is not known." if isinstance(error, UnidentifiedImageError) else f"{text.rstrip('.')}."
