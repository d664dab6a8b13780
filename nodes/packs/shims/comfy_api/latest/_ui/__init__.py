"""`ui` of the V3 interface: what a node shows, and how it saves what it shows. Only gathers the names."""

from comfy_api.latest._io.choices import FolderType
from comfy_api.latest._ui.saved import SavedResult
from comfy_api.latest._ui.savers import AudioSaveHelper, ImageSaveHelper
from comfy_api.latest._ui.shown import (
    PreviewAudio,
    PreviewImage,
    PreviewMask,
    PreviewText,
    PreviewUI3D,
    PreviewVideo,
    SavedAudios,
    SavedImages,
)

__all__ = [
    "AudioSaveHelper",
    "FolderType",
    "ImageSaveHelper",
    "PreviewAudio",
    "PreviewImage",
    "PreviewMask",
    "PreviewText",
    "PreviewUI3D",
    "PreviewVideo",
    "SavedAudios",
    "SavedImages",
    "SavedResult",
]
