"""Variants of a network: the same weights, some of them changed on their way to the device, the others shared there."""

import gc
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from nodes.diffusion.memory.device import DeviceMemory
from nodes.diffusion.memory.network import Network
from nodes.diffusion.memory.preferences import Preferences

CPU = torch.device("cpu")
SIDE, DEPTH = 16, 4
BYTES = DEPTH * (SIDE * SIDE + SIDE) * 4
X = torch.randn(2, SIDE, generator=torch.Generator().manual_seed(0))


def network(dtype: torch.dtype = torch.float32, **kept: Any) -> Network:
    torch.manual_seed(0)
    module = nn.Sequential(*(nn.Linear(SIDE, SIDE) for _ in range(DEPTH)))
    weights = {name: value.detach().to(dtype) for name, value in module.state_dict().items()}
    with torch.device("meta"):
        form = nn.Sequential(*(nn.Linear(SIDE, SIDE) for _ in range(DEPTH)))
    return Network("unet", form.requires_grad_(False), weights, **kept)


def memory(budget: int = 1 << 30, **preferences: Any) -> DeviceMemory:
    return DeviceMemory(CPU, budget, Preferences(**preferences))


def doubled(weight: Tensor) -> Tensor:
    return weight.mul_(2)


def raised(weight: Tensor) -> Tensor:
    return weight.add_(1)


def by_hand(one: Network, **changed: Tensor) -> Tensor:
    x = X
    for index in range(DEPTH):
        weight = changed.get(f"w{index}", one.weights[f"{index}.weight"].float())
        x = x @ weight.T + one.weights[f"{index}.bias"].float()
    return x


def parameters(one: Network) -> dict[str, int]:
    return {name: value.data_ptr() for name, value in one.module.named_parameters()}


def test_a_variant_computes_with_its_changes_in_their_order_and_the_origin_without() -> None:
    one = network()
    variant = one.changed({"1.weight": [doubled]}).changed({"1.weight": [raised], "2.weight": [raised]})
    expected = by_hand(one, w1=one.weights["1.weight"] * 2 + 1, w2=one.weights["2.weight"] + 1)
    with memory().resident(one, variant):
        torch.testing.assert_close(variant.module(X), expected)
        torch.testing.assert_close(one.module(X), by_hand(one))
    torch.testing.assert_close(variant.value("1.weight"), one.weights["1.weight"] * 2 + 1)


def test_no_change_is_the_network_itself() -> None:
    one = network()
    assert one.changed({}) is one
    assert one.changed({"1.weight": []}) is one


def test_the_files_weights_are_never_written_to() -> None:
    one = network()
    before = {name: value.clone() for name, value in one.weights.items()}
    with memory().resident(one.changed({"0.weight": [doubled], "0.bias": [raised]})):
        pass
    assert all(torch.equal(one.weights[name], value) for name, value in before.items())


@pytest.mark.parametrize("type_", ["float32", "bfloat16"])
@pytest.mark.parametrize("first", ["origin", "variant"])
def test_what_is_not_changed_is_on_the_device_once(type_: Any, first: str) -> None:
    room, one = memory(unet=type_), network()
    variant, other = one.changed({"1.weight": [doubled]}), one.changed({"1.weight": [raised], "3.bias": [raised]})
    order = (one, variant, other) if first == "origin" else (other, variant, one)
    with room.resident(*order):
        plain, changed, third = (parameters(each) for each in (one, variant, other))
        assert {name for name in plain if plain[name] != changed[name]} == {"1.weight"}
        assert {name for name in plain if plain[name] != third[name]} == {"1.weight", "3.bias"}
        size = getattr(torch, type_).itemsize
        assert room.resident_bytes() == BYTES // 4 * size + 2 * SIDE * SIDE * size + SIDE * size
    one.unload()
    assert variant.resident
    assert torch.isfinite(variant.module(X.to(getattr(torch, type_)))).all(), "it keeps what it needs"


def test_what_a_variant_has_there_takes_no_room_from_another() -> None:
    room, one = memory(BYTES + SIDE * SIDE * 4), network()
    variant = one.changed({"1.weight": [doubled]})
    with room.resident(one), room.resident(variant):
        assert one.whole
        assert variant.whole


def test_a_variant_goes_when_nobody_has_it_and_the_origin_stays() -> None:
    room, one = memory(), network()
    variant = one.changed({"1.weight": [doubled]})
    with room.resident(one, variant):
        pass
    del variant
    gc.collect()
    assert room.resident_bytes() == BYTES
    assert one.resident


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_what_is_brought_layer_by_layer_is_changed_too(share: float) -> None:
    room, one = memory(int(share * BYTES)), network()
    variant = one.changed({f"{index}.weight": [doubled, raised] for index in range(DEPTH)})
    expected = by_hand(one, **{f"w{index}": one.weights[f"{index}.weight"] * 2 + 1 for index in range(DEPTH)})
    with room.resident(variant):
        assert not variant.whole
        torch.testing.assert_close(variant.module(X), expected)
        torch.testing.assert_close(variant.module(X), expected)


def test_weights_in_eight_bits_are_changed_in_float32_when_their_layer_computes() -> None:
    room, one = memory(unet="float8_e4m3fn"), network()
    variant = one.changed({"1.weight": [raised]})
    rounded = {f"w{index}": one.weights[f"{index}.weight"].to(torch.float8_e4m3fn).float() for index in range(DEPTH)}
    expected = by_hand(one, **(rounded | {"w1": rounded["w1"] + 1}))
    with room.resident(variant, one):
        torch.testing.assert_close(variant.module(X), expected)
        torch.testing.assert_close(one.module(X), by_hand(one, **rounded))
        assert room.resident_bytes() == one.held, "one byte each, and both share it"


def test_weights_that_a_file_has_divided_by_a_factor_are_changed_after_it_is_undone() -> None:
    eight = torch.float8_e4m3fn
    names = [f"{index}.weight" for index in range(DEPTH)]
    one = network(kept=dict.fromkeys(names, eight), scales=dict.fromkeys(names, torch.tensor(0.5)))
    one.weights = {name: value.to(eight) if name in names else value for name, value in one.weights.items()}
    variant = one.changed({"2.weight": [raised]})
    real = {f"w{index}": one.weights[name].float() * 0.5 for index, name in enumerate(names)}
    with memory().resident(one, variant):
        torch.testing.assert_close(one.module(X), by_hand(one, **real))
        torch.testing.assert_close(variant.module(X), by_hand(one, **(real | {"w2": real["w2"] + 1})))
    torch.testing.assert_close(variant.value("2.weight"), real["w2"] + 1)


def test_only_a_few_idle_variants_stay() -> None:
    room, one = memory(), network()
    variants = [one.changed({"1.weight": [doubled]}) for _ in range(5)]
    for variant in variants:
        with room.resident(one, variant):
            pass
    assert [variant.resident for variant in variants] == [False, False, True, True, True]
    assert one.resident


def test_the_form_of_a_variant_has_none_of_what_brings_layers_to_the_origin() -> None:
    one = network()
    seen: list[str] = []
    one.module[0].register_forward_hook(lambda *_: seen.append("theirs"))
    with memory(0).resident(one):
        variant = one.changed({"1.weight": [doubled]})
        assert variant.module is not one.module
    with memory().resident(variant):
        torch.testing.assert_close(variant.module(X), by_hand(one, w1=one.weights["1.weight"] * 2))
    assert seen == ["theirs"], "what others hooked in belongs to the structure"


def test_a_change_that_fails_leaves_nothing_behind() -> None:
    def broken(_: Tensor) -> Tensor:
        raise ValueError("no")

    room, one = memory(), network()
    variant = one.changed({"2.weight": [broken]})
    with pytest.raises(ValueError, match="no"), room.resident(variant):
        pass
    assert room.resident_bytes() == 0
    assert all(value.is_meta for value in variant.module.parameters())


def test_a_variant_can_become_resident_beside_another_as_that_one_is() -> None:
    for budget in (1 << 30, BYTES // 2):
        room, one = memory(budget), network(torch.float16)
        variant = one.changed({"1.weight": [doubled]})
        with room.resident(one):
            variant.load_beside(one)
            assert (variant.device, variant.dtype, variant.whole) == (one.device, one.dtype, one.whole)
            expected = by_hand(one, w1=one.weights["1.weight"].float() * 2)
            torch.testing.assert_close(variant.module(X), expected)
            variant.unload()
            torch.testing.assert_close(one.module(X), by_hand(one))
