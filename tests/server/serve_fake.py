"""A server with the fake worker as a program of its own, so that tests can kill it: `serve_fake.py BASE [PORT]`."""

import asyncio
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from executor.folders import Folders
from server.app import make_app
from server.serve import StartError, serve
from server.settings import ServerSettings
from tests.server.fake_worker import FakeWorker


async def main(base: Path, port: int) -> None:
    roots = {name: base / name for name in ("input", "output", "temp", "user")}
    for root in roots.values():
        root.mkdir(parents=True, exist_ok=True)
    settings = ServerSettings(port=port)
    await serve(make_app([FakeWorker()], Folders(**roots, models={}), settings), settings)


if __name__ == "__main__":
    try:
        asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0))
    except StartError as error:
        sys.exit(str(error))
