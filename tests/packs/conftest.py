"""One worker process with the three toy packs, for all tests of this folder."""

import asyncio
from collections.abc import Iterator

import pytest

import main
from executor.process import ProcessWorker
from tests.packs.bench import Packs, toy_options


@pytest.fixture(scope="session")
def packs_worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Packs]:
    options = toy_options(tmp_path_factory.mktemp("packs"))
    with asyncio.Runner() as runner:

        async def start() -> ProcessWorker:
            return ProcessWorker(main.make_worker, options)

        packs = Packs(runner.run(start()), runner)
        yield packs
        packs.wait(packs.worker.close())


@pytest.fixture
def packs(packs_worker: Packs) -> Packs:
    """The worker with an empty memory."""
    packs_worker.forget()
    return packs_worker
