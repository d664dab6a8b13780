"""Names and writes output files: numbered series inside a picture folder, each file whole or not there at all."""

import contextlib
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from executor.folders import Folders, PathError, Place
from executor.schema import InputError
from executor.whole_files import Content, write_new


class OutputSeries:
    """`<prefix>_00001_.png`, `<prefix>_00002_.png`, ...: continues after the highest number that is there.

    `prefix` may name a subfolder and hold %width%, %height%, %year%, %month%, %day%, %hour%, %minute%, %second% and
    %batch_num%. Raises PathError if it leads outside the folder.
    """

    def __init__(self, folders: Folders, place: Place, prefix: str, *, width: int = 0, height: int = 0) -> None:
        self._place = place
        whole = PurePosixPath(fill_prefix(prefix, width, height).replace("\\", "/"))
        if not whole.name or prefix.endswith(("/", "\\")):
            raise PathError(f"The prefix '{prefix}' names no file. Add a name after the last slash.")
        self._name = whole.name
        self._root = folders.place(place).resolve()
        # Confined by Folders; the name stands for all that follow in the series.
        self._folder = folders.resolve(place, whole.as_posix()).parent
        if not self._folder.is_relative_to(self._root):
            raise PathError(f"The prefix '{prefix}' leads outside its folder. Leave out what goes up.")
        self._folder.mkdir(parents=True, exist_ok=True)
        self._number = highest_number(self._folder, self._name)

    def save(self, suffix: str, content: Content, *, batch_num: int = 0) -> dict[str, str]:
        """Write the next file of the series, and return the entry by which clients ask for it.

        Of several that save at once, in whatever process, each gets a number of its own. Raises PathError if the folder
        cannot be written to.
        """
        stem = self._name.replace("%batch_num%", str(batch_num))
        while True:
            self._number += 1
            path = self._folder / f"{stem}_{self._number:05}_{suffix}"
            if not path.exists() and _write_new(path, content, durable=self._place == "output"):
                subfolder = self._folder.relative_to(self._root).as_posix()
                return {
                    "filename": path.name,
                    "subfolder": "" if subfolder == "." else subfolder,
                    "type": self._place,
                }


@contextlib.contextmanager
def naming_prefix() -> Iterator[None]:
    """Let what a series refuses name the input that every node that saves has, `filename_prefix`."""
    try:
        yield
    except PathError as error:
        raise InputError("filename_prefix", str(error)) from error


def _write_new(path: Path, content: Content, *, durable: bool) -> bool:
    try:
        return write_new(path, content, durable=durable)
    except OSError as error:
        raise PathError(f"'{path.name}' cannot be written: {error.strerror or error}.") from error


def highest_number(folder: Path, stem: str) -> int:
    """The number of the last file of a series; 0 if there is none."""
    escaped = re.escape(stem).replace("%batch_num%", r"\d+")
    pattern = re.compile(rf"{escaped}_(\d+)_?(\..*)?", re.IGNORECASE)
    numbers = (int(match[1]) for name in os.listdir(folder) if (match := pattern.fullmatch(name)))
    return max(numbers, default=0)


def fill_prefix(prefix: str, width: int, height: int) -> str:
    """The prefix of a series with the picture's size and the time in place of their names; %batch_num% stays."""
    now = time.localtime()
    values = {
        "width": width, "height": height,
        "year": now.tm_year, "month": f"{now.tm_mon:02}", "day": f"{now.tm_mday:02}",
        "hour": f"{now.tm_hour:02}", "minute": f"{now.tm_min:02}", "second": f"{now.tm_sec:02}",
    }  # fmt: skip
    for name, value in values.items():
        prefix = prefix.replace(f"%{name}%", str(value))
    return prefix
