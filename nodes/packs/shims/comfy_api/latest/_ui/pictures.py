"""Saves pictures and animations as files, each with the workflow that made it. Shows nothing."""

from collections.abc import Callable
from typing import Any

from torch import Tensor

from comfy_api.latest._io.choices import FolderType
from comfy_api.latest._ui.animation import Animation
from comfy_api.latest._ui.saved import SavedResult, series, texts_of
from nodes.diffusion.pictures import encode_png


def save_pictures(
    images: Tensor, filename_prefix: str, folder: FolderType, cls: Any, compression: int
) -> list[SavedResult]:
    """Save each as a PNG file. Raises executor.folders.PathError for a prefix that leads outside the folder."""
    images = _coloured(images)
    files = series(filename_prefix, folder, width=images.shape[2], height=images.shape[1])
    texts = texts_of(cls)
    saved = []
    for index, image in enumerate(images):
        entry = files.save(".png", encode_png(image.float(), texts, compression), batch_num=index)
        saved.append(SavedResult(**entry))
    return saved


def save_animation(
    images: Tensor, target: tuple[str, FolderType, str], made: tuple[float, Any], encode: Callable[[Animation], bytes]
) -> SavedResult:
    """Save all as one file. `target`: prefix, folder and suffix; `made`: pictures a second, and the node's class."""
    prefix, folder, suffix = target
    fps, cls = made
    images = _coloured(images)
    files = series(prefix, folder, width=images.shape[2], height=images.shape[1])
    entry = files.save(suffix, encode(Animation.of(images, fps, texts_of(cls))))
    return SavedResult(**entry)


def _coloured(images: Tensor) -> Tensor:
    """One channel as three; others as they are. Raises ValueError for what is no batch of pictures."""
    if images.ndim == 3:
        images = images.unsqueeze(0)
    if images.ndim != 4 or images.shape[-1] not in (1, 3, 4):
        raise ValueError(f"Pictures have the shape (N, H, W, 3); a tensor of shape {tuple(images.shape)} is none.")
    return images.expand(-1, -1, -1, 3) if images.shape[-1] == 1 else images
