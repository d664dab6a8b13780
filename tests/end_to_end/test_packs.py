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
    write_pack(base, "broken.py", "import absent_module_of_a_pack")
    flags = ("--base-directory", str(base))
    done = heddle("packs", *flags)
    assert done.returncode == 1
    assert [line.split()[:3] for line in done.stdout.splitlines() if line.endswith(" s")] == [
        ["broken", "0", "nodes"],
        ["greeter", "1", "nodes"],
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
        ((), {"a", "b"}),
        (("--disable-all-custom-nodes",), set()),
        (("--disable-all-custom-nodes", "--whitelist-custom-nodes", "b.py", "c"), {"b"}),
        (("--whitelist-custom-nodes", "b"), {"a", "b"}),
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
