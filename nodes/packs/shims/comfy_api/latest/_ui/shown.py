"""What a node may show, as clients get it: saved pictures and sounds, previews, texts, 3D scenes."""

import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from comfy_api.latest._io.choices import FolderType
from comfy_api.latest._ui.pictures import save_pictures
from comfy_api.latest._ui.saved import SavedResult, Shown
from comfy_api.latest._ui.sound import save_sound

_QUICK = 1
"""zlib level of previews, which should be there at once."""


class SavedImages(Shown):
    """Pictures that were saved."""

    def __init__(self, results: Sequence[SavedResult], is_animated: bool = False) -> None:
        self.results = list(results)
        self.is_animated = is_animated

    def as_dict(self) -> dict[str, Any]:
        """As clients get it."""
        return {"images": self.results, **({"animated": (True,)} if self.is_animated else {})}


class SavedAudios(Shown):
    """Sounds that were saved."""

    def __init__(self, results: Sequence[SavedResult]) -> None:
        self.results = list(results)

    def as_dict(self) -> dict[str, Any]:
        """As clients get it."""
        return {"audio": self.results}


class PreviewImage(Shown):
    """Pictures, saved where they are soon forgotten. With `cls`, the node's class, they carry the workflow."""

    def __init__(self, image: Tensor, animated: bool = False, cls: Any = None, **_: Any) -> None:
        self.values = save_pictures(image, _fleeting("preview"), FolderType.temp, cls, _QUICK)
        self.animated = animated

    def as_dict(self) -> dict[str, Any]:
        """As clients get it."""
        return {"images": self.values, "animated": (self.animated,)}


class PreviewMask(PreviewImage):
    """Masks, shown as grey pictures."""

    def __init__(self, mask: Tensor, animated: bool = False, cls: Any = None, **_: Any) -> None:
        height, width = mask.shape[-2:]
        super().__init__(mask.reshape(-1, height, width, 1), animated, cls)


class PreviewAudio(Shown):
    """Sound, saved where it is soon forgotten."""

    def __init__(self, audio: Mapping[str, Any], **_: Any) -> None:
        self.values = save_sound(audio, _fleeting("preview"), FolderType.temp, "wav")

    def as_dict(self) -> dict[str, Any]:
        """As clients get it."""
        return {"audio": self.values}


class PreviewVideo(Shown):
    """Videos that were saved."""

    def __init__(self, values: Sequence[SavedResult | dict[str, Any]], **_: Any) -> None:
        self.values = list(values)

    def as_dict(self) -> dict[str, Any]:
        """As clients get it."""
        return {"images": self.values, "animated": (True,)}


class PreviewUI3D(Shown):
    """A 3D model that was saved, how to look at it, and what to show behind it."""

    def __init__(self, model_file: str, camera_info: Any = None, *, bg_image: Tensor | None = None, **_: Any) -> None:
        self.model_file = model_file
        self.camera_info = camera_info
        self.bg_image_path: str | None = None
        if bg_image is not None:
            entry = PreviewImage(bg_image[:1]).values[0]
            self.bg_image_path = f"{entry.type.value}/{entry.filename}"

    def as_dict(self) -> dict[str, Any]:
        """As clients get it."""
        return {"result": [self.model_file, self.camera_info, self.bg_image_path]}


class PreviewText(Shown):
    """A text."""

    def __init__(self, value: str, **_: Any) -> None:
        self.value = value

    def as_dict(self) -> dict[str, Any]:
        """As clients get it."""
        return {"text": (self.value,)}


def _fleeting(kind: str) -> str:
    """A name of its own for each call, so that a browser never shows an older preview that it still has."""
    return f"{kind}_{secrets.token_hex(4)}"
