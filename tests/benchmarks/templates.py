"""How much of the published templates opens, is known, and would run, by family; and which classes are still missing.

    pip install comfyui-workflow-templates-json --no-deps
    python -m tests.benchmarks.templates [FOLDER]

FOLDER holds workflows as JSON; without one, those of the package are taken. Nothing is run: "valid" means that the
prompt is refused for nothing but models and input files that are not on this machine.
"""

import json
import sys
from collections import Counter
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from executor.folders import Folders
from executor.prompt import parse_prompt
from executor.schema import NodeDefinition
from executor.workflow import WorkflowError, is_workflow, to_prompt
from nodes.builtin import builtin_nodes

PACKAGE = "comfyui_workflow_templates_json"
FAMILIES = ("image", "video", "audio", "3d", "api", "utility", "flux", "sdxl", "basic")
ABSENT = {"value_not_in_list", "custom_validation_failed"}
"""Errors that name a file that is not here."""
SHOWN = 25


def main() -> None:
    """Read, convert, validate and print."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else _installed()
    node_types = builtin_nodes()
    definitions = {name: node_type.definition for name, node_type in node_types.items()}
    table: dict[str, Counter[str]] = {}
    missing: Counter[str] = Counter()
    for name, document in _workflows(folder):
        row = table.setdefault(_family(name), Counter())
        row["all"] += 1
        try:
            prompt = to_prompt(document, definitions).prompt
        except WorkflowError as error:
            print(f"{name}: {error}")
            continue
        row["open"] += 1
        unknown = {node["class_type"] for node in prompt.values()} - set(node_types)
        missing.update(unknown)
        row["known"] += not unknown
        row["valid"] += not unknown and _is_valid(prompt, definitions, folder)
    print(f"{'family':12} {'all':>5} {'open':>5} {'known':>6} {'valid':>6}")
    for family, row in [*sorted(table.items()), ("all of them", sum(table.values(), Counter[str]()))]:
        print(f"{family:12} {row['all']:5} {row['open']:5} {row['known']:6} {row['valid']:6}")
    print(f"\nclasses that are missing: {len(missing)}; in most templates:")
    print("\n".join(f"{count:5} {name}" for name, count in missing.most_common(SHOWN)))


def _workflows(folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for path in sorted(folder.rglob("*.json")):
        document = json.loads(path.read_text(encoding="utf-8"))
        if is_workflow(document):
            yield path.stem, document


def _is_valid(prompt: dict[str, Any], definitions: dict[str, NodeDefinition], folder: Path) -> bool:
    validation = parse_prompt(prompt, definitions, _nowhere(folder)).validation
    return all(error.type in ABSENT for error in validation.errors if error.node_id is not None)


def _family(name: str) -> str:
    start = name.lower().replace(".", "_").replace("-", "_").partition("_")[0]
    return next((family for family in FAMILIES if start.startswith(family)), "others")


def _nowhere(folder: Path) -> Folders:
    return Folders(folder / "none", folder / "none", folder / "none", folder / "none", {})


def _installed() -> Path:
    spec = find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        sys.exit("Install the templates first: pip install comfyui-workflow-templates-json --no-deps")
    return Path(spec.origin).parent


if __name__ == "__main__":
    main()
