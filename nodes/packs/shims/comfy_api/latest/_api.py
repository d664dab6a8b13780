"""`ComfyAPI`: what a running node may say while it works. It reaches the call that it runs in, and no other."""

from typing import Any, ClassVar

from PIL import Image
from torch import Tensor

from executor.context import executing
from executor.progress import Preview
from nodes.packs.progress import make_preview

PREVIEW_SIZE = 512
"""Longest side of a preview in pixels, where the node does not ask for all of it."""


class ExecutionSync:
    """What concerns the execution of the node."""

    def set_progress(
        self,
        value: float,
        max_value: float,
        node_id: str | None = None,
        preview_image: Image.Image | Tensor | None = None,
        ignore_size_limit: bool = False,
    ) -> None:
        """Report `value` of `max_value`, with a picture of unfinished work if there is one.

        Raises executor.progress.Interrupted when the run was asked to stop, RuntimeError outside of a running node, and
        ValueError for another node's id.
        """
        context = executing.get()
        if context is None:
            raise RuntimeError("set_progress can be called while a node runs only, from its own thread or coroutine.")
        if node_id is not None and str(node_id) != context.node_id:
            raise ValueError(f"Node {context.node_id} reports the progress of node {node_id}; leave node_id out.")

        def preview() -> Preview:
            assert preview_image is not None
            return _shown(preview_image, None if ignore_size_limit else PREVIEW_SIZE)

        # Steps are whole numbers on the wire; a fraction of 1 would be none of them until the end.
        whole = float(max_value).is_integer() and float(value).is_integer()
        scale = 1 if whole or not max_value else 1000 / max_value
        shown = None if preview_image is None else preview
        context.progress.step(round(value * scale), round(max_value * scale), shown)


class Execution:
    """The same for coroutines."""

    def __init__(self) -> None:
        self._sync = ExecutionSync()

    async def set_progress(
        self,
        value: float,
        max_value: float,
        node_id: str | None = None,
        preview_image: Image.Image | Tensor | None = None,
        ignore_size_limit: bool = False,
    ) -> None:
        """Report `value` of `max_value`; see `ExecutionSync`."""
        self._sync.set_progress(value, max_value, node_id, preview_image, ignore_size_limit)


class ComfyAPI:
    """For coroutines."""

    VERSION: ClassVar[str] = "latest"
    STABLE: ClassVar[bool] = False
    Execution: ClassVar[type[Execution]] = Execution

    def __init__(self) -> None:
        self.execution = Execution()


class ComfyAPISync:
    """For ordinary functions."""

    VERSION: ClassVar[str] = "latest"
    STABLE: ClassVar[bool] = False

    def __init__(self) -> None:
        self.execution = ExecutionSync()


def _shown(picture: Any, longest_side: int | None) -> Preview:
    """A picture, or the first of a batch, as a JPEG."""
    if isinstance(picture, Tensor):
        first = picture[0] if picture.ndim == 4 else picture
        pixels = (first.detach().float().clamp(0, 1) * 255).byte().cpu().numpy()
        picture = Image.fromarray(pixels.squeeze())
    return make_preview(("JPEG", picture, longest_side))
