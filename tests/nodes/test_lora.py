"""The LoRA nodes: what comes in stays as it is, strength 0 changes nothing, and branches share what they can."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from executor.folders import Folders
from executor.schema import InputError
from nodes.builtin import builtin_nodes
from nodes.conditioning import clip_text_encode
from nodes.diffusion.memory.device import DeviceMemory
from nodes.diffusion.memory.preferences import Preferences
from nodes.latent import empty_latent_image
from nodes.loaders import Checkpoint, checkpoint_loader_simple
from nodes.lora import lora_loader, lora_loader_model_only, lora_state
from nodes.sampling import k_sampler
from tests.nodes.diffusion.weights.lora_files import KINDS, kohya, kohya_text, make

Sample = Callable[..., torch.Tensor]


@pytest.fixture
def lora_folders(folders: Folders, random_checkpoint: Path, tmp_path: Path) -> Folders:
    root = tmp_path / "loras"
    root.mkdir()
    return Folders(
        folders.input, folders.output, folders.temp, folders.user,
        {"checkpoints": (random_checkpoint.parent,), "loras": (root,)},
    )  # fmt: skip


@pytest.fixture
def opened(lora_folders: Folders, random_checkpoint: Path) -> Checkpoint:
    return checkpoint_loader_simple(ckpt_name=random_checkpoint.name, folders=lora_folders)


@pytest.fixture
def sample(memory: DeviceMemory, watcher: Any) -> Sample:
    """Encodes a text and samples 64 x 64 in 2 steps."""

    def run(model: Any, clip: Any) -> torch.Tensor:
        positive, negative = (clip_text_encode(text=text, clip=clip, memory=memory) for text in ("a red cube", ""))
        return k_sampler(
            model=model, seed=1, steps=2, cfg=4.0, sampler_name="euler", scheduler="normal", positive=positive,
            negative=negative, latent_image=empty_latent_image(width=64, height=64, batch_size=1), memory=memory,
            progress=watcher,
        ).samples  # fmt: skip

    return run


def write_lora(opened: Checkpoint, folders: Folders, name: str, seed: int) -> None:
    torch.manual_seed(seed)
    unet, _ = make(opened.MODEL.network.module.to_empty(device="cpu"), kohya("lora_unet_"), KINDS[0])
    opened.MODEL.network.unload()
    text, _ = make(opened.CLIP.networks[0].module.to_empty(device="cpu"), kohya_text("lora_te_"), KINDS[0])
    opened.CLIP.networks[0].unload()
    save_file({key: value.half() for key, value in (unet | text).items()}, folders.models["loras"][0] / name)


def test_branches_of_one_model_do_not_see_each_other_and_strength_0_is_the_model_itself(
    opened: Checkpoint, lora_folders: Folders, sample: Sample
) -> None:
    opened_form = checkpoint_loader_simple(ckpt_name="random.safetensors", folders=lora_folders)
    for seed, name in enumerate(("a.safetensors", "b.safetensors")):
        write_lora(opened_form, lora_folders, name, seed)
    model, clip = opened.MODEL, opened.CLIP
    plain = sample(model, clip)

    def patched(name: str, strength: float) -> torch.Tensor:
        return sample(
            *lora_loader(
                model=model, clip=clip, lora_name=name, strength_model=strength, strength_clip=strength,
                folders=lora_folders,
            )
        )  # fmt: skip

    first, second = patched("a.safetensors", 0.2), patched("b.safetensors", 0.2)
    assert not torch.equal(first, plain)
    assert not torch.equal(first, second)
    assert torch.equal(patched("a.safetensors", 0.0), plain), "to the last bit"
    assert torch.equal(sample(model, clip), plain), "and the loaded model never changed"
    assert torch.equal(patched("a.safetensors", 0.2), first)


def test_each_strength_counts_by_itself(opened: Checkpoint, lora_folders: Folders) -> None:
    form = checkpoint_loader_simple(ckpt_name="random.safetensors", folders=lora_folders)
    write_lora(form, lora_folders, "a.safetensors", 0)
    common = {"model": opened.MODEL, "clip": opened.CLIP, "lora_name": "a.safetensors", "folders": lora_folders}
    only_text = lora_loader(**common, strength_model=0.0, strength_clip=1.0)
    assert only_text.MODEL.network is opened.MODEL.network
    assert only_text.CLIP.networks[0].changes
    only_model = lora_loader(**common, strength_model=1.0, strength_clip=0.0)
    assert only_model.MODEL.network.changes
    assert only_model.CLIP.networks[0] is opened.CLIP.networks[0]
    alone = lora_loader_model_only(
        model=opened.MODEL, lora_name="a.safetensors", strength_model=1.0, folders=lora_folders
    )
    assert alone.network.changes.keys() == only_model.MODEL.network.changes.keys()
    nothing = lora_loader_model_only(
        model=opened.MODEL, lora_name="a.safetensors", strength_model=0.0, folders=lora_folders
    )
    assert nothing is opened.MODEL


@pytest.mark.parametrize("type_", ["float32", "bfloat16", "float16"])
def test_switching_the_strength_copies_no_unpatched_weight(
    type_: Any, opened: Checkpoint, lora_folders: Folders
) -> None:
    form = checkpoint_loader_simple(ckpt_name="random.safetensors", folders=lora_folders)
    write_lora(form, lora_folders, "a.safetensors", 0)
    memory = DeviceMemory(torch.device("cpu"), 1 << 30, Preferences(unet=type_))

    def places(strength: float) -> tuple[Any, dict[str, int]]:
        model = lora_loader_model_only(
            model=opened.MODEL, lora_name="a.safetensors", strength_model=strength, folders=lora_folders
        )
        with memory.resident(model.network):
            return model, {name: value.data_ptr() for name, value in model.network.module.named_parameters()}

    first, before = places(0.5)
    second, after = places(0.6)
    changed = set(second.network.changes)
    assert changed
    assert {name for name in before if before[name] != after[name]} == changed
    size = getattr(torch, type_).itemsize
    weights = opened.MODEL.network.weights
    patched = sum(weights[name].numel() * size for name in changed)
    assert memory.resident_bytes() == sum(value.numel() * size for value in weights.values()) + patched
    assert first.network.resident


def test_a_file_that_does_not_fit_names_the_input(opened: Checkpoint, lora_folders: Folders) -> None:
    root = lora_folders.models["loras"][0]
    save_file({"lora_unet_double_blocks_0_img_mod_lin.diff": torch.zeros(2)}, root / "flux.safetensors")
    (root / "page.safetensors").write_text("<!DOCTYPE html>")
    for name, text in (
        ("flux.safetensors", "flux.safetensors has nothing for this model"),
        ("page.safetensors", "web page"),
        ("absent.safetensors", "absent.safetensors"),
    ):
        with pytest.raises(InputError, match=text) as caught:
            lora_loader_model_only(model=opened.MODEL, lora_name=name, strength_model=1.0, folders=lora_folders)
        assert caught.value.input_name == "lora_name"


def test_the_fingerprint_changes_with_the_file(lora_folders: Folders) -> None:
    path = lora_folders.models["loras"][0] / "a.safetensors"
    states = []
    for size in (1, 2):
        save_file({"x": torch.zeros(size)}, path)
        states.append(lora_state(lora_name="a.safetensors", folders=lora_folders))
    assert states[0] != states[1]
    for class_type in ("LoraLoader", "LoraLoaderModelOnly"):
        assert builtin_nodes()[class_type].fingerprint is not None, "which is part of the signature"
