"""`main.py run --server` and `main.py convert`: graphs that run elsewhere, or are only wanted as a prompt."""

import json
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.end_to_end.test_command_line import PROMPT, ROOT, WORKFLOW, changed


def written(path: Path, document: Any) -> str:
    path.write_text(json.dumps(document))
    return str(path)


@pytest.mark.slow
def test_a_server_runs_the_graph_and_its_pictures_are_fetched(server: str, heddle_here: Any, tmp_path: Path) -> None:
    graph = written(tmp_path / "graph.json", PROMPT)
    fetched = tmp_path / "fetched"
    here = ("--server", server, "--output-directory", str(fetched), "--quiet")

    done = heddle_here("run", graph, *here, "--set", "3.steps=2")
    assert done.returncode == 0, done.stderr
    [file] = done.stdout.split()
    assert Path(file) == fetched / "scene_00001_.png"
    with Image.open(file) as picture:
        assert picture.size == (128, 128)
        assert json.loads(picture.text["prompt"])["3"]["inputs"]["steps"] == 2

    again = heddle_here("run", graph, *here, "--set", "3.steps=2", "--json")
    report = json.loads(again.stdout)
    assert (report["status"], report["executed"], report["files"]) == ("success", [], [file])
    assert set(report["cached"]) == set(PROMPT)

    refused = heddle_here("run", written(tmp_path / "bad.json", changed("3", cfg=1000)), *here)
    assert refused.returncode == 1
    assert "cfg" in refused.stderr
    assert "100" in refused.stderr
    assert refused.stdout == ""

    with urllib.request.urlopen(f"{server}/object_info") as answer:
        definitions = written(tmp_path / "object_info.json", json.load(answer))
    converted = heddle_here("convert", str(WORKFLOW), "--definitions", definitions)
    assert converted.returncode == 0, converted.stderr
    saved = json.loads((ROOT / "workflows" / "text_to_image.api.json").read_text())
    plain = {node_id: {"class_type": node["class_type"], "inputs": node["inputs"]} for node_id, node in saved.items()}
    prompt = json.loads(converted.stdout)
    assert {i: {"class_type": node["class_type"], "inputs": node["inputs"]} for i, node in prompt.items()} == plain


BAD = {
    "no server": (["run", "{graph}", "--server", "http://127.0.0.1:9"], ["http://127.0.0.1:9", "cannot be reached"]),
    "no definitions": (["convert", "{graph}", "--definitions", "{missing}"], ["missing.json"]),
    "definitions of something else": (["convert", "{graph}", "--definitions", "{list}"], ["object_info"]),
}


@pytest.mark.parametrize(("words", "told"), BAD.values(), ids=BAD)
def test_what_cannot_be_done_is_one_sentence(
    words: list[str], told: list[str], heddle_here: Any, tmp_path: Path
) -> None:
    files = {
        "graph": written(tmp_path / "graph.json", PROMPT),
        "missing": str(tmp_path / "missing.json"),
        "list": written(tmp_path / "list.json", [1, 2]),
    }
    done = heddle_here(words[0], *(word.format(**files) for word in words[1:]))
    assert (done.returncode, done.stdout) == (1, "")
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert [word for word in told if word not in done.stderr] == []
