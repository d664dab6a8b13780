"""Networks become resident, stay while they are used, and the least recently used leave when room is needed."""

import gc

import pytest
import torch
from torch import nn

from nodes.diffusion.memory.device import DeviceMemory, choose_memory
from nodes.diffusion.memory.network import Network
from nodes.diffusion.memory.preferences import Preferences

CPU = torch.device("cpu")
SIZE = 1000
BYTES = SIZE * 4


def network(value: float = 1.0) -> Network:
    with torch.device("meta"):
        module = nn.Linear(SIZE, 1, bias=False).requires_grad_(False)
    return Network("unet", module, {"weight": torch.full((1, SIZE), value, dtype=torch.float16)})


def is_resident(network: Network) -> bool:
    return network.resident


def check_resident(networks: list[Network], expected: str) -> None:
    """`expected` has one sign for each network: x where it is resident."""
    assert "".join("x" if is_resident(one) else "." for one in networks) == expected


def test_a_network_computes_in_float32_on_the_cpu_whatever_the_file_holds() -> None:
    memory, one = DeviceMemory(CPU, 10 * BYTES), network(0.5)
    with memory.resident(one):
        weight = next(one.module.parameters())
        assert (weight.dtype, weight.device.type, float(weight.sum())) == (torch.float32, "cpu", SIZE / 2)
    assert one.weights["weight"].dtype is torch.float16


def test_the_least_recently_used_network_leaves_first() -> None:
    memory, (a, b, c) = DeviceMemory(CPU, 2 * BYTES), (network(), network(), network())
    for used, expected in ((a, "x.."), (b, "xx."), (a, "xx."), (c, "x.x"), (b, ".xx")):
        with memory.resident(used):
            check_resident([a, b, c], expected)
    assert memory.resident_bytes() == 2 * BYTES


def test_a_network_in_use_never_leaves_even_over_the_budget() -> None:
    memory, (a, b) = DeviceMemory(CPU, BYTES), (network(), network())
    with memory.resident(a), memory.resident(b):
        memory.free()
        check_resident([a, b], "xx")
    memory.free()
    check_resident([a, b], "..")


def test_nested_use_counts() -> None:
    memory, a = DeviceMemory(CPU, BYTES), network()
    with memory.resident(a):
        with memory.resident(a, a):
            pass
        memory.free()
        check_resident([a], "x")


def test_a_failure_inside_releases_the_network() -> None:
    memory, a = DeviceMemory(CPU, BYTES), network()
    with pytest.raises(RuntimeError, match="stop"), memory.resident(a):
        raise RuntimeError("stop")
    memory.free()
    check_resident([a], ".")


def test_a_network_that_cannot_be_loaded_is_released() -> None:
    memory, broken = DeviceMemory(CPU, BYTES), network()
    broken.weights = {"other": torch.zeros(1)}
    with pytest.raises(KeyError, match="weight"), memory.resident(broken):
        pass
    memory.free()
    assert memory.resident_bytes() == 0


def test_a_network_that_nobody_has_any_more_leaves_by_itself() -> None:
    memory = DeviceMemory(CPU, 2 * BYTES)
    with memory.resident(network()):
        assert memory.resident_bytes() == BYTES
    gc.collect()
    assert memory.resident_bytes() == 0


def test_the_cpu_is_described() -> None:
    state = choose_memory(Preferences(cpu=True)).state()
    assert (state.name, state.type, state.index) == ("cpu", "cpu", None)
    assert 0 < state.memory_free <= state.memory_total


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no accelerator")
def test_an_accelerator_computes_in_half_and_the_autoencoder_in_float32() -> None:
    memory, one = choose_memory(), network()
    with memory.resident(one):
        weight = next(one.module.parameters())
        assert (weight.dtype, weight.device.type) == (torch.float16, "cuda")
    assert memory.dtype("vae") is torch.float32
    memory.free()
    check_resident([one], ".")
