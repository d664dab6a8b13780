"""The values behind IMAGE, MASK, AUDIO, LATENT and VIDEO, as packs annotate them."""

from abc import ABC, abstractmethod
from fractions import Fraction
from typing import Any, NotRequired, TypedDict

from torch import Tensor

from comfy_api.latest._util import VideoCodec, VideoComponents, VideoContainer

ImageInput = Tensor
"""(N, H, W, 3) in 0 to 1."""
MaskInput = Tensor
"""(N, H, W) in 0 to 1."""


class AudioInput(TypedDict):
    """Sound."""

    waveform: Tensor
    """(N, channels, samples) in -1 to 1."""
    sample_rate: int
    """Samples a second."""


class LatentInput(TypedDict):
    """What a diffusion model works on."""

    samples: Tensor
    noise_mask: NotRequired[Tensor]
    batch_index: NotRequired[list[int]]


class VideoInput(ABC):
    """A video, wherever its frames are."""

    @abstractmethod
    def get_components(self) -> VideoComponents:
        """Frames, frame rate and sound."""

    @abstractmethod
    def save_to(
        self,
        path: str,
        format: VideoContainer = VideoContainer.AUTO,
        codec: VideoCodec = VideoCodec.AUTO,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        """Write a file."""

    def get_dimensions(self) -> tuple[int, int]:
        """Width and height."""
        images = self.get_components().images
        return int(images.shape[2]), int(images.shape[1])

    def get_frame_count(self) -> int:
        """How many frames there are."""
        return int(self.get_components().images.shape[0])

    def get_frame_rate(self) -> Fraction:
        """Frames a second."""
        return self.get_components().frame_rate

    def get_duration(self) -> float:
        """Seconds."""
        return float(self.get_frame_count() / self.get_frame_rate())
