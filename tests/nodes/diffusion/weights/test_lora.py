"""LoRA files of every kind, on small models of every family: each name is used, and each weight is the formula's."""

import copy
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from nodes.diffusion.checkpoints.header import CheckpointError
from nodes.diffusion.checkpoints.open import Checkpoint, open_checkpoint
from nodes.diffusion.memory.device import DeviceMemory
from nodes.diffusion.memory.network import Network
from nodes.diffusion.weights.lora import fit_lora
from nodes.diffusion.weights.lora_file import open_lora
from tests.nodes.diffusion.weights.lora_files import (
    ALPHA,
    KINDS,
    RANK,
    Kind,
    Naming,
    as_peft,
    kohya,
    kohya_text,
    layers,
    make,
    original_unet,
    random,
)
from tests.nodes.small_families import Made, MakeFile

NAMINGS: dict[str, tuple[Naming, dict[str, Naming]]] = {
    "sd1": (kohya("lora_unet_"), {"l": kohya_text("lora_te_")}),
    "sd2": (kohya("lora_unet_"), {"g": kohya_text("lora_te_")}),
    "sdxl": (original_unet(1), {"l": kohya_text("lora_te1_"), "g": kohya_text("lora_te2_")}),
}
"""Family -> Kohya's names for its UNet and for each text model (the small SD 2.x has bigG's maker for its ViT-H)."""


def values(network: Network) -> dict[str, Tensor]:
    return {name: network.value(name) for name in network.weights}


def check_weights(network: Network, expected: Mapping[str, Tensor]) -> None:
    plain = {name.removeprefix("text_model."): value for name, value in expected.items()}
    for name, value in values(network).items():
        torch.testing.assert_close(value, plain[name], rtol=1e-4, atol=1e-4)


def write(path: Path, tensors: Mapping[str, Tensor], metadata: dict[str, str] | None = None) -> Path:
    save_file({name: value.contiguous() for name, value in tensors.items()}, path, metadata)
    return path


CASES = [("sd1", kind) for kind in KINDS] + [(family, KINDS[index]) for family in ("sd2", "sdxl") for index in (0, 5)]


@pytest.mark.parametrize(("family", "kind"), CASES, ids=[f"{family}, {kind.name}" for family, kind in CASES])
def test_every_name_is_used_and_every_weight_is_the_formulas(
    family: str, kind: Kind, make_file: MakeFile, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    torch.manual_seed(3)
    made, opened = opened_pair(make_file, family)
    unet_naming, text_namings = NAMINGS[family]
    file, expected_unet = make(made.unet, unet_naming, kind)
    expected_texts = []
    for which, naming in text_namings.items():
        tensors, expected = make(made.texts[which], naming, kind)
        file |= tensors
        expected_texts.append(expected)
    fitted = fit_lora(open_lora(write(tmp_path / "a.safetensors", file)), opened.model, opened.text_encoder)
    unused = [record.message for record in caplog.records if family != "sd2" or "text_projection" not in record.message]
    assert not unused
    check_weights(fitted.patch_model(opened.model, 0.7).network, expected_unet(0.7))
    encoder = fitted.patch_encoder(opened.text_encoder, -0.4)
    for network, expected in zip(encoder.networks, expected_texts, strict=True):
        check_weights(network, expected(-0.4))


def chained(layer: Any, up: Tensor, down: Tensor, strength: float) -> None:
    """Let a layer also do what its LoRA's two layers do, which is how the paper draws it."""

    def forward(module: Any, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
        x = inputs[0]
        if isinstance(module, torch.nn.Linear):
            return output + strength * ALPHA / RANK * (x @ down.T @ up.T)
        inner = torch.nn.functional.conv2d(x, down, stride=module.stride, padding=module.padding)
        return output + strength * ALPHA / RANK * torch.nn.functional.conv2d(inner, up)

    layer.register_forward_hook(forward)


def test_the_network_answers_as_one_with_the_two_layers_beside_each_of_its_own(
    make_file: MakeFile, tmp_path: Path, memory: DeviceMemory
) -> None:
    torch.manual_seed(4)
    made = make_file("sd1")
    opened = open_checkpoint(made.path)
    file, _ = make(made.unet, kohya("lora_unet_"), KINDS[0])
    other = copy.deepcopy(made.unet)
    for name, layer in layers(other).items():
        stem = f"lora_unet_{name.replace('.', '_')}"
        chained(layer, file[f"{stem}.lora_up.weight"], file[f"{stem}.lora_down.weight"], 0.5)
    model = fit_lora(open_lora(write(tmp_path / "a.safetensors", file)), opened.model, None).patch_model(
        opened.model, 0.5
    )
    x, level, tokens = torch.randn(1, 4, 8, 8), torch.tensor([300.0]), torch.randn(1, 77, 64)
    with memory.resident(model.network), torch.no_grad():
        mine = model.network.module(x, level, encoder_hidden_states=tokens, return_dict=False)[0]
        theirs = other(x, level, encoder_hidden_states=tokens, return_dict=False)[0]
    torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-4 * float(theirs.abs().max()))


PEFT_NAMES: list[tuple[str, Naming, Naming]] = [
    ("diffusers", lambda name: f"unet.{name}", lambda name: f"text_encoder.text_model.{name}"),
    ("PEFT", lambda name: f"base_model.model.{name}", lambda name: f"base_model.model.text_model.{name}"),
    ("bare", lambda name: name, lambda name: f"text_model.{name}"),
]


@pytest.mark.parametrize(("_", "unet", "text"), PEFT_NAMES, ids=[name for name, _, _ in PEFT_NAMES])
def test_the_names_of_diffusers_and_peft_are_known(
    _: str, unet: Naming, text: Naming, make_file: MakeFile, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    torch.manual_seed(5)
    made = make_file("sd1")
    opened = open_checkpoint(made.path)
    first, expected_unet = make(made.unet, unet, KINDS[0])
    second, expected_text = make(made.texts["l"], text, KINDS[0])
    path = write(tmp_path / "a.safetensors", as_peft(first | second))
    fitted = fit_lora(open_lora(path), opened.model, opened.text_encoder)
    assert not caplog.records
    check_weights(fitted.patch_model(opened.model, 1.0).network, expected_unet(1.0))
    check_weights(fitted.patch_encoder(opened.text_encoder, 1.0).networks[0], expected_text(1.0))


def test_attention_processors_of_older_diffusers_are_known(make_file: MakeFile, tmp_path: Path) -> None:
    torch.manual_seed(5)
    made = make_file("sd1")
    opened = open_checkpoint(made.path)
    stem = "down_blocks.0.attentions.0.transformer_blocks.0.attn2"
    to_k, to_out = (made.unet.get_submodule(f"{stem}.{name}").weight.detach() for name in ("to_k", "to_out.0"))
    file = {
        f"unet.{stem}.processor.to_k_lora.up.weight": (k_up := random(to_k.shape[0], RANK)),
        f"unet.{stem}.processor.to_k_lora.down.weight": (k_down := random(RANK, to_k.shape[1])),
        f"unet.{stem}.processor.to_out_lora.up.weight": (out_up := random(to_out.shape[0], RANK)),
        f"unet.{stem}.processor.to_out_lora.down.weight": (out_down := random(RANK, to_out.shape[1])),
    }
    fitted = fit_lora(open_lora(write(tmp_path / "a.safetensors", file)), opened.model, None)
    network = fitted.patch_model(opened.model, 1.0).network
    assert set(network.changes) == {f"{stem}.to_k.weight", f"{stem}.to_out.0.weight"}
    torch.testing.assert_close(network.value(f"{stem}.to_k.weight"), to_k + k_up @ k_down)
    torch.testing.assert_close(network.value(f"{stem}.to_out.0.weight"), to_out + out_up @ out_down)


def test_alpha_may_stand_in_pefts_configuration(make_file: MakeFile, tmp_path: Path) -> None:
    made = make_file("sd1")
    opened = open_checkpoint(made.path)
    file, expected = make(made.unet, lambda name: f"unet.{name}", KINDS[0])
    plain = {name: value * (RANK / ALPHA if ".lora_B" in name else 1) for name, value in as_peft(file).items()}
    said = {"lora_adapter_metadata": json.dumps({"unet.r": RANK, "unet.lora_alpha": ALPHA})}
    fitted = fit_lora(open_lora(write(tmp_path / "a.safetensors", plain, said)), opened.model, None)
    check_weights(fitted.patch_model(opened.model, 1.0).network, expected(1.0))


def test_norms_and_biases_can_be_changed_as_a_whole(make_file: MakeFile, tmp_path: Path) -> None:
    made = make_file("sd1")
    opened = open_checkpoint(made.path)
    norm = "mid_block.attentions.0.norm"
    stem = f"lora_unet_{norm.replace('.', '_')}"
    width = made.unet.get_submodule(norm).weight.shape
    file = {f"{stem}.w_norm": random(*width), f"{stem}.b_norm": random(*width), "lora_unet_conv_in.diff_b": random(32)}
    model = fit_lora(open_lora(write(tmp_path / "a.safetensors", file)), opened.model, None).patch_model(
        opened.model, 2.0
    )
    state = made.unet.state_dict()
    for name, part in ((f"{norm}.weight", ".w_norm"), (f"{norm}.bias", ".b_norm")):
        torch.testing.assert_close(model.network.value(name), state[name] + 2 * file[stem + part])
    torch.testing.assert_close(
        model.network.value("conv_in.bias"), state["conv_in.bias"] + 2 * file["lora_unet_conv_in.diff_b"]
    )


def test_several_are_added_in_their_order(make_file: MakeFile, tmp_path: Path) -> None:
    torch.manual_seed(6)
    made = make_file("sd1")
    model = open_checkpoint(made.path).model
    first, after_first = make(made.unet, kohya("lora_unet_"), KINDS[0])
    dora, _ = make(made.unet, kohya("lora_unet_"), KINDS[6])
    for file, name in ((first, "a.safetensors"), (dora, "b.safetensors")):
        model = fit_lora(open_lora(write(tmp_path / name, file)), model, None).patch_model(model, 0.6)
    kind = KINDS[6]
    start = after_first(0.6)
    for name in layers(made.unet):
        stem = f"lora_unet_{name.replace('.', '_')}"
        parts = {one.removeprefix(stem): value for one, value in dora.items() if one.startswith(f"{stem}.")}
        expected = kind.changed(start[f"{name}.weight"], parts, 0.6)
        torch.testing.assert_close(model.network.value(f"{name}.weight"), expected, rtol=1e-4, atol=1e-4)


def opened_pair(make_file: MakeFile, family: str) -> tuple[Made, Checkpoint]:
    made = make_file(family)
    return made, open_checkpoint(made.path)


def test_a_file_for_another_family_is_refused_in_a_sentence(make_file: MakeFile, tmp_path: Path) -> None:
    made, _ = opened_pair(make_file, "sd2")
    _, opened = opened_pair(make_file, "sd1")
    file, _ = make(made.unet, kohya("lora_unet_"), KINDS[0])
    lora = open_lora(write(tmp_path / "other.safetensors", file))
    with pytest.raises(CheckpointError, match=r"^other.safetensors is for another family than Stable Diffusion 1.x: "):
        fit_lora(lora, opened.model, opened.text_encoder)


NOT_FOR_US: list[tuple[dict[str, Tensor], str]] = [
    (
        {"lora_unet_double_blocks_0_img_attn_proj.lora_up.weight": torch.zeros(8, 2),
         "lora_unet_double_blocks_0_img_attn_proj.lora_down.weight": torch.zeros(2, 8)},
        "'lora_unet_double_blocks_0_img_attn_proj'",
    ),
    ({"model.weight": torch.zeros(1)}, "'model.weight'"),
]  # fmt: skip


@pytest.mark.parametrize(("tensors", "shown"), NOT_FOR_US)
def test_a_file_without_a_name_that_fits_is_refused_in_a_sentence(
    tensors: dict[str, Tensor], shown: str, make_file: MakeFile, tmp_path: Path
) -> None:
    _, opened = opened_pair(make_file, "sd1")
    lora = open_lora(write(tmp_path / "odd.safetensors", tensors))
    with pytest.raises(CheckpointError) as caught:
        fit_lora(lora, opened.model, opened.text_encoder)
    text = str(caught.value)
    assert text.startswith("odd.safetensors has nothing for this model: ")
    assert shown in text
    assert text.endswith("Choose a LoRA for Stable Diffusion 1.x.")


def test_names_without_a_place_are_told_in_the_log(
    make_file: MakeFile, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    made, opened = opened_pair(make_file, "sd1")
    file, _ = make(made.unet, kohya("lora_unet_"), KINDS[0])
    file |= {
        "lora_te2_text_model_encoder_layers_0_mlp_fc1.lora_up.weight": random(8, 2),
        "lora_te2_text_model_encoder_layers_0_mlp_fc1.lora_down.weight": random(2, 8),
        "lora_unet_mid_block_unknown.diff": random(8),
        "bundle_emb.token": random(8),
        "lora_unet_conv_norm_out.lora_down.weight": random(2, 8),
    }
    fit_lora(open_lora(write(tmp_path / "a.safetensors", file)), opened.model, opened.text_encoder)
    (message,) = [record.getMessage() for record in caplog.records]
    assert message.startswith("a.safetensors: ")
    for name in ("bundle_emb.token", "lora_te2_text_model_encoder_layers_0_mlp_fc1"):
        assert name in message
    assert "and 1 more tensors" in message
