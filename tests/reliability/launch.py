"""`main.py` as it is, with asyncio's own watch on its loop: whatever holds it for 100 ms is named in the log.

Only the server's loop is watched: worker processes import this file under another name and see nothing of it.
"""

import asyncio
import functools
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import main

if __name__ == "__main__":
    asyncio.run = functools.partial(asyncio.run, debug=True)
    sys.exit(main.main(sys.argv[1:]))
