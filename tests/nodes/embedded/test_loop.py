"""The training loop goes on where it stopped, and makes what several processes share only once."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from nodes.embedded.loop import Schedule, fit

SCHEDULE = Schedule(steps=12, rate=0.05, warmup=2, save_every=4, ema=0.5)


class Stopped(Exception):
    """Somebody ended the program."""


def train(folder: Path, *, stop_at: int | None = None) -> list[Tensor]:
    """Weights of a small regression after all steps; leaves by Stopped in the middle of step `stop_at`."""
    torch.manual_seed(0)
    model, drawn = nn.Linear(3, 1), []

    def loss_of(generator: torch.Generator) -> Tensor:
        drawn.append(generator)
        if stop_at is not None and len(drawn) > stop_at:
            raise Stopped
        x = torch.randn(8, 3, generator=generator)
        return (model(x) - x.sum(1, keepdim=True)).square().mean()

    fit("line", model, loss_of, SCHEDULE, folder)
    return [parameter.detach() for parameter in model.parameters()]


def test_an_interrupted_run_ends_with_the_weights_of_an_uninterrupted_one(tmp_path: Path) -> None:
    (tmp_path / "whole").mkdir()
    whole = train(tmp_path / "whole")
    with pytest.raises(Stopped):
        train(tmp_path, stop_at=7)
    assert torch.load(tmp_path / "line.pt", weights_only=True)["step"] == 4
    resumed = train(tmp_path)
    assert all(torch.equal(a, b) for a, b in zip(whole, resumed, strict=True))


def test_the_rate_rises_holds_and_falls_to_nothing() -> None:
    rates = [Schedule(steps=100, rate=1.0, warmup=10, cooldown=0.5).rate_at(step) for step in range(101)]
    assert rates[0] == pytest.approx(0.1)
    assert rates[9:50] == [1.0] * 41
    assert rates[50:] == sorted(rates[50:], reverse=True)
    assert rates[100] == pytest.approx(0)


SHARED = """
import sys, pathlib, torch, torch.distributed as dist
from nodes.embedded.loop import kept, share_of
dist.init_process_group("gloo")
folder = pathlib.Path(sys.argv[1])
def make():
    (folder / f"made_by_{dist.get_rank()}").touch()
    return torch.arange(3)
assert kept(folder / "shared.pt", make).tolist() == [0, 1, 2]
assert share_of(32) == 16
"""


def test_several_processes_make_shared_data_once(tmp_path: Path) -> None:
    script = tmp_path / "shared.py"
    script.write_text(SHARED)
    line = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node",
        "2",
        str(script),
        str(tmp_path),
    ]
    root = Path(__file__).resolve().parents[3]
    environment = {"PYTHONPATH": str(root), "OMP_NUM_THREADS": "1", "PATH": ""}
    done = subprocess.run(line, cwd=root, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in tmp_path.glob("made_by_*")) == ["made_by_0"]
