"""Merging is the arithmetic that it claims, weight by weight, and costs nothing before somebody samples."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from executor.schema import InputError
from nodes import model_merging as merging
from nodes.builtin import builtin_nodes
from nodes.diffusion.checkpoints.names import unet_names
from nodes.diffusion.checkpoints.open import Checkpoint, open_checkpoint
from nodes.diffusion.memory.device import DeviceMemory
from nodes.diffusion.memory.network import Network
from tests.nodes.small_families import MakeFile


@pytest.fixture
def pair(make_file: MakeFile) -> tuple[Checkpoint, Checkpoint]:
    """Two models of one family; the second has other weights."""
    first, second = (open_checkpoint(make_file("sd1").path) for _ in range(2))
    torch.manual_seed(8)
    for network in (second.model.network, *second.text_encoder.networks):
        network.weights = {name: value + torch.randn(value.shape) * 0.1 for name, value in network.weights.items()}
    return first, second


Formula = Callable[[Tensor, Tensor], Tensor]

CASES: list[tuple[str, dict[str, float], Formula]] = [
    ("Simple", {"ratio": 0.3}, lambda a, b: 0.3 * a + 0.7 * b),
    ("Simple", {"ratio": 0.0}, lambda _, b: b),
    ("Add", {}, lambda a, b: a + b),
    ("Subtract", {"multiplier": -2.0}, lambda a, b: -2 * (a - b)),
]


def check(network: Network, first: Network, second: Network, formula: Formula) -> None:
    for name in first.weights:
        expected = formula(first.weights[name].float(), second.weights[name].float())
        torch.testing.assert_close(network.value(name), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("name", "options", "formula"), CASES)
def test_every_weight_is_the_sum_that_the_node_says(
    name: str, options: dict[str, float], formula: Formula, pair: tuple[Checkpoint, Checkpoint]
) -> None:
    first, second = pair
    model: Any = getattr(merging, f"model_merge_{name.lower()}")(model1=first.model, model2=second.model, **options)
    check(model.network, first.model.network, second.model.network, formula)
    clip: Any = getattr(merging, f"clip_merge_{name.lower()}")(
        clip1=first.text_encoder, clip2=second.text_encoder, **options
    )
    check(clip.networks[0], first.text_encoder.networks[0], second.text_encoder.networks[0], formula)


def test_what_is_wholly_of_the_first_is_the_first_itself(pair: tuple[Checkpoint, Checkpoint]) -> None:
    first, second = pair
    merged = merging.model_merge_simple(model1=first.model, model2=second.model, ratio=1.0)
    assert merged.network is first.model.network
    same = merging.model_merge_simple(model1=first.model, model2=first.model, ratio=0.4)
    assert same.network is first.model.network, "what both have in common is not computed"


def ratio_of(network: Network, first: Network, second: Network, name: str) -> float:
    a, b = first.weights[name].float(), second.weights[name].float()
    return float(((network.value(name) - b) / (a - b)).median())


BLOCKS = {"input": 0.1, "middle": 0.2, "out": 0.3}


def test_each_third_of_a_network_has_its_ratio(pair: tuple[Checkpoint, Checkpoint]) -> None:
    first, second = (one.model for one in pair)
    merged = merging.model_merge_blocks(model1=first, model2=second, **BLOCKS)
    for name, original in unet_names(first.network.weights).items():
        expected = BLOCKS[
            "middle" if original.startswith("middle") else "out" if original.startswith("out") else "input"
        ]
        assert ratio_of(merged.network, first.network, second.network, name) == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("class_type", ["ModelMergeSD1", "ModelMergeSD2", "ModelMergeSDXL"])
def test_each_block_has_its_ratio_and_those_that_are_not_given_are_the_firsts(
    class_type: str, pair: tuple[Checkpoint, Checkpoint]
) -> None:
    first, second = (one.model for one in pair)
    node = builtin_nodes()[class_type]
    names = [socket.name for socket in node.definition.inputs]
    entry = next(name for name in names if name.startswith("input_blocks.0"))
    middle = next(name for name in names if name.startswith("middle_block.1"))
    result: Any = node.call(model1=first, model2=second, **{entry: 0.25, middle: 0.75})
    network = result.outputs[0].network
    for name, original in unet_names(first.network.weights).items():
        ratio = 0.25 if original.startswith(entry) else 0.75 if original.startswith(middle) else 1.0
        assert ratio_of(network, first.network, second.network, name) == pytest.approx(ratio, abs=1e-3)
    assert set(network.changes) == {
        name for name, original in unet_names(first.network.weights).items() if original.startswith((entry, middle))
    }


def test_a_merge_of_a_merge_is_the_sum_of_all_and_runs(
    pair: tuple[Checkpoint, Checkpoint], memory: DeviceMemory
) -> None:
    first, second = (one.model for one in pair)
    difference = merging.model_merge_subtract(model1=second, model2=first, multiplier=1.0)
    again = merging.model_merge_add(model1=first, model2=difference)
    with memory.resident(again.network):
        for name, value in again.network.module.state_dict().items():
            torch.testing.assert_close(value, second.network.weights[name], rtol=1e-5, atol=1e-5)


def test_models_of_different_families_are_refused(pair: tuple[Checkpoint, Checkpoint], make_file: MakeFile) -> None:
    other = open_checkpoint(make_file("sd2").path)
    with pytest.raises(InputError, match="different families") as caught:
        merging.model_merge_add(model1=pair[0].model, model2=other.model)
    assert caught.value.input_name == "model2"
    with pytest.raises(InputError, match="different families"):
        merging.clip_merge_add(clip1=pair[0].text_encoder, clip2=other.text_encoder)
