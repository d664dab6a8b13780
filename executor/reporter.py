"""The `Progress` that a running node is given: throttles what it says, and stops it when asked.

Throttling is here and not in the server, so that a node that reports ten thousand steps costs no one anything.
"""

import threading
import time
from collections.abc import Callable

from executor.events import Event, NodePreview, NodeProgress, NodeText
from executor.graph import NodeId
from executor.progress import Interrupted, Preview

STEP_INTERVAL = 0.04
"""Least time between two progress events of one node, in seconds; first and last steps are always reported."""
PREVIEW_INTERVAL = 0.1
"""The same for previews, which cost a decode each."""


class Reporter:
    """Implements `Progress` for one execution of one node. Safe to call from any thread."""

    def __init__(
        self, node_id: NodeId, stop: threading.Event, emit: Callable[[Event], None], *, previews: bool
    ) -> None:
        self._node_id = node_id
        self._stop = stop
        self._emit = emit
        self._previews = previews
        self._lock = threading.Lock()
        self._closed = False
        self._held_back: NodeProgress | None = None
        self._last_value: int | None = None
        self._step_due = 0.0
        self._preview_due = 0.0

    def check(self) -> None:
        """Raise Interrupted if the run was asked to stop."""
        if self._stop.is_set():
            raise Interrupted("The run was asked to stop.")

    def step(self, value: int, total: int, preview: Callable[[], Preview] | None = None) -> None:
        """Report `value` of `total` steps, if it is time to. Raises Interrupted."""
        self.check()
        now = time.monotonic()
        with self._lock:
            if self._closed:
                return
            # A value that does not rise starts a new sequence: the next element of a list, or a second pass.
            last = self._last_value
            outermost = last is None or value < last or (value >= total and last < value)
            self._last_value = value
            event = NodeProgress(self._node_id, int(value), int(total))
            if outermost or now >= self._step_due:
                self._step_due = now + STEP_INTERVAL
                self._held_back = None
                self._emit(event)
            else:
                self._held_back = event
            wanted = preview is not None and self._previews and (outermost or now >= self._preview_due)
        if wanted and preview is not None:
            picture = preview()  # outside the lock: decoding takes a while
            self._preview_due = time.monotonic() + PREVIEW_INTERVAL
            self._emit(NodePreview(self._node_id, picture))

    def text(self, text: str) -> None:
        """Show a line of text on the node."""
        with self._lock:
            if not self._closed:
                self._emit(NodeText(self._node_id, text))

    def close(self) -> None:
        """The node is done: say what was held back, and nothing more from now on."""
        with self._lock:
            self._closed = True
            if self._held_back is not None:
                self._emit(self._held_back)
                self._held_back = None
