"""`comfy_execution.progress`: how far nodes are. Goes to the run around the caller; outside of nodes nobody looks."""

import enum
from typing import Any

from executor.context import executing
from nodes.packs.progress import report_progress


class NodeState(enum.Enum):
    """Where a node is."""

    Pending = "pending"
    Running = "running"
    Finished = "finished"
    Error = "error"


class ProgressRegistry:
    """What `get_progress_state` gives."""

    @property
    def prompt_id(self) -> str:
        """The job around the caller."""
        context = executing.get()
        return context.job_id if context else ""

    def update_progress(self, node_id: str, value: float, max_value: float, image: Any = None) -> None:
        """`value` of `max_value` done, with a picture (format, PIL image, largest side or None) if there is one. Only a
        node itself can say how far it is. Raises Interrupted if the run was asked to stop."""
        context = executing.get()
        if context is not None and str(node_id) == context.node_id:
            report_progress(value, max_value, image)

    def start_progress(self, node_id: str) -> None:
        """Nothing to do: the run itself says when a node begins."""

    def finish_progress(self, node_id: str) -> None:
        """Nothing to do: the run itself says when a node ends."""


def get_progress_state() -> ProgressRegistry:
    """Where progress is reported."""
    return ProgressRegistry()
