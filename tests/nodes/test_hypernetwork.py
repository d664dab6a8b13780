"""Hypernetworks change keys and values by their formula, and what cannot be used is refused in one sentence."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from executor.folders import Folders
from executor.schema import InputError
from nodes.diffusion.checkpoints.hypernetwork import open_hypernetwork
from nodes.diffusion.patches.hypernetwork import HypernetworkAttention, context_widths
from nodes.hypernetwork import hypernetwork_loader
from nodes.loaders import Checkpoint
from tests.nodes.conftest import Sample
from tests.nodes.diffusion.patches.small_unet import given, predict, small_unet


def network(width: int) -> dict[str, Tensor]:
    """Two linear layers by way of twice the width."""
    wide = 2 * width
    return {
        "linear.0.weight": torch.randn(wide, width) * width**-0.5,
        "linear.0.bias": torch.randn(wide),
        "linear.2.weight": torch.randn(width, wide) * wide**-0.5,
        "linear.2.bias": torch.randn(width),
    }


@pytest.fixture
def make(tmp_path: Path) -> Any:
    """Writes a file with networks for some widths."""
    (tmp_path / "hypernetworks").mkdir()

    def made(*widths: int, **other: Any) -> tuple[Path, dict[Any, Any]]:
        torch.manual_seed(7)
        content: dict[Any, Any] = {width: (network(width), network(width)) for width in widths}
        content |= {"activation_func": "relu", "layer_structure": [1, 2, 1], "name": "small"} | other
        path = tmp_path / "hypernetworks" / "small.pt"
        torch.save(content, path)
        return path, content

    return made


def folders_of(path: Path) -> Folders:
    root = path.parent.parent
    return Folders(root, root, root, root, {"hypernetworks": (path.parent,)})


def by_formula(x: Tensor, weights: dict[str, Tensor], *, at_end: bool) -> Tensor:
    h = torch.relu(x @ weights["linear.0.weight"].T + weights["linear.0.bias"])
    h = h @ weights["linear.2.weight"].T + weights["linear.2.bias"]
    return torch.relu(h) if at_end else h


def test_networks_compute_what_the_file_says(make: Any) -> None:
    x = torch.randn(2, 5, 32)
    for at_end in (True, False):
        path, content = make(32, activate_output=at_end)
        for layers, weights in zip(open_hypernetwork(path)[32], content[32], strict=True):
            torch.testing.assert_close(layers(x), by_formula(x, weights, at_end=at_end))


def test_layer_norms_and_old_names_are_read(make: Any) -> None:
    x = torch.randn(2, 5, 8)
    weights = network(8)
    norm = {"linear.1.weight": torch.randn(16), "linear.1.bias": torch.randn(16)}
    path, _ = make()
    old = {name.replace("linear.0", "linear1").replace("linear.2", "linear2"): one for name, one in weights.items()}
    torch.save({8: (weights | norm, old)}, path)  # without an activation
    with_norm, plain = open_hypernetwork(path)[8]
    first = x @ weights["linear.0.weight"].T + weights["linear.0.bias"]
    normed = torch.nn.functional.layer_norm(first, (16,), norm["linear.1.weight"], norm["linear.1.bias"])
    for layers, h in ((with_norm, normed), (plain, first)):
        torch.testing.assert_close(layers(x), h @ weights["linear.2.weight"].T + weights["linear.2.bias"])


def test_attention_to_the_text_gets_changed_tokens(make: Any) -> None:
    """With the same network for keys and values it is as if the text had other tokens."""
    unet = small_unet()
    tokens = given(unet)[2]
    width = tokens.shape[-1]
    path, content = make(width)
    keys, _ = open_hypernetwork(path)[width]
    expected = tokens + 0.5 * by_formula(tokens, content[width][0], at_end=True)

    made = predict(unet, HypernetworkAttention({width: (keys, keys)}, 0.5))
    assert width in context_widths(unet)
    seen: list[Tensor] = []
    handles = [
        layer.to_k.register_forward_pre_hook(lambda _, what: seen.append(what[0]))
        for layer in unet.modules()
        if hasattr(layer, "to_k") and layer.to_k.in_features == width
    ]
    try:
        again = predict(unet, HypernetworkAttention({width: (keys, keys)}, 0.5))
    finally:
        for handle in handles:
            handle.remove()
    assert torch.equal(made, again)
    assert not torch.allclose(made, predict(unet), atol=1e-3)
    crossed = [one for one in seen if one.shape == expected.shape]
    assert crossed
    for one in crossed:
        torch.testing.assert_close(one, expected)


def test_a_hypernetwork_acts_and_at_strength_0_changes_no_bit(
    make: Any, sample: Sample, checkpoint: Checkpoint
) -> None:
    model = checkpoint.MODEL
    path, _ = make(*context_widths(model.network.module))
    before = sample(model)

    def loaded(strength: float) -> Any:
        return hypernetwork_loader(
            model=model, hypernetwork_name="small.pt", strength=strength, folders=folders_of(path)
        )

    assert not torch.allclose(sample(loaded(1.0)), before, atol=1e-3)
    assert torch.equal(sample(loaded(0.0)), before)
    assert torch.equal(sample(model), before)


REFUSED = {
    "an unknown activation": ((32,), {"activation_func": "cosine"}, r"small\.pt wants the activation 'cosine'"),
    "no width of the model": ((7,), {}, r"small\.pt is for attention of the widths 7"),
    "no network at all": ((), {}, r"small\.pt is no hypernetwork"),
    "layers of another width": ((), {9: (network(8), network(8))}, r"small\.pt is no hypernetwork that can be read"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_used_is_refused_by_name(make: Any, checkpoint: Checkpoint, case: str) -> None:
    widths, other, sentence = REFUSED[case]
    path, content = make(*widths)
    torch.save(content | other, path)
    with pytest.raises(InputError, match=sentence):
        hypernetwork_loader(model=checkpoint.MODEL, hypernetwork_name="small.pt", folders=folders_of(path))
