"""One server for all cases of a module."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.reliability.stand import Stand, standing_server


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    """A server with the hostile pack, on an installation of its own."""
    base: Path = tmp_path_factory.mktemp("installation")
    with standing_server(base) as server:
        yield server
