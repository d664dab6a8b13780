"""The classes SaveImage and PreviewImage as packs subclass them: with a folder, a type, a prefix and a compression that
they set on the object, and a method that writes pictures by these. The nodes themselves are in `nodes.image`.
"""

import secrets
import string
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import Tensor

from executor.folders import Folders, Place
from nodes.diffusion.pictures import encode_png
from nodes.image import SAVED_COMPRESSION, SHOWN_COMPRESSION
from nodes.output_files import OutputSeries
from nodes.packs.facade import facade_class
from nodes.packs.surroundings import Surroundings


def saving_classes(around: Surroundings) -> dict[str, type]:
    """SaveImage, and PreviewImage, which is one."""
    save_base = facade_class(around.node_types["SaveImage"], around)
    preview_base = facade_class(around.node_types["PreviewImage"], around)

    def start_saving(self: Any) -> None:
        self.output_dir, self.type = str(around.folders.output), "output"
        self.prefix_append, self.compress_level = "", SAVED_COMPRESSION

    def start_showing(self: Any) -> None:
        self.output_dir, self.type = str(around.folders.temp), "temp"
        letters = "".join(secrets.choice(string.ascii_lowercase) for _ in range(5))
        self.prefix_append, self.compress_level = f"_temp_{letters}", SHOWN_COMPRESSION

    def save_images(
        self: Any,
        images: Any,
        filename_prefix: str = "ComfyUI",
        prompt: Mapping[str, Any] | None = None,
        extra_pnginfo: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        return {"ui": {"images": _save(self, around, images, filename_prefix, _texts(around, prompt, extra_pnginfo))}}

    save = type("SaveImage", (save_base,), {"__init__": start_saving, "save_images": save_images})
    inherited = {name: value for name, value in vars(preview_base).items() if name.isupper() or name == "__doc__"}
    preview = type("PreviewImage", (save,), {**inherited, "__init__": start_showing})
    save.__module__ = preview.__module__ = "nodes"
    return {"SaveImage": save, "PreviewImage": preview}


def _save(owner: Any, around: Surroundings, images: Any, prefix: str, texts: Mapping[str, Any]) -> list[dict[str, str]]:
    """Write the pictures as the object says. Raises PathError for a prefix that leads out of its folder."""
    pictures: list[Tensor] = list(images)
    if not pictures:
        return []
    place: Place = owner.type if owner.type in ("input", "temp") else "output"
    folders = _with_place(around.folders, place, Path(owner.output_dir))
    height, width = pictures[0].shape[:2]
    series = OutputSeries(folders, place, prefix + owner.prefix_append, width=width, height=height)
    shown = []
    for index, picture in enumerate(pictures):
        content = encode_png(picture.detach().float(), texts, owner.compress_level)
        entry = series.save(".png", content, batch_num=index)
        shown.append({**entry, "type": owner.type})
    return shown


def _with_place(folders: Folders, place: Place, path: Path) -> Folders:
    match place:
        case "input":
            return replace(folders, input=path)
        case "temp":
            return replace(folders, temp=path)
    return replace(folders, output=path)


def _texts(
    around: Surroundings, prompt: Mapping[str, Any] | None, extra_pnginfo: Mapping[str, Any] | None
) -> dict[str, Any]:
    if around.options.get("disable_metadata"):
        return {}
    return {**({"prompt": prompt} if prompt is not None else {}), **(extra_pnginfo or {})}
