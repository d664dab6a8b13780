"""Clients that others published for ComfyUI, installed as a user installs them, work with the server as it is.

They need a registry, so they are no part of the ordinary run: `pytest -m clients`.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.clients, pytest.mark.timeout(1200)]

ROOT = Path(__file__).resolve().parents[2]
DRIVER = Path(__file__).with_name("comfyui_sdk.mjs")
API_PROMPT = ROOT / "workflows" / "text_to_image.api.json"
WORKFLOW = ROOT / "workflows" / "text_to_image.json"


@pytest.fixture(scope="module")
def comfy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program `comfy` of comfy-cli."""
    place = tmp_path_factory.mktemp("comfy-cli")
    install([sys.executable, "-m", "venv", str(place)], place)
    install([str(place / "bin" / "pip"), "install", "--quiet", "comfy-cli==1.23.0"], place)
    return place / "bin" / "comfy"


@pytest.fixture(scope="module")
def sdk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The driver of @saintno/comfyui-sdk, beside the package."""
    place = tmp_path_factory.mktemp("sdk")
    (place / "package.json").write_text('{"type": "module"}')
    install(["npm", "install", "--no-audit", "--no-fund", "--silent", "@saintno/comfyui-sdk@0.3.1", "ws"], place)
    return Path(shutil.copy(DRIVER, place))


def install(command: list[str], place: Path) -> None:
    done = subprocess.run(command, cwd=place, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"this test installs from a registry, which failed: {done.stderr[-1000:]}"


def test_comfy_cli_runs_workflows_and_asks_for_everything_else(comfy: Path, server: str, tmp_path: Path) -> None:
    port = server.rpartition(":")[2]
    home = {"HOME": str(tmp_path), "DO_NOT_TRACK": "1", "COMFY_CLI_NO_REMOTE_REFRESH": "1", "COMFY_LOCAL_URL": server}

    def ask(*words: str) -> dict[str, Any]:
        line = [str(comfy), "--skip-prompt", "--json", *words]
        done = subprocess.run(
            line, env={**os.environ, **home}, capture_output=True, text=True, timeout=300, check=False
        )
        answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return answer

    def data(*words: str) -> Any:
        answer = ask(*words)
        assert answer["ok"], (words, answer["error"])
        return answer["data"]

    here = ("--host", "127.0.0.1", "--port", port)
    assert data("system-stats")["system"]["comfyui_version"]
    assert "KSampler" in {node["name"] for node in data("nodes", "ls")["rows"]}
    assert "loras" in {folder["name"] for folder in data("model", "list-folders")["folders"]}
    assert data("model", "list-folder", "checkpoints")["files"][0]["name"] == "heddle_scenes.safetensors"
    assert data("validate", "--workflow", str(WORKFLOW))["valid"]

    for workflow in (WORKFLOW, API_PROMPT):  # the editor's form, which it converts itself, and the API's
        ran = data("run", "--workflow", str(workflow), "--wait", *here)
        assert ran["status"] == "completed"
        assert len(ran["outputs"]) == 1
    job = ran["prompt_id"]
    again = data("run", "--workflow", str(WORKFLOW), "--wait", *here)
    assert "3" in again["cached_node_ids"], "nothing is sampled twice"
    assert data("jobs", "status", job)["status"] == "completed"
    assert data("jobs", "wait", job)["completed"] == 1
    assert data("jobs", "watch", job)["status"] == "completed"
    assert data("jobs", "cancel", job)["found"]
    [file] = data("download", job, "--out-dir", str(tmp_path / "fetched"))["files"]
    assert Path(file["path"]).read_bytes().startswith(b"\x89PNG")

    broken = tmp_path / "broken.json"
    broken.write_text(API_PROMPT.read_text().replace('"cfg": 5.0', '"cfg": "much"'))
    refused = ask("run", "--workflow", str(broken), "--wait", *here)
    assert not refused["ok"]
    assert "cfg" in json.dumps(refused["error"])
    assert data("upload", str(broken), *here)["uploads"][0]["cloud_name"] == "broken.json"
    assert data("free")["requested"]["unload_models"]


def test_the_comfyui_sdk_runs_prompts_and_asks_for_everything_else(sdk: Path, server: str) -> None:
    done = subprocess.run(
        ["node", sdk.name, server, str(API_PROMPT)], cwd=sdk.parent, capture_output=True, text=True, timeout=300,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found.pop("version")
    assert found == {
        "ping": True,
        "checkpoints": ["heddle_scenes.safetensors"],
        "samplers": True,
        "node": ["KSampler"],
        "no such node": None,
        "folders": True,
        "upload": "sdk.png",
        "setting": 5,
        "user data": [{"a": 1}, []],
        "log": True,
        "free": True,
        "run": {"told": ["output", "pending", "preview", "progress", "start"], "bytes": list(b"\x89PNG")},
        "bad": {"failed": "EnqueueFailedError", "nodes": ["3"]},
        "history": 1,
        "queue": {"queue_pending": [], "queue_running": [], "queue_paused": False},
        "interrupt": None,
    }
