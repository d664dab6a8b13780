"""The words that inputs take as options: number displays, upload buttons, folders, remote lists. Plain values."""

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Literal


class FolderType(StrEnum):
    """A folder for files that users see."""

    input = "input"
    output = "output"
    temp = "temp"


class UploadType(StrEnum):
    """What an upload button beside a combo takes; the value is the option on the wire."""

    image = "image_upload"
    audio = "audio_upload"
    video = "video_upload"
    model = "file_upload"


class NumberDisplay(StrEnum):
    """How a number is edited."""

    number = "number"
    slider = "slider"
    gradient_slider = "gradientslider"


class ControlAfterGenerate(StrEnum):
    """What an editor does to a number after each run."""

    fixed = "fixed"
    increment = "increment"
    decrement = "decrement"
    randomize = "randomize"


@dataclass(frozen=True)
class RemoteOptions:
    """Where an editor asks for the choices of a combo, and how often."""

    route: str
    refresh_button: bool
    control_after_refresh: Literal["first", "last"] = "first"
    timeout: int | None = None
    """Milliseconds."""
    max_retries: int | None = None
    refresh: int | None = None
    """Milliseconds between two requests."""

    def as_dict(self) -> dict[str, Any]:
        """As on the wire."""
        return {name: value for name, value in asdict(self).items() if value is not None}
