"""A file that cannot be loaded says in one sentence which file it is and what is wrong with it."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save, save_file

from nodes.diffusion.checkpoints.detect import check_channels, detect_family
from nodes.diffusion.checkpoints.header import CheckpointError, read_header
from nodes.diffusion.checkpoints.load import load_networks
from nodes.diffusion.families.ldm import UNET_ENTRANCE, UNET_PREFIX

WHOLE = save({"a": torch.arange(1000, dtype=torch.float32)})


def header(entries: object, data: bytes = b"") -> bytes:
    text = json.dumps(entries).encode()
    return len(text).to_bytes(8, "little") + text + data


CASES: list[tuple[str, bytes, str]] = [
    ("nothing", b"", "is empty"),
    ("a few bytes", b"\1\0\0", "too short to be a model file (3 bytes)"),
    ("a web page", b"\n <!DOCTYPE html><html>sign in</html>", "is a web page (HTML)"),
    ("a login page", b"<html lang='en'>", "is a web page (HTML)"),
    ("a Git LFS pointer", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git lfs pull"),
    ("a zipped pickle", b"PK\3\4" + b"\0" * 64, "is no readable zip archive"),
    ("a bare pickle", b"\x80\2}q\0.", "is damaged: it is no readable pickle"),
    ("a GGUF file", b"GGUF" + b"\3\0\0\0" * 9, "is a GGUF file, but it ends inside its header"),
    ("random bytes", bytes(range(255, 0, -1)), "its first eight bytes announce a header of"),
    ("half the data", WHOLE[: len(WHOLE) // 2], "is truncated: its header promises"),
    ("half the header", WHOLE[:20], "is truncated inside its header"),
    ("one byte short", WHOLE[:-1], "is truncated"),
    ("a header that is no JSON", (9).to_bytes(8, "little") + b"{'a': 1} " + b"\0" * 32, "header is not readable"),
    ("a header that is a list", header([1, 2, 3]), "header is not readable"),
    ("an entry without a shape", header({"a": {"dtype": "F32", "data_offsets": [0, 4]}}, b"\0" * 4), "not readable"),
]


@pytest.mark.parametrize(("content", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_a_file_that_is_no_checkpoint_says_what_it_is(content: bytes, expected: str, tmp_path: Path) -> None:
    path = tmp_path / "broken.safetensors"
    path.write_bytes(content)
    check_refused(lambda: load_networks(path), "broken.safetensors", expected)


def check_refused(load: Callable[[], object], *expected: str) -> None:
    with pytest.raises(CheckpointError) as caught:
        load()
    message = str(caught.value)
    assert all(part in message for part in expected), message
    assert "\n" not in message
    assert message.endswith((".", "`."))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    check_refused(lambda: read_header(tmp_path / "gone.safetensors"), "gone.safetensors cannot be read")


def test_a_header_is_read_without_the_data(tmp_path: Path) -> None:
    path = tmp_path / "whole.safetensors"
    save_file({"a": torch.zeros(3, 4, dtype=torch.float16)}, path, {"title": "small"})
    read = read_header(path)
    assert (dict(read.shapes), dict(read.dtypes), dict(read.metadata)) == (
        {"a": (3, 4)},
        {"a": "F16"},
        {"title": "small"},
    )


FAMILIES = [
    ("Stable Diffusion 3", ["model.diffusion_model.joint_blocks.0.x"]),
    ("a Flux checkpoint", ["model.diffusion_model.double_blocks.0.x"]),
    ("a LoRA", ["lora_unet_down_blocks_0.alpha"]),
    ("a ControlNet", ["control_model.input_blocks.0.0.weight"]),
    ("a VAE alone", ["encoder.conv_in.weight", "decoder.conv_in.weight"]),
    ("diffusers' layout", ["down_blocks.0.resnets.0.norm1.weight"]),
    ("a diffusion model alone", ["input_blocks.0.0.weight"]),
    (
        "part of a Stable Diffusion 1.x checkpoint, but not a VAE and not its text encoder. Load its parts with "
        "UNETLoader, CLIPLoader and VAELoader",
        [UNET_PREFIX + UNET_ENTRANCE],
    ),
    (
        "part of a Stable Diffusion XL refiner checkpoint, but not a UNet and not a VAE",
        ["conditioner.embedders.0.model.token_embedding.weight", "conditioner.embedders.0.model.positional_embedding"],
    ),
    ("no tensors, which is no known model family", []),
    ("2 tensors named 'layer.0' (1), 'layer.1' (1), which is no known model family", ["layer.0.a", "layer.1.a"]),
]


@pytest.mark.parametrize(("expected", "names"), FAMILIES)
def test_another_family_is_named(expected: str, names: list[str]) -> None:
    with pytest.raises(ValueError, match=r"^it holds ") as caught:
        detect_family(dict.fromkeys(names, (4, 4, 3, 3)))
    assert expected in str(caught.value)


@pytest.mark.parametrize(("channels", "fits"), [(4, True), (5, True), (8, True), (9, True), (7, False), (16, False)])
def test_a_unet_takes_what_something_here_can_give_it(channels: int, fits: bool) -> None:
    shapes = {UNET_ENTRANCE: (320, channels, 3, 3), "out.2.weight": (4, 320, 3, 3)}
    if fits:
        check_channels(shapes, 4)
    else:
        with pytest.raises(ValueError, match=f"its UNet takes {channels} channels where its VAE gives 4"):
            check_channels(shapes, 4)


def test_a_unet_for_other_latents_than_those_of_its_vae_is_refused() -> None:
    with pytest.raises(ValueError, match="its UNet makes latents of 4 channels and its VAE takes 16"):
        check_channels({UNET_ENTRANCE: (320, 4, 3, 3), "out.2.weight": (4, 320, 3, 3)}, 16)


@pytest.mark.parametrize(
    ("lost", "expected"),
    [
        (["model.diffusion_model.out.2.bias"], "model.diffusion_model.out.2.bias is missing"),
        (
            [f"first_stage_model.decoder.mid.attn_1.{part}.weight" for part in "kqv"]
            + ["first_stage_model.decoder.mid.attn_1.norm.weight"],
            "attn_1.k.weight, first_stage_model.decoder.mid.attn_1.norm.weight, "
            "first_stage_model.decoder.mid.attn_1.q.weight and 1 more tensors are missing",
        ),
        (["model.diffusion_model.out.2.weight"], "it lacks the tensor 'out.2.weight'"),
    ],
)
def test_missing_tensors_are_named(
    lost: list[str], expected: str, random_tensors: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    path = tmp_path / "incomplete.safetensors"
    save_file({name: value for name, value in random_tensors.items() if name not in lost}, path)
    check_refused(lambda: load_networks(path), "incomplete.safetensors is incomplete", expected)


def test_a_tensor_of_another_shape_is_named(random_tensors: dict[str, torch.Tensor], tmp_path: Path) -> None:
    name = "model.diffusion_model.time_embed.2.weight"
    path = tmp_path / "odd.safetensors"
    save_file(random_tensors | {name: torch.zeros(256, 255).half()}, path)
    check_refused(lambda: load_networks(path), "odd.safetensors", f"{name} is [256, 255] where [256, 256] is expected")


def test_tensors_that_training_leaves_behind_do_no_harm(
    random_tensors: dict[str, torch.Tensor], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "rich.safetensors"
    extra = {
        "alphas_cumprod": torch.zeros(1000),
        "model_ema.decay": torch.zeros(1),
        "cond_stage_model.transformer.text_model.embeddings.position_ids": torch.arange(77)[None],
    }
    save_file(random_tensors | extra, path)
    networks = load_networks(path)
    (text,) = networks.text_models
    assert set(text.weights) == set(text.module.state_dict())
    assert caplog.messages == []


def test_tensors_that_no_network_takes_are_named_in_one_line(
    random_tensors: dict[str, torch.Tensor], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "strange.safetensors"
    strange = ["model.diffusion_model.input_blocks.1.0.norm.gate", "first_stage_model.shortcut", "adapter.weight"]
    save_file(random_tensors | {name: torch.zeros(1) for name in strange}, path)
    load_networks(path)
    assert sorted(caplog.messages) == sorted(
        f"strange.safetensors: {name} is not used, because no network of its family has a place for it."
        for name in strange
    )
