"""`main.py run` twice, in two processes: the second does nothing that the first has done, and opens no checkpoint."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.test_command_line import PROMPT, ROOT

CHECKPOINT = ROOT / "models" / "checkpoints" / "heddle_scenes.safetensors"
EVERY = ["3", "4", "5", "6", "7", "8", "9"]


def prepare(command_line: Any, tmp_path: Path) -> Any:
    """What runs the prompt on a copy of the checkpoint with further flags, and gives the report."""
    (tmp_path / "models").mkdir()
    shutil.copy(CHECKPOINT, tmp_path / "models" / "copy.safetensors")
    (tmp_path / "extra.yaml").write_text("here:\n  base_path: .\n  checkpoints: models\n")
    prompt = json.loads(json.dumps(PROMPT))
    prompt["4"]["inputs"]["ckpt_name"] = "copy.safetensors"
    prompt["3"]["inputs"]["steps"] = 2
    (tmp_path / "prompt.json").write_text(json.dumps(prompt))

    def call(*arguments: str) -> dict[str, Any]:
        extra = ("--extra-model-paths-config", str(tmp_path / "extra.yaml"))
        done = command_line("run", str(tmp_path / "prompt.json"), "--json", *extra, *arguments)
        assert done.stdout, done.stderr
        report: dict[str, Any] = json.loads(done.stdout)
        return report

    return call


def make_unreadable(checkpoint: Path) -> None:
    """Overwrite the content and keep what a fingerprint looks at, so that only opening the file can notice."""
    state = checkpoint.stat()
    checkpoint.write_bytes(b"\0" * state.st_size)
    os.utime(checkpoint, ns=(state.st_atime_ns, state.st_mtime_ns))


@pytest.mark.slow
def test_a_second_run_in_another_process_opens_no_checkpoint(heddle: Any, tmp_path: Path) -> None:
    run = prepare(heddle, tmp_path)
    first = run()
    assert (first["status"], sorted(first["executed"])) == ("success", EVERY)
    [picture] = [Path(file) for file in first["files"]]
    content = picture.read_bytes()
    make_unreadable(tmp_path / "models" / "copy.safetensors")

    again = run()
    assert (again["status"], again["executed"], again["files"]) == ("success", [], [str(picture)])

    picture.unlink()
    saved_again = run()
    assert (saved_again["status"], saved_again["executed"]) == ("success", ["9"])
    assert picture.read_bytes() == content, "from the decoded picture that the disk has kept bit for bit"

    other_seed = run("--set", "3.seed=6")
    assert other_seed["status"] == "error", "what does need the checkpoint finds it unreadable"
    assert other_seed["errors"][0]["node_id"] == "4"


@pytest.mark.parametrize("flags", [("--cache-none",), ("--cache-disk", "0")], ids=["cache none", "no disk"])
def test_nothing_is_kept_if_nothing_shall_be(heddle_here: Any, tmp_path: Path, flags: tuple[str, ...]) -> None:
    run = prepare(heddle_here, tmp_path)
    for number in (1, 2):
        report = run(*flags)
        assert sorted(report["executed"]) == EVERY
        assert [Path(file).name for file in report["files"]] == [f"scene_0000{number}_.png"]
    assert not (tmp_path / "user" / "cache").exists()
