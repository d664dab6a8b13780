"""Files that nodes save: where they go, how they are entered in what is shown, and the texts they carry."""

from collections.abc import Mapping
from typing import Any

from pack_surroundings import here

from comfy_api.latest._io.choices import FolderType
from executor.folders import Place
from nodes.output_files import OutputSeries


class SavedResult(dict[str, Any]):
    """A file that clients can ask for."""

    def __init__(self, filename: str, subfolder: str, type: FolderType | str) -> None:
        super().__init__(filename=filename, subfolder=subfolder, type=FolderType(type).value)

    @property
    def filename(self) -> str:
        """Without its folder."""
        return str(self["filename"])

    @property
    def subfolder(self) -> str:
        """Inside the folder; empty for none."""
        return str(self["subfolder"])

    @property
    def type(self) -> FolderType:
        """The folder."""
        return FolderType(self["type"])


class Shown:
    """Something that a node shows."""

    def as_dict(self) -> dict[str, Any]:
        """As clients get it: a list for each kind of thing."""
        raise TypeError(f"{type(self).__name__} does not say what it shows.")


def series(prefix: str, folder: FolderType | str, *, width: int = 0, height: int = 0) -> OutputSeries:
    """The numbered files of that prefix. Raises executor.folders.PathError if it leads outside the folder."""
    place: Place = FolderType(folder).value
    return OutputSeries(here().folders, place, prefix, width=width, height=height)


def texts_of(cls: Any) -> Mapping[str, Any]:
    """What a saved file tells of its origin: the prompt and what came with it, as far as the node asked for them."""
    hidden = getattr(cls, "hidden", None)
    if hidden is None or here().options.get("disable_metadata"):
        return {}
    prompt = {} if hidden.prompt is None else {"prompt": hidden.prompt}
    return {**prompt, **(hidden.extra_pnginfo or {})}
