"""Videos from frames and from files. There is no video library below: files are neither decoded nor written."""

import io
from typing import Any

from comfy_api.latest._input import VideoInput
from comfy_api.latest._util import VideoCodec, VideoComponents, VideoContainer


class VideoUnavailable(RuntimeError):
    """What was asked for needs a video library, which Heddle does not have."""


class VideoFromComponents(VideoInput):
    """A video whose frames are in memory."""

    def __init__(self, components: VideoComponents) -> None:
        self._components = components

    def get_components(self) -> VideoComponents:
        """Frames, frame rate and sound."""
        return self._components

    def save_to(
        self,
        path: str,
        format: VideoContainer = VideoContainer.AUTO,
        codec: VideoCodec = VideoCodec.AUTO,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        """Raises VideoUnavailable."""
        raise VideoUnavailable(
            f"Heddle cannot write video files ({path}): save the frames as pictures or as an animated WEBP instead."
        )


class VideoFromFile(VideoInput):
    """A video in a file, or in memory as a file."""

    def __init__(self, file: str | io.BytesIO) -> None:
        self._file = file

    def get_stream_source(self) -> str | io.BytesIO:
        """The file."""
        if isinstance(self._file, io.BytesIO):
            self._file.seek(0)
        return self._file

    def get_components(self) -> VideoComponents:
        """Raises VideoUnavailable."""
        name = self._file if isinstance(self._file, str) else "in memory"
        raise VideoUnavailable(f"Heddle cannot read video files ({name}): load the frames as pictures instead.")

    def save_to(
        self,
        path: str,
        format: VideoContainer = VideoContainer.AUTO,
        codec: VideoCodec = VideoCodec.AUTO,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        """Copy the file, where nothing about it is to be changed. Raises VideoUnavailable otherwise."""
        if format is not VideoContainer.AUTO or codec is not VideoCodec.AUTO or metadata:
            raise VideoUnavailable(f"Heddle cannot convert video files ({path}): save this one as it is.")
        source = self.get_stream_source()
        if isinstance(source, str):
            with open(source, "rb") as file:
                content = file.read()
        else:
            content = source.read()
        with open(path, "wb") as file:
            file.write(content)
