"""A real-size SD 1.5 checkpoint gives the recorded latents and pictures, workflow by workflow."""

import hashlib
import importlib.util
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from executor.folders import Folders
from executor.schema import Result

REFERENCE = Path(__file__).parents[3] / "shared" / "parity" / "sd15"
DIGEST = "39451410ad3337cec4ea62702db97f4b9f4d4009e5c163e76d9b85c86e94e82f"
WORKFLOWS = (
    "txt2img",
    "img2img",
    "clip_skip_batch",
    "two_stage_advanced",
    "inpaint_noise_mask",
    "hires_fix",
    "area_composition",
    "custom_sampling",
)

pytestmark = [
    pytest.mark.sd15,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(not REFERENCE.is_dir(), reason="the recorded SD 1.5 results are not on this machine"),
]

RunWorkflow = Callable[[dict[str, Any], Folders], dict[str, Result]]


@pytest.fixture(scope="session")
def checkpoint(pytestconfig: pytest.Config) -> Path:
    """The two-gigabyte random checkpoint, written once and kept in pytest's cache."""
    assert pytestconfig.cache is not None
    path = pytestconfig.cache.mkdir("sd15") / "sd15_random.safetensors"
    if not path.exists():
        spec = importlib.util.spec_from_file_location("make_checkpoint", REFERENCE / "make_checkpoint.py")
        assert spec is not None
        assert spec.loader is not None
        maker = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(maker)
        partial = path.with_suffix(".partial")
        maker.main(str(partial))
        with partial.open("rb") as file:
            assert hashlib.file_digest(file, "sha256").hexdigest() == DIGEST
        partial.rename(path)
    return path


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_workflow_gives_the_recorded_latent_and_pictures(
    name: str, checkpoint: Path, folders: Folders, run_workflow: RunWorkflow
) -> None:
    folders = Folders(folders.input, folders.output, folders.temp, folders.user, {"checkpoints": (checkpoint.parent,)})
    shutil.copy(REFERENCE / "input" / "pattern.png", folders.input)
    run_workflow(json.loads((REFERENCE / "workflows" / f"{name}.json").read_text()), folders)
    (latent,) = folders.output.glob("*.latent")
    check_latent(latent, REFERENCE / "expected" / f"{name}.latent")
    pictures = sorted(folders.output.glob("*.png"))
    expected = sorted((REFERENCE / "expected").glob(f"{name}_*.png"))
    assert len(pictures) == len(expected) > 0
    for mine, theirs in zip(pictures, expected, strict=True):
        check_picture(mine, theirs)


def check_latent(mine: Path, theirs: Path) -> None:
    got, want = load_file(mine)["latent_tensor"], load_file(theirs)["latent_tensor"]
    assert got.shape == want.shape
    error = float((got - want).abs().max() / want.abs().max())
    assert error < 1e-3, f"the latent is off by {error:.2e} of its largest value"


def check_picture(mine: Path, theirs: Path) -> None:
    got, want = (np.asarray(Image.open(path)).astype(int) for path in (mine, theirs))
    assert got.shape == want.shape
    close = float((abs(got - want) <= 1).mean())
    assert close >= 0.999, f"only {close:.4%} of the values are within 1/255"


def test_the_checkpoint_keeps_its_weights_on_disk_until_they_are_used(checkpoint: Path) -> None:
    from nodes.diffusion.checkpoints.load import load_networks

    networks = load_networks(checkpoint)
    assert all(value.is_meta for value in networks.unet.module.parameters())
    assert next(iter(networks.unet.weights.values())).dtype is torch.float16
