"""What videos, meshes and voxels are made of. Plain values."""

from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import Any

from torch import Tensor


class VideoCodec(StrEnum):
    """How the frames of a video file are compressed."""

    AUTO = "auto"
    H264 = "h264"

    @classmethod
    def as_input(cls) -> list[str]:
        """The choices of a combo."""
        return [codec.value for codec in cls]


class VideoContainer(StrEnum):
    """The format of a video file."""

    AUTO = "auto"
    MP4 = "mp4"

    @classmethod
    def as_input(cls) -> list[str]:
        """The choices of a combo."""
        return [container.value for container in cls]

    @classmethod
    def get_extension(cls, value: str) -> str:
        """The suffix of its files, without the dot."""
        return "mp4" if cls(value) in (cls.AUTO, cls.MP4) else ""


@dataclass
class VideoComponents:
    """A video taken apart."""

    images: Tensor
    """(N, H, W, 3) in 0 to 1."""
    frame_rate: Fraction
    audio: dict[str, Any] | None = None
    metadata: dict[str, Any] | None = None


@dataclass
class VOXEL:
    """A picture in three dimensions."""

    data: Tensor


@dataclass
class MESH:
    """A surface made of triangles."""

    vertices: Tensor
    faces: Tensor
