"""`ProgressBar`: reports to the node that runs around it, and stops with the run."""

from collections.abc import Callable
from typing import Any

from executor.context import executing
from nodes.diffusion.preview import LARGEST
from nodes.packs.progress import make_preview


class _Switch:
    """Who else is told; packs set it for the whole process."""

    hook: Callable[..., Any] | None = None


def set_progress_bar_enabled(enabled: bool) -> None:
    """Draw bars in the terminal, or not. There are none; what packs read of it is kept."""
    import comfy.utils

    comfy.utils.PROGRESS_BAR_ENABLED = enabled


def set_progress_bar_global_hook(function: Callable[..., Any] | None) -> None:
    """Tell a function (value, total, preview, node_id) of every step too."""
    _Switch.hook = function


class ProgressBar:
    """So many of so many steps. Remembers the node that it was made in, so that threads of a pack may use it."""

    def __init__(self, total: int, node_id: str | None = None) -> None:
        self.total = total
        self.current = 0
        self.node_id = node_id
        self._context = executing.get()

    def update_absolute(self, value: int, total: int | None = None, preview: Any = None) -> None:
        """`value` steps are done. `preview` is (format, picture, largest side). Raises Interrupted."""
        if total is not None:
            self.total = total
        self.current = min(value, self.total)
        if _Switch.hook is not None:
            _Switch.hook(self.current, self.total, preview, node_id=self.node_id)
        context = executing.get() or self._context
        if context is not None:
            shown = None if preview is None else lambda: make_preview(preview, LARGEST)
            context.progress.step(self.current, self.total, shown)

    def update(self, value: int) -> None:
        """So many more steps are done."""
        self.update_absolute(self.current + value)
