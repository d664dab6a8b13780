"""Saved models load back to the last bit, carry their workflow, and a saved difference is a LoRA that loads."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open

from executor.folders import Folders
from executor.schema import InputError, RunInfo
from nodes.diffusion.checkpoints.open import Checkpoint, open_checkpoint
from nodes.diffusion.checkpoints.separate import open_dual_text, open_text, open_unet, open_vae
from nodes.diffusion.memory.device import DeviceMemory
from nodes.diffusion.memory.network import Network
from nodes.diffusion.sampling.prediction import DiscreteSampling, zero_terminal_snr
from nodes.diffusion.weights.lora import fit_lora
from nodes.diffusion.weights.lora_file import open_lora
from nodes.model_merging import clip_merge_subtract, model_merge_simple, model_merge_subtract
from nodes.model_saving import checkpoint_save, clip_save, lora_save, model_save, vae_save
from tests.nodes.small_families import MakeFile

RUN = RunInfo({"1": {"class_type": "X", "inputs": {}}}, {"workflow": {"nodes": []}}, "1")


def check_same(saved: Network, network: Network) -> None:
    assert saved.weights.keys() == network.weights.keys()
    for name, weight in network.weights.items():
        expected = network.value(name).to(weight.dtype) if name in network.changes else weight
        assert saved.weights[name].dtype is expected.dtype
        assert torch.equal(saved.weights[name], expected), name


def changed(opened: Checkpoint) -> Checkpoint:
    """With a change of every second weight."""
    network = opened.model.network
    names = list(network.weights)[::2]
    made = network.changed({name: [lambda weight: weight.mul_(1.5)] for name in names})
    model = opened.model
    return Checkpoint(replace(model, network=made), opened.text_encoder, opened.vae)


@pytest.mark.parametrize("family", ["sd1", "sd2", "sdxl", "sdxl_refiner"])
def test_a_saved_checkpoint_loads_back_to_the_last_bit(family: str, make_file: MakeFile, folders: Folders) -> None:
    opened = changed(open_checkpoint(make_file(family).path))
    for number in (1, 2):
        checkpoint_save(
            model=opened.model, clip=opened.text_encoder, vae=opened.vae, folders=folders, run=RUN,
            filename_prefix="checkpoints/mine",
        )  # fmt: skip
        path = folders.output / "checkpoints" / f"mine_{number:05}_.safetensors"
        again = open_checkpoint(path)
        check_same(again.model.network, opened.model.network)
        check_same(again.vae.network, opened.vae.network)
        for saved, network in zip(again.text_encoder.networks, opened.text_encoder.networks, strict=True):
            check_same(saved, network)
        assert again.model.family == opened.model.family
        assert again.model.sampling.prediction == opened.model.sampling.prediction
    with safe_open(path, "pt") as file:
        metadata = file.metadata()
    assert json.loads(metadata["prompt"]) == RUN.prompt
    assert json.loads(metadata["workflow"]) == {"nodes": []}
    assert metadata["modelspec.architecture"].startswith("stable-diffusion-")


def test_a_model_does_not_say_how_it_was_made_where_nobody_wants_that(make_file: MakeFile, folders: Folders) -> None:
    opened = open_checkpoint(make_file("sd1").path)
    silent = replace(RUN, saves_metadata=False)
    checkpoint_save(model=opened.model, clip=opened.text_encoder, vae=opened.vae, folders=folders, run=silent)
    with safe_open(folders.output / "checkpoints" / "ComfyUI_00001_.safetensors", "pt") as file:
        metadata = file.metadata()
    assert not {"prompt", "workflow"} & metadata.keys()
    assert "modelspec.architecture" in metadata


def test_what_a_model_predicts_is_saved_too(make_file: MakeFile, folders: Folders) -> None:
    opened = open_checkpoint(make_file("sd1").path)
    table = zero_terminal_snr(opened.model.sampling.table)
    model = replace(opened.model, sampling=DiscreteSampling("v", table))
    checkpoint_save(model=model, clip=opened.text_encoder, vae=opened.vae, folders=folders, run=RUN)
    again: Any = open_checkpoint(folders.output / "checkpoints" / "ComfyUI_00001_.safetensors").model.sampling
    assert again.prediction == "v"
    assert torch.equal(again.table, table)


def test_parts_load_back_to_the_last_bit(make_file: MakeFile, folders: Folders) -> None:
    opened = changed(open_checkpoint(make_file("sdxl").path))
    model_save(model=opened.model, folders=folders, run=RUN)
    vae_save(vae=opened.vae, folders=folders, run=RUN)
    clip_save(clip=opened.text_encoder, folders=folders, run=RUN)
    out = folders.output
    check_same(open_unet(out / "diffusion_models" / "ComfyUI_00001_.safetensors").network, opened.model.network)
    check_same(open_vae(out / "vae" / "ComfyUI_vae_00001_.safetensors").network, opened.vae.network)
    paths = [out / "clip" / f"ComfyUI_clip_{role}_00001_.safetensors" for role in "lg"]
    for saved, network in zip(open_dual_text(paths).networks, opened.text_encoder.networks, strict=True):
        check_same(saved, network)
    single = open_checkpoint(make_file("sd1").path)
    clip_save(clip=single.text_encoder, filename_prefix="one", folders=folders, run=RUN)
    check_same(open_text(out / "one_clip_l_00001_.safetensors").networks[0], single.text_encoder.networks[0])


def test_parts_of_different_families_make_no_checkpoint(make_file: MakeFile, folders: Folders) -> None:
    first, other = (open_checkpoint(make_file(family).path) for family in ("sd1", "sdxl"))
    with pytest.raises(InputError, match=r"not one of Stable Diffusion 1\.x") as caught:
        checkpoint_save(model=first.model, clip=other.text_encoder, vae=first.vae, folders=folders, run=RUN)
    assert caught.value.input_name == "clip"
    with pytest.raises(InputError) as outside:
        vae_save(vae=first.vae, filename_prefix="../x", folders=folders, run=RUN)
    assert outside.value.input_name == "filename_prefix"


@pytest.mark.parametrize(("family", "lora_type"), [("sd1", "full_diff"), ("sdxl", "standard")])
def test_a_saved_difference_is_a_lora_that_makes_one_model_of_the_other(
    lora_type: Any, family: str, make_file: MakeFile, folders: Folders, memory: DeviceMemory
) -> None:
    first, second = (open_checkpoint(make_file(family).path) for _ in range(2))
    torch.manual_seed(9)
    for network in (second.model.network, *second.text_encoder.networks):
        chosen = [name for name in network.weights if "attn" in name][:12]
        network.weights = dict(network.weights) | {
            name: network.weights[name] + torch.outer(
                torch.randn(len(network.weights[name])), torch.randn(network.weights[name][0].numel())
            ).reshape(network.weights[name].shape) * 0.1
            for name in chosen
        }  # fmt: skip
    lora_save(
        rank=2, lora_type=lora_type, folders=folders, run=RUN, memory=memory,
        model_diff=model_merge_subtract(model1=second.model, model2=first.model),
        text_encoder_diff=clip_merge_subtract(clip1=second.text_encoder, clip2=first.text_encoder),
    )  # fmt: skip
    path: Path = folders.output / "loras" / "ComfyUI_extracted_lora_00001_.safetensors"
    fitted = fit_lora(open_lora(path), first.model, first.text_encoder)
    pairs = [(fitted.patch_model(first.model, 1.0).network, second.model.network)]
    encoder = fitted.patch_encoder(first.text_encoder, 1.0)
    pairs += list(zip(encoder.networks, second.text_encoder.networks, strict=True))
    for made, target in pairs:
        for name in target.weights:
            torch.testing.assert_close(made.value(name), target.weights[name].float(), rtol=1e-2, atol=2e-3)


def test_no_difference_is_said(make_file: MakeFile, folders: Folders, memory: DeviceMemory) -> None:
    opened = open_checkpoint(make_file("sd1").path)
    same = model_merge_simple(model1=opened.model, model2=opened.model, ratio=0.5)
    for given in ({}, {"model_diff": same}):
        with pytest.raises(InputError) as caught:
            lora_save(lora_type="standard", folders=folders, run=RUN, memory=memory, **given)
        assert caught.value.input_name == "model_diff"
