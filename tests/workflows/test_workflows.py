"""Every file in `workflows/` parses, validates, and would run exactly what it ran when its signatures were recorded.

A change of the code that alters a signature shows here which nodes' remembered results it makes invalid. If that is
meant, record again: `python -m tests.workflows.test_workflows`.
"""

import asyncio
import json
from pathlib import Path

import pytest

from executor.cache import MemoryCache
from executor.device_flags import DeviceOptions
from executor.flags import CacheOptions, PackOptions
from executor.graph import NodeId
from executor.headless import read_graph
from executor.installation import make_folders
from executor.plan import make_plan
from executor.prompt import parse_prompt
from executor.signature import signatures
from executor.worker_options import WorkerOptions
from main import HERE, make_worker

RECORDED = Path(__file__).with_name("signatures.json")
FILES = sorted((HERE / "workflows").glob("*.json"))


def signed(path: Path, base: Path) -> dict[str, str]:
    """Node id -> signature without fingerprints, which name files of one machine. Asserts that all of it is valid."""
    folders = make_folders(base, extra_model_paths=[])
    models = {**folders.models, "checkpoints": (HERE / "models" / "checkpoints",)}
    options = WorkerOptions(
        type(folders)(folders.input, folders.output, folders.temp, folders.user, models),
        DeviceOptions(cpu=True),
        None,
        CacheOptions(0, 0),
        PackOptions(enabled=False),
    )
    worker = make_worker(options)
    definitions = asyncio.run(worker.definitions())
    saved = read_graph(path, definitions)
    assert saved.warnings == ()
    parsed = parse_prompt(saved.prompt, definitions, options.folders)
    assert parsed.validation.errors == ()
    made = signatures(parsed.graph, parsed.graph.order(), definitions, {})
    targets = [NodeId(output) for output in parsed.validation.outputs]
    plan, memos = make_plan(parsed.graph, targets, made, MemoryCache(0))
    assert set(plan.run) == set(saved.prompt), "nothing of an example is superfluous"
    assert memos == {}
    return dict(made)


def test_both_forms_of_the_first_workflow_are_the_same_graph(tmp_path: Path) -> None:
    editor, api = (signed(HERE / "workflows" / f"text_to_image{form}.json", tmp_path) for form in ("", ".api"))
    assert editor == api


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_workflow_signs_as_recorded(path: Path, tmp_path: Path) -> None:
    assert signed(path, tmp_path) == json.loads(RECORDED.read_text())[path.name]


if __name__ == "__main__":
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        found = {path.name: signed(path, Path(folder)) for path in FILES}
    RECORDED.write_text(json.dumps(found, indent=1) + "\n")
