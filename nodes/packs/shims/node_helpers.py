"""`node_helpers`: small functions that many nodes of packs share."""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from comfy.cli_args import args
from PIL import ImageFile, UnidentifiedImageError
from torch import Tensor


def conditioning_set_values(
    conditioning: Iterable[Any], values: Mapping[str, Any] | None = None, append: bool = False
) -> list[list[Any]]:
    """The conditioning with further values in each of its dictionaries; with `append`, added to what is there."""
    changed = []
    for tensor, options, *_ in conditioning:
        new = dict(options)
        for key, value in (values or {}).items():
            new[key] = new[key] + value if append and new.get(key) is not None else value
        changed.append([tensor, new])
    return changed


def pillow(fn: Callable[[Any], Any], arg: Any) -> Any:
    """`fn(arg)`; where Pillow finds the file cut short, once more with what there is of it."""
    try:
        return fn(arg)
    except (OSError, UnidentifiedImageError, ValueError):
        before = ImageFile.LOAD_TRUNCATED_IMAGES
        ImageFile.LOAD_TRUNCATED_IMAGES = True
        try:
            return fn(arg)
        finally:
            ImageFile.LOAD_TRUNCATED_IMAGES = before


def hasher() -> Callable[..., Any]:
    """The hash function for names of files."""
    return {"md5": hashlib.md5, "sha1": hashlib.sha1, "sha256": hashlib.sha256, "sha512": hashlib.sha512}[
        args.default_hashing_function
    ]


def string_to_torch_dtype(string: str) -> torch.dtype | None:
    """ "fp32", "fp16" and "bf16"; None for other words."""
    return {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}.get(string)


def image_alpha_fix(destination: Tensor, source: Tensor) -> tuple[Tensor, Tensor]:
    """Two (N, H, W, channels) pictures with as many channels as `destination` has, at least as many as `source`: a
    channel that `destination` lacks is cut from `source`, one that `source` lacks makes `source` opaque."""
    have, want = source.shape[-1], destination.shape[-1]
    if want < have:
        source = source[..., :want]
    elif want > have:
        source = torch.nn.functional.pad(source, (0, want - have))
        source[..., -1] = 1.0
    return destination, source
