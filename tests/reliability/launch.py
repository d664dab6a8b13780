"""`main.py` as it is, with asyncio's own watch on its loop: whatever holds it for 100 ms is named in the log. The watch
costs time itself, so HEDDLE_UNWATCHED=1 leaves it out where time is measured.

Only the server's loop is watched: worker processes import this file under another name and see nothing of it.
"""

import asyncio
import functools
import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import main
from tests.reliability.light_nodes import make_light_worker

if __name__ == "__main__":
    if offset := int(os.environ.get("HEDDLE_CLOCK_OFFSET", "0")):
        true_time = time.time_ns
        time.time_ns = lambda: true_time() + offset * 10**9  # a wall clock that somebody has set
    if os.environ.get("HEDDLE_LIGHT"):
        main.make_worker = make_light_worker
    if not os.environ.get("HEDDLE_UNWATCHED"):
        asyncio.run = functools.partial(asyncio.run, debug=True)
    sys.exit(main.main(sys.argv[1:]))
