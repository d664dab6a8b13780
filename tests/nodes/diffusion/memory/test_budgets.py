"""Networks that are larger than the device compute all the same, in the type that was asked for, and say what lacks."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from nodes.diffusion.memory.activations import of_autoencoder, of_step
from nodes.diffusion.memory.device import DeviceFull, DeviceMemory
from nodes.diffusion.memory.layers import layers_of
from nodes.diffusion.memory.network import Network, Role
from nodes.diffusion.memory.preferences import Preferences, Residency, multiplies_bfloat16, settled
from nodes.embedded import networks

CPU = torch.device("cpu")
SIDE, DEPTH = 16, 4
BYTES = DEPTH * (SIDE * SIDE + SIDE) * 4


def network(role: Role = "unet") -> Network:
    with torch.device("meta"):
        module = nn.Sequential(*(nn.Linear(SIDE, SIDE) for _ in range(DEPTH))).requires_grad_(False)
    generator = torch.Generator().manual_seed(0)
    weights = {name: torch.randn(value.shape, generator=generator) / 4 for name, value in module.state_dict().items()}
    return Network(role, module, weights)


def memory(budget: int = 10 * BYTES, **wanted: object) -> DeviceMemory:
    return DeviceMemory(CPU, budget, Preferences(**wanted))  # type: ignore[arg-type]


X = torch.randn(2, SIDE, generator=torch.Generator().manual_seed(1))


def expected() -> Tensor:
    one = network()
    with memory().resident(one):
        return one.module(X)


def live_bytes(one: Network) -> int:
    return sum(value.nbytes for value in one.module.parameters() if not value.is_meta)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.6, 0.99])
def test_what_does_not_fit_is_brought_layer_by_layer_and_computes_the_same(share: float) -> None:
    room, one = memory(int(share * BYTES)), network()
    seen: list[int] = []
    for _, layer, _ in layers_of(one.module):
        layer.register_forward_pre_hook(lambda *_: seen.append(live_bytes(one)))
    with room.resident(one):
        assert torch.equal(one.module(X), expected())
        assert one.held <= share * BYTES
        assert live_bytes(one) == one.held, "nothing stays that was only brought"
    assert max(seen) <= share * BYTES + BYTES / DEPTH, "one layer at a time beside what stays"
    assert room.resident_bytes() == one.held


RESIDENCIES: list[tuple[Residency, Role, float, float]] = [
    ("auto", "unet", 2.0, 1.0),
    ("auto", "unet", 0.5, 0.5),
    ("high", "unet", 0.5, 1.0),
    ("normal", "unet", 0.5, 1.0),
    ("low", "unet", 2.0, 0.5),
    ("low", "text", 2.0, 1.0),
    ("none", "unet", 2.0, 0.0),
    ("none", "text", 2.0, 0.0),
]


@pytest.mark.parametrize(("residency", "role", "budget", "held"), RESIDENCIES)
def test_residency_says_how_much_of_a_network_stays(
    residency: Residency, role: Role, budget: float, held: float
) -> None:
    one = network(role)
    with memory(int(budget * BYTES), residency=residency).resident(one):
        assert torch.equal(one.module(X), expected())
        assert one.held == held * BYTES


def test_what_is_computed_takes_room_from_the_weights() -> None:
    room, one = memory(2 * BYTES), network()
    with room.resident(one, activations=int(1.5 * BYTES)):
        assert one.held == BYTES // 2
        assert torch.equal(one.module(X), expected())
    with room.resident(one):
        assert one.whole, "when there is room again"
        assert torch.equal(one.module(X), expected())
    other = network()
    with room.resident(other, activations=BYTES):
        assert other.whole
        assert not one.resident, "the least recently used network makes room for what is computed, too"


def test_networks_leave_after_use_if_that_is_wanted() -> None:
    room, one = memory(unload_after_use=True), network()
    with room.resident(one), room.resident(one):
        assert one.resident
    assert not one.resident
    assert one.held == room.resident_bytes() == 0


@pytest.mark.parametrize("name", ["float8_e4m3fn", "float8_e5m2"])
def test_weights_in_eight_bits_take_a_quarter_and_compute_in_a_larger_type(name: str) -> None:
    room, one = memory(unet=name), network()
    storage = getattr(torch, name)
    with room.resident(one):
        made = one.module(X)
        assert made.dtype is torch.float32
        rounded = network()
        rounded.weights = {
            key: value.to(storage).float() if value.ndim > 1 else value for key, value in rounded.weights.items()
        }
        with memory().resident(rounded):
            assert torch.equal(made, rounded.module(X))
        assert one.held == room.resident_bytes() == DEPTH * (SIDE * SIDE + SIDE * 4)
    assert not torch.equal(made, expected())
    room.free()
    with memory().resident(one):
        assert torch.equal(one.module(X), expected()), "the file's weights are what they were"


TYPES: list[tuple[dict[str, object], Role, torch.dtype]] = [
    ({}, "unet", torch.float32),
    ({"unet": "bfloat16"}, "unet", torch.bfloat16),
    ({"unet": "bfloat16"}, "text", torch.float32),
    ({"vae": "float16"}, "vae", torch.float16),
    ({"text": "float8_e4m3fn"}, "text", torch.float32),
]


@pytest.mark.parametrize(("wanted", "role", "dtype"), TYPES)
def test_a_network_computes_in_the_type_that_is_wanted(
    wanted: dict[str, object], role: Role, dtype: torch.dtype
) -> None:
    room, one = memory(**wanted), network(role)
    with room.resident(one):
        assert room.dtype(role) is one.dtype is dtype
        assert next(one.module.parameters()).dtype is dtype or room.preferences.stored(role)


def test_on_an_accelerator_half_is_the_default_and_the_autoencoder_may_stay_on_the_cpu() -> None:
    cuda = torch.device("cuda")
    assert Preferences().computed("unet", cuda) is torch.float16
    assert Preferences().computed("vae", cuda) is torch.float32
    assert Preferences(unet="float8_e4m3fn").computed("unet", cuda) is torch.float16
    away = DeviceMemory(cuda, 0, Preferences(cpu_vae=True))
    assert (away.device_of("vae"), away.device_of("unet")) == (CPU, cuda)
    one = network("vae")
    with away.resident(one):
        assert one.whole, "the accelerator's budget does not bind the CPU"
        assert torch.equal(one.module(X), expected())


def test_a_cpu_computes_in_bfloat16_by_itself_only_if_it_multiplies_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    made = settled(Preferences(unet="float32"), CPU)
    assert made.unet == "float32", "what is asked for holds"
    assert made.text == ("bfloat16" if multiplies_bfloat16() else None)
    for able in (True, False):
        monkeypatch.setattr("nodes.diffusion.memory.preferences.multiplies_bfloat16", lambda able=able: able)
        assert settled(Preferences(), CPU).computed("unet", CPU) is (torch.bfloat16 if able else torch.float32)
    assert settled(Preferences(), torch.device("cuda")) == Preferences()


def failing(times: int) -> Callable[[], str]:
    """Work that runs out of memory so often, and then succeeds."""
    left = [times]

    def work() -> str:
        if left[0]:
            left[0] -= 1
            raise torch.OutOfMemoryError("out of memory")
        return "done"

    return work


def test_when_memory_runs_out_everything_else_leaves_and_it_is_tried_once_more() -> None:
    room, one, other = memory(), network(), network()
    with room.resident(other):
        pass
    assert room.attempt(one, failing(1), "Sampling") == "done"
    assert not other.resident
    assert one.held == 0, "and the weights were brought layer by layer"
    assert room.attempt(one, failing(0), "Sampling") == "done"
    assert one.whole


def test_another_way_may_be_taken_the_second_time() -> None:
    room, one = memory(), network("vae")
    assert room.attempt(one, failing(1), "Decoding", otherwise=lambda: "in tiles") == "in tiles"


def test_what_does_not_fit_at_all_says_what_it_needed_and_what_there_was() -> None:
    room, one = memory(), network()
    words = (
        r"^Sampling 9 x 9 cells does not fit on cpu: .* 2\.0 GiB for what is computed, and of [\d.]+ GiB there are "
        r"[\d.]+ GiB free\. Take a smaller picture"
    )
    with pytest.raises(DeviceFull, match=words):
        room.attempt(one, failing(2), "Sampling 9 x 9 cells", activations=2 << 30)
    with pytest.raises(ValueError, match="broken"):
        room.attempt(one, lambda: int("broken"), "Sampling")


def test_the_memory_of_a_pass_is_estimated_from_its_layout() -> None:
    unet, vae = networks.make_unet(), networks.make_vae()
    one, other = Network("unet", unet, {}), Network("vae", vae, {})
    small, large = (of_step(one, torch.float32, 2, side, side) for side in (16, 32))
    assert large == 4 * small
    assert of_step(one, torch.bfloat16, 2, 16, 16) * 2 == small
    assert of_autoencoder(other, torch.float32, 128, 128) > small
    assert of_step(network(), torch.float32, 1, 64, 64) == 0, "of another layout nothing is known"


def test_what_decides_the_last_digits_is_put_in_words() -> None:
    plain, bf16 = memory().numerics(), memory(unet="bfloat16").numerics()
    assert plain != bf16
    assert "unet torch.bfloat16" in bf16
    assert memory(cpu_noise=True).numerics() != plain
