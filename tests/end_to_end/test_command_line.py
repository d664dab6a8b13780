"""`main.py run`: a saved graph in, a picture that shows what its text says out; for bad input one clear sentence."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from nodes.embedded.judge import look

ROOT = Path(__file__).resolve().parents[2]
WORKFLOW = ROOT / "workflows" / "text_to_image.json"
PROMPT: dict[str, Any] = {
    "4": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "heddle_scenes.safetensors"}},
    "5": {"class_type": "EmptyLatentImage", "inputs": {"width": 128, "height": 128, "batch_size": 1}},
    "6": {"class_type": "CLIPTextEncode", "inputs": {"text": "a green sphere by day", "clip": ["4", 1]}},
    "7": {"class_type": "CLIPTextEncode", "inputs": {"text": "", "clip": ["4", 1]}},
    "3": {
        "class_type": "KSampler",
        "inputs": {
            "model": ["4", 0],
            "seed": 5,
            "steps": 4,
            "cfg": 5.0,
            "sampler_name": "euler",
            "scheduler": "normal",
            "positive": ["6", 0],
            "negative": ["7", 0],
            "latent_image": ["5", 0],
            "denoise": 1.0,
        },
    },
    "8": {"class_type": "VAEDecode", "inputs": {"samples": ["3", 0], "vae": ["4", 2]}},
    "9": {"class_type": "SaveImage", "inputs": {"images": ["8", 0], "filename_prefix": "scene"}},
}


def changed(node_id: str, **inputs: Any) -> dict[str, Any]:
    """The prompt with some inputs of one node replaced; None removes an input."""
    prompt: dict[str, Any] = json.loads(json.dumps(PROMPT))
    for name, value in inputs.items():
        prompt[node_id]["inputs"][name] = value
        if value is None:
            del prompt[node_id]["inputs"][name]
    return prompt


def picture(path: Path) -> torch.Tensor:
    with Image.open(path) as image:
        return torch.from_numpy(np.asarray(image.convert("RGB")).copy()).permute(2, 0, 1).float() / 255


UPSCALE = {
    "class_type": "LatentUpscaleBy",
    "inputs": {"samples": ["3", 0], "upscale_method": "bilinear", "scale_by": 1.0},
}


def test_the_default_workflow_paints_what_its_text_says_and_the_picture_carries_it(heddle: Any) -> None:
    done = heddle("run", str(WORKFLOW), "--set", "6.text=a large red cube at night")
    assert done.returncode == 0, done.stderr
    path = Path(done.stdout.strip())
    sight = look(picture(path))
    assert (sight.sky, sight.regions[0].colour) == ("night", "red")
    with Image.open(path) as image:
        chunks = dict(image.info)
    assert json.loads(chunks["prompt"])["6"]["inputs"]["text"] == "a large red cube at night"
    assert {node["type"] for node in json.loads(chunks["workflow"])["nodes"]} >= {"KSampler", "SaveImage"}

    again = heddle("run", str(path), "--json", "--cache-none", "--set", "6.text=a large red cube at night")
    assert again.returncode == 0, again.stderr
    report = json.loads(again.stdout)
    assert report["status"] == "success"
    assert np.array_equal(picture(Path(report["files"][0])), picture(path)), "a picture's own workflow makes it again"


def test_an_api_prompt_runs_and_its_values_can_be_set(heddle_here: Any, tmp_path: Path) -> None:
    file = tmp_path / "prompt.json"
    file.write_text(json.dumps(PROMPT))
    done = heddle_here("run", str(file), "--set", "SaveImage.filename_prefix=sub/ball", "--set", "3.steps=2")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(tmp_path / "output" / "sub" / "ball_00001_.png")


BAD_PROMPTS: list[tuple[str, dict[str, Any], list[str]]] = [
    ("unknown class", {**PROMPT, "8": {"class_type": "VAEDecodd", "inputs": {}}}, ["VAEDecodd", "8"]),
    ("missing input", changed("3", positive=None), ["3", "KSampler", "positive"]),
    ("wrong type", changed("3", steps="many"), ["3", "KSampler", "steps", "many"]),
    ("wrong socket", changed("3", model=["4", 1]), ["3", "KSampler", "model", "CLIP"]),
    ("out of range", changed("3", steps=0), ["3", "KSampler", "steps", "1"]),
    ("unknown choice", changed("3", sampler_name="eular"), ["3", "KSampler", "sampler_name", "eular"]),
    ("missing file", changed("4", ckpt_name="absent.safetensors"), ["4", "ckpt_name", "absent.safetensors"]),
    ("link to nothing", changed("8", samples=["33", 0]), ["8", "VAEDecode", "samples", "33"]),
    ("cycle", {**PROMPT, "5": UPSCALE}, ["3", "5", "->"]),
]


@pytest.mark.parametrize(("prompt", "words"), [case[1:] for case in BAD_PROMPTS], ids=[case[0] for case in BAD_PROMPTS])
def test_a_bad_graph_is_refused_with_its_node_and_field(
    heddle_here: Any, tmp_path: Path, prompt: dict[str, Any], words: list[str]
) -> None:
    file = tmp_path / "prompt.json"
    file.write_text(json.dumps(prompt))
    check_refused(heddle_here("run", str(file)), words, tmp_path)


BAD_FILES: list[tuple[str, bytes, list[str]]] = [
    ("no.json", b"{ this is not JSON", ["no.json", "JSON", "line 1"]),
    ("list.json", b"[1, 2, 3]", ["list.json"]),
    ("half.png", b"\x89PNG\r\n\x1a\n\x00\x00", ["half.png", "picture"]),
    ("binary.json", bytes(range(128, 250)), ["binary.json"]),
]


@pytest.mark.parametrize(("name", "content", "words"), BAD_FILES, ids=[case[0] for case in BAD_FILES])
def test_a_file_that_is_no_workflow_is_named(
    heddle_here: Any, tmp_path: Path, name: str, content: bytes, words: list[str]
) -> None:
    (tmp_path / name).write_bytes(content)
    check_refused(heddle_here("run", str(tmp_path / name)), words, tmp_path)


BAD_CHECKPOINTS: list[tuple[str, bytes | float, list[str]]] = [
    ("truncated.safetensors", 0.5, ["truncated.safetensors"]),
    ("page.safetensors", b"<!DOCTYPE html><html><body>Sign in</body></html>", ["page.safetensors"]),
    ("empty.safetensors", b"", ["empty.safetensors"]),
    ("other.safetensors", b"\x02\x00\x00\x00\x00\x00\x00\x00{}", ["other.safetensors"]),
]


@pytest.mark.parametrize(("name", "content", "words"), BAD_CHECKPOINTS, ids=[case[0] for case in BAD_CHECKPOINTS])
def test_a_file_that_is_no_checkpoint_is_named_with_what_is_wrong(
    heddle_here: Any, tmp_path: Path, name: str, content: bytes | float, words: list[str]
) -> None:
    models = tmp_path / "checkpoints"
    models.mkdir()
    if isinstance(content, float):
        whole = (ROOT / "models" / "checkpoints" / "heddle_scenes.safetensors").read_bytes()
        content = whole[: int(len(whole) * content)]
    (models / name).write_bytes(content)
    extra = tmp_path / "extra.yaml"
    extra.write_text(f"mine:\n  base_path: {tmp_path}\n  checkpoints: checkpoints\n")
    file = tmp_path / "prompt.json"
    file.write_text(json.dumps(changed("4", ckpt_name=name)))
    done = heddle_here("run", str(file), "--extra-model-paths-config", str(extra))
    check_refused(done, ["4", "CheckpointLoaderSimple", "ckpt_name", *words], tmp_path)


def test_a_picture_that_is_none_is_named(heddle_here: Any, tmp_path: Path) -> None:
    (tmp_path / "input").mkdir()
    (tmp_path / "input" / "cat.png").write_text("not a picture")
    prompt = {
        "1": {"class_type": "LoadImage", "inputs": {"image": "cat.png"}},
        "2": {"class_type": "PreviewImage", "inputs": {"images": ["1", 0]}},
    }
    file = tmp_path / "prompt.json"
    file.write_text(json.dumps(prompt))
    check_refused(heddle_here("run", str(file)), ["1", "LoadImage", "cat.png"], tmp_path)


def test_a_value_that_cannot_be_set_lists_what_can(heddle_here: Any, tmp_path: Path) -> None:
    file = tmp_path / "prompt.json"
    file.write_text(json.dumps(PROMPT))
    check_refused(heddle_here("run", str(file), "--set", "3.sede=7"), ["3", "KSampler", "sede", "seed"], tmp_path)
    check_refused(
        heddle_here("run", str(file), "--set", "CLIPTextEncode.text=x"), ["CLIPTextEncode", "6", "7"], tmp_path
    )


def test_nodes_are_listed_and_described(heddle_here: Any) -> None:
    listed = heddle_here("nodes")
    assert listed.returncode == 0
    assert "KSampler" in listed.stdout
    described = heddle_here("nodes", "KSampler")
    assert "denoise: FLOAT = 1.0, 0.0 to 1.0" in described.stdout
    unknown = heddle_here("nodes", "ksampl")
    assert unknown.returncode == 1
    assert "KSampler" in unknown.stderr


def test_a_run_leaves_the_repository_as_it_was(heddle: Any, tmp_path: Path) -> None:
    before = {path.name for path in ROOT.iterdir()}
    shutil.copy(WORKFLOW, tmp_path)
    assert heddle("run", str(tmp_path / WORKFLOW.name), "--set", "3.steps=1").returncode == 0
    assert {path.name for path in ROOT.iterdir()} - before <= {"__pycache__"}


def check_refused(done: Any, words: list[str], tmp_path: Path) -> None:
    """It failed, with one short message that holds the words and no traceback, and wrote no picture."""
    assert done.returncode == 1, done.stdout + done.stderr
    for word in words:
        assert word in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) <= 4, done.stderr
    assert list((tmp_path / "output").rglob("*.png")) == []
