"""How many of the field's node classes exist here, by family; and that none of those is lost that must be there."""

import json
import sys
from pathlib import Path

import pytest

from nodes.builtin import builtin_nodes

FAMILIES: dict[str, list[str]] = json.loads((Path(__file__).parent / "data" / "node_families.json").read_text())
NODES = builtin_nodes()

LOADING_AND_TEXT = (
    "CheckpointLoader",
    "CheckpointLoaderSimple",
    "CLIPLoader",
    "CLIPSetLastLayer",
    "CLIPTextEncode",
    "CLIPTextEncodeSDXL",
    "CLIPTextEncodeSDXLRefiner",
    "DiffusersLoader",
    "DualCLIPLoader",
    "InpaintModelConditioning",
    "InstructPixToPixConditioning",
    "UNETLoader",
    "VAELoader",
)


def test_coverage_by_family(capsys: pytest.CaptureFixture[str]) -> None:
    lines = []
    for family, classes in FAMILIES.items():
        there = [name for name in classes if name in NODES]
        lines.append(f"{len(there):4} of {len(classes):3}  {family}")
    total = {name for classes in FAMILIES.values() for name in classes}
    lines.append(f"{len(total & set(NODES)):4} of {len(total):3}  all")
    with capsys.disabled():
        sys.stdout.write("\nclasses implemented, by family\n" + "\n".join(lines) + "\n")
    assert len(total) == 344
    assert total & set(NODES)


@pytest.mark.parametrize("name", LOADING_AND_TEXT)
def test_what_the_three_families_load_and_encode_with_exists(name: str) -> None:
    assert name in NODES
