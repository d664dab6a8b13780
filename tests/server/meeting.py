"""A worker process whose nodes meet those of other processes: what runs at the same time, and who ran what.

`Meet` leaves a file in the folder `met`, and ends when as many are there as it waits for. No clock decides anything.
"""

import os
import time
from pathlib import Path

from executor.folders import Folders
from executor.local import InProcessWorker
from executor.progress import Progress
from executor.schema import InputSocket, NodeType, Widget
from tests.executor.toys import number, toy, toy_worker


def _meet(name: str, count: int, folders: Folders, progress: Progress) -> tuple[int]:
    met = folders.user / "met"
    met.mkdir(exist_ok=True)
    (met / name).write_text(str(os.getpid()))
    while len(list(met.iterdir())) < count:
        progress.check()
        time.sleep(0.005)
    return (count,)


def meet_type() -> NodeType:
    """The node type `Meet`."""
    inputs = (InputSocket("name", "STRING", Widget("text")), number("count"))
    return toy("Meet", inputs, "INT", _meet, injected={"folders": "Folders", "progress": "Progress"})


def meeting_worker(root: Path) -> InProcessWorker:
    """The factory of the worker processes."""
    return toy_worker(root, more=(meet_type(),))
