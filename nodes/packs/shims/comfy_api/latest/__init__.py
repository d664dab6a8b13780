"""The interface that V3 packs import: `io`, `ui`, `ComfyExtension`, `ComfyAPI`, and the values behind some types."""

from comfy_api.latest import _io as io
from comfy_api.latest import _ui as ui
from comfy_api.latest._api import ComfyAPI, ComfyAPISync
from comfy_api.latest._extension import ComfyExtension
from comfy_api.latest._input import AudioInput, ImageInput, LatentInput, MaskInput, VideoInput
from comfy_api.latest._input_impl import VideoFromComponents, VideoFromFile
from comfy_api.latest._util import MESH, VOXEL, VideoCodec, VideoComponents, VideoContainer

ComfyAPI_latest = ComfyAPI
IO = io
UI = ui


class Input:
    """The values behind some types, for annotations."""

    Image = ImageInput
    Audio = AudioInput
    Mask = MaskInput
    Latent = LatentInput
    Video = VideoInput


class InputImpl:
    """Values that packs make."""

    VideoFromFile = VideoFromFile
    VideoFromComponents = VideoFromComponents


class Types:
    """What such values are made of."""

    VideoCodec = VideoCodec
    VideoContainer = VideoContainer
    VideoComponents = VideoComponents
    MESH = MESH
    VOXEL = VOXEL


__all__ = [
    "IO",
    "UI",
    "ComfyAPI",
    "ComfyAPISync",
    "ComfyAPI_latest",
    "ComfyExtension",
    "Input",
    "InputImpl",
    "Types",
    "io",
    "ui",
]
