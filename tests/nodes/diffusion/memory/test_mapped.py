"""What is loaded is held once: the pages of the file that it was copied from are given back, and only those."""

import sys
from contextlib import closing
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from nodes.diffusion.memory.mapped import MappedPages
from nodes.diffusion.memory.network import Network

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what is mapped")

SIDE = 1024
CPU = torch.device("cpu")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    weights = {name: torch.randn(SIDE, SIDE).half() for name in ("0.weight", "1.weight")}
    save_file(weights, tmp_path / "weights.safetensors")
    return tmp_path / "weights.safetensors"


def mapped(path: Path) -> dict[str, Tensor]:
    with safe_open(path, framework="pt", device="cpu") as file:
        return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 it is no dict


def resident(path: Path) -> int:
    """Bytes of the file's mappings that are in memory."""
    found, inside = 0, False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        if "-" in line.partition(" ")[0]:
            inside = line.endswith(str(path))
        elif inside and line.startswith("Rss:"):
            found += int(line.split()[1]) * 1024
    return found


def test_a_network_in_another_type_leaves_nothing_of_its_file_in_memory(path: Path) -> None:
    weights = mapped(path)
    network = Network("unet", nn.Sequential(*(nn.Linear(SIDE, SIDE, bias=False, device="meta") for _ in "ab")), weights)
    before = {name: value.clone() for name, value in weights.items()}
    assert resident(path) > 0.9 * path.stat().st_size, "it was read"
    network.load(CPU, torch.float32)
    assert resident(path) < 0.1 * path.stat().st_size
    for name, value in network.module.state_dict().items():
        assert torch.equal(value, before[name].float())
        assert torch.equal(weights[name], before[name]), "and it can be read again"


def test_a_network_in_the_types_of_its_file_is_the_file(path: Path) -> None:
    weights = mapped(path)
    network = Network("unet", nn.Sequential(*(nn.Linear(SIDE, SIDE, bias=False, device="meta") for _ in "ab")), weights)
    network.load(CPU, torch.float16)
    assert network.module[0].weight.data_ptr() == weights["0.weight"].data_ptr()


def test_what_somebody_wrote_into_is_left_alone(path: Path) -> None:
    weights = mapped(path)
    written = weights["0.weight"]
    written[SIDE // 2] = 7.0
    before = written.clone()
    with closing(MappedPages()) as pages:
        pages.release(written)
    assert torch.equal(written, before)


def test_memory_of_no_file_is_left_alone(path: Path) -> None:
    plain = torch.randn(SIDE, SIDE)
    before, weights = plain.clone(), mapped(path)["0.weight"]
    with closing(MappedPages()) as pages:
        for tensor in (plain, plain.T, weights.T, weights[:, :3], weights[:0], weights[5, 5]):
            pages.release(tensor)
    assert torch.equal(plain, before)
    with closing(MappedPages()) as pages:
        pages.close()
        pages.release(plain)
    assert torch.equal(plain, before)
