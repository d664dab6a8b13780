"""The UNet that packs see is the network that samples, and what they patch in it changes what it says.

The checks are functions of `unet_inside.py`; they run together in one process of their own.
"""

import ast
from pathlib import Path

import pytest

from tests.nodes.packs.inside_worker import outcomes_of

HERE = Path(__file__).parent
NAMES = [
    part.name
    for part in ast.parse((HERE / "unet_inside.py").read_text()).body
    if isinstance(part, ast.FunctionDef) and part.name.startswith("inside_")
]


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return outcomes_of("unet_inside", tmp_path_factory.mktemp("worker"))


@pytest.mark.parametrize("name", NAMES)
def test_inside_a_worker(name: str, outcomes: dict[str, str]) -> None:
    assert outcomes[name] == ""
