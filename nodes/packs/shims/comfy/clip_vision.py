"""Vision encoders by name. None can be loaded yet; pictures can be prepared for one."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from nodes.packs.bridge.missing import refuse


class Output:
    """What a vision encoder says of a picture, by attribute or by key."""

    def __getitem__(self, key: str) -> Any:
        return getattr(self, key)

    def __setitem__(self, key: str, item: Any) -> None:
        setattr(self, key, item)


def clip_preprocess(
    image: Tensor,
    size: int = 224,
    mean: Sequence[float] = (0.48145466, 0.4578275, 0.40821073),
    std: Sequence[float] = (0.26862954, 0.26130258, 0.27577711),
    crop: bool = True,
) -> Tensor:
    """(N, H, W, 3 or more) pictures in 0 to 1 as (N, 3, size, size), whitened."""
    image = image[..., :3].movedim(-1, 1)
    if image.shape[-2:] != (size, size):
        sides = (size, size)
        if crop:
            scale = size / min(image.shape[-2:])
            sides = (round(scale * image.shape[-2]), round(scale * image.shape[-1]))
        image = torch.nn.functional.interpolate(image, size=sides, mode="bicubic", antialias=True)
        top, left = (sides[0] - size) // 2, (sides[1] - size) // 2
        image = image[..., top : top + size, left : left + size]
    image = (255.0 * image).clamp(0, 255).round() / 255.0
    middle, spread = (torch.tensor(one).to(image).view(3, 1, 1) for one in (list(mean), list(std)))
    return (image - middle) / spread


class ClipVisionModel:
    """A vision encoder. Raises Unsupported."""

    def __init__(self, *_: Any, **__: Any) -> None:
        raise refuse("Vision encoders are")


def load(ckpt_path: Any) -> ClipVisionModel:
    """A vision encoder from a file. Raises Unsupported."""
    raise refuse("Vision encoders are")


def load_clipvision_from_sd(sd: Any, prefix: str = "", convert_keys: bool = False) -> ClipVisionModel:
    """A vision encoder from memory. Raises Unsupported."""
    raise refuse("Vision encoders are")
