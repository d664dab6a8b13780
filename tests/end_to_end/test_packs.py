"""Node packs through the command line: the one in the README, good ones and bad ones, beside the built-in nodes."""

import json
import re
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
GREETER = """
    import sys
    import threading
    threading.Thread(target=threading.Event().wait).start()  # never ends
    print("greetings at import")

    class Greeter:
        RETURN_TYPES = ()
        FUNCTION = "greet"
        OUTPUT_NODE = True

        @classmethod
        def INPUT_TYPES(cls):
            return {"required": {"name": ("STRING", {"default": "you"})}}

        def greet(self, name):
            print("greetings at run")
            import server
            own = [module for module in sys.modules if module == "server.app"]
            return {"ui": {"text": [f"hello {name}", str(own), str(hasattr(server, "PromptServer"))]}}

    NODE_CLASS_MAPPINGS = {"Greeter": Greeter}
"""


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A base folder with a folder for packs."""
    folder = tmp_path / "base"
    (folder / "custom_nodes").mkdir(parents=True)
    return folder


def write_pack(base: Path, name: str, text: str) -> None:
    (base / "custom_nodes" / name).write_text(textwrap.dedent(text))


def run_prompt(heddle: Any, base: Path, prompt: dict[str, Any], *flags: str) -> Any:
    (base / "prompt.json").write_text(json.dumps(prompt))
    return heddle("run", str(base / "prompt.json"), "--base-directory", str(base), *flags)


def test_the_pack_in_the_readme_is_complete(heddle: Any, base: Path, tmp_path: Path) -> None:
    section = (ROOT / "README.md").read_text().partition("## Write a node")[2].partition("\n## ")[0]
    code = re.findall(r"```python\n(.*?)```", section, re.DOTALL)[0]
    assert len([line for line in code.splitlines() if line.strip()]) <= 10
    name = re.findall(r"`custom_nodes/(\w+\.py)`", section)[0]
    write_pack(base, name, code)
    (tmp_path / "input").mkdir()
    grey = np.arange(0, 256, dtype=np.uint8).reshape(16, 16)
    Image.fromarray(np.stack([grey] * 3, axis=-1)).save(tmp_path / "input" / "ramp.png")
    prompt = {
        "1": {"class_type": "LoadImage", "inputs": {"image": "ramp.png"}},
        "2": {"class_type": "ImagePosterize", "inputs": {"image": ["1", 0], "levels": 2}},
        "3": {"class_type": "SaveImage", "inputs": {"images": ["2", 0], "filename_prefix": "few"}},
    }
    done = run_prompt(heddle, base, prompt)
    assert done.returncode == 0, done.stderr
    with Image.open(done.stdout.strip()) as image:
        assert set(np.asarray(image).flat) == {0, 255}


def test_what_packs_print_is_no_output_and_our_server_is_not_theirs(heddle: Any, base: Path) -> None:
    write_pack(base, "greeter.py", GREETER)
    done = run_prompt(heddle, base, {"1": {"class_type": "Greeter", "inputs": {}}}, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["outputs"] == {"1": {"text": ["hello you", "[]", "True"]}}
    assert "greetings at import" in done.stderr
    assert "greetings at run" in done.stderr


def test_packs_are_listed_with_what_is_wrong_with_them(heddle: Any, base: Path) -> None:
    write_pack(base, "greeter.py", GREETER)
    (base / "more").mkdir()
    (base / "more" / "broken.py").write_text("import absent_module_of_a_pack")
    (base / "extra_model_paths.yaml").write_text("another:\n  custom_nodes: more\n")
    flags = ("--base-directory", str(base))
    done = heddle("packs", *flags)
    assert done.returncode == 1
    assert [line.split()[:3] for line in done.stdout.splitlines() if line.endswith(" s")] == [
        ["greeter", "1", "nodes"],
        ["broken", "0", "nodes"],
    ]
    assert "absent_module_of_a_pack" in done.stdout
    listed = heddle("nodes", *flags)
    assert listed.returncode == 0
    assert "  Greeter" in listed.stdout
    assert listed.stderr.count("node pack broken: It needs the Python module 'absent_module_of_a_pack'") == 1
    unknown = run_prompt(heddle, base, {"1": {"class_type": "OfTheBrokenPack", "inputs": {}}})
    assert unknown.returncode == 1
    assert "OfTheBrokenPack" in unknown.stderr
    assert "node pack broken" in unknown.stderr
    assert "Traceback" not in unknown.stderr


@pytest.mark.parametrize(
    ("flags", "names"),
    [
        (("--disable-all-custom-nodes",), set()),
        (("--disable-all-custom-nodes", "--whitelist-custom-nodes", "b.py", "c"), {"b"}),
    ],
)
def test_flags_choose_packs(heddle: Any, base: Path, flags: tuple[str, ...], names: set[str]) -> None:
    for name in ("a", "b"):
        write_pack(base, f"{name}.py", "NODE_CLASS_MAPPINGS = {}")
    done = heddle("packs", "--base-directory", str(base), *flags)
    assert done.returncode == 0
    listed = {line.split()[0] for line in done.stdout.splitlines() if line.endswith(" s")}
    assert listed == names
    assert ("There are no node packs." in done.stdout) is (not names)


def test_a_pack_that_ends_the_process_is_left_out_in_the_end(heddle: Any, base: Path) -> None:
    write_pack(base, "deadly.py", "import os; os._exit(7)")
    write_pack(base, "greeter.py", GREETER)
    done = [heddle("packs", "--base-directory", str(base)) for _ in range(3)]
    assert [one.returncode for one in done] == [7, 7, 1]
    assert "ended the whole process" in done[2].stdout
    assert "greeter     1 nodes" in done[2].stdout


IDIOMS: dict[str, Any] = {
    "4": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "heddle_scenes.safetensors"}},
    "20": {
        "class_type": "IdiomStack",
        "inputs": {"model": ["4", 0], "clip": ["4", 1], "entry_1": {"on": True, "strength": 0.5}, "header": "h"},
    },
    "6": {"class_type": "CLIPTextEncode", "inputs": {"text": "a green sphere by day", "clip": ["20", 1]}},
    "5": {"class_type": "EmptyLatentImage", "inputs": {"width": 128, "height": 128, "batch_size": 1}},
    "3": {
        "class_type": "IdiomSampler",
        "inputs": {
            "model": ["20", 0],
            "seed": 5,
            "steps": 2,
            "cfg": 5.0,
            "sampler_name": "euler",
            "scheduler": "normal",
            "positive": ["6", 0],
            "negative": ["6", 0],
            "latent_image": ["5", 0],
            "denoise": 1.0,
        },
    },
    "8": {"class_type": "VAEDecode", "inputs": {"samples": ["3", 0], "vae": ["4", 2]}},
    "10": {"class_type": "IdiomRepeat", "inputs": {"image": ["8", 0], "times": 3}},
    "9": {"class_type": "IdiomSaver", "inputs": {"images": ["10", 0], "filename_prefix": "scene"}},
    "11": {"class_type": "IdiomShowText", "inputs": {"text": ["3", 2]}},
    "12": {"class_type": "IdiomShowText", "inputs": {"text": ["20", 2]}},
    "13": {"class_type": "ImageInvert", "inputs": {"image": ["8", 0]}},
    "14": {"class_type": "SaveImage", "inputs": {"images": ["13", 0], "filename_prefix": "once"}},
}
"""From a checkpoint to a picture through classes that subclass, wrap and expand into built-in nodes."""


def test_a_pack_with_the_idioms_of_widely_used_ones_makes_a_picture(heddle: Any, base: Path) -> None:
    extra = base / "extra.yaml"
    extra.write_text(f"idioms:\n  custom_nodes: {Path(__file__).parent / 'idioms'}\n")
    (base / "prompt.json").write_text(json.dumps(IDIOMS))
    done = heddle("run", str(base / "prompt.json"), "--json", "--extra-model-paths-config", str(extra))
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["outputs"]["11"] == {"text": ["3 of 12, IdiomSampler"]}
    assert report["outputs"]["12"] == {"text": ["entry_1={'on': True, 'strength': 0.5}, header=h"]}
    assert {"10.0.0.1", "10.0.0.2", "10.0.0.3"} <= set(report["executed"])
    pictures = {Path(file).name: np.asarray(Image.open(file)) for file in report["files"]}
    assert set(pictures) == {"scene_idiom_00001_.png", "once_00001_.png"}
    one, three = pictures.values()
    assert np.abs(one.astype(int) - three.astype(int)).max() <= 1, "inverting three times is inverting once"
