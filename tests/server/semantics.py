"""The factory of a worker process whose toy nodes wait, block and expand."""

from pathlib import Path

from executor.local import InProcessWorker
from tests.executor.semantic_toys import semantic_toys
from tests.executor.toys import toy_worker


def semantic_worker(root: Path) -> InProcessWorker:
    """All toy nodes."""
    return toy_worker(root, more=semantic_toys())
