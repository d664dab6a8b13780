"""Progress of code in packs, which nobody hands a `Progress`: found in the context, or nowhere."""

from typing import Any

from executor.context import executing
from executor.progress import Preview
from nodes.packs.messages import encode_picture


def report_progress(value: float, total: float, picture: Any = None) -> None:
    """`value` of `total` done by the node around the caller; `picture` as `make_preview` takes it. Raises Interrupted
    if the run was asked to stop."""
    context = executing.get()
    if context is not None:
        context.progress.step(int(value), int(total), None if picture is None else lambda: make_preview(picture))


def make_preview(picture: Any, largest: int | None = None) -> Preview:
    """The preview that a pack shows: (format, PIL image, largest side or None), the last of which may be left out.

    Where it gives no largest side, `largest` holds. What it does not call a PNG becomes a JPEG: a preview in a format
    that nobody expects must not end the node's work.
    """
    image_format, image, side = (*picture, None)[:3]
    if str(image_format).upper() == "PNG":
        return Preview(encode_picture("PNG", image, side or largest), "image/png")
    return Preview(encode_picture("JPEG", image, side or largest), "image/jpeg")
