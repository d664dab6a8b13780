"""Progress of code in packs, which nobody hands a `Progress`: found in the context, or nowhere."""

from collections.abc import Callable
from typing import Any

from executor.context import executing
from executor.progress import Preview
from nodes.packs.messages import encode_picture


class Unwatched:
    """Progress of a node that a pack calls outside of a run, for example in a route: nobody looks, nobody stops it."""

    def step(self, value: int, total: int, preview: Callable[[], Preview] | None = None) -> None:
        """Tell nobody."""

    def text(self, text: str) -> None:
        """Tell nobody."""

    def check(self) -> None:
        """Go on."""


def report_progress(value: float, total: float, picture: Any = None) -> None:
    """`value` of `total` done by the node around the caller; `picture` is a preview as packs give it: (format, PIL
    image, largest side or None). Raises Interrupted if the run was asked to stop."""
    context = executing.get()
    if context is not None:
        context.progress.step(int(value), int(total), None if picture is None else lambda: _preview(picture))


def _preview(picture: Any) -> Preview:
    image_format, image, largest = picture
    png = str(image_format).upper() == "PNG"
    return Preview(encode_picture(image_format, image, largest), "image/png" if png else "image/jpeg")
