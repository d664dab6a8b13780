"""Networks written in the original SD 1.x layout come back through the ordinary loader as the same functions."""

from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from safetensors.torch import save_file
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModel

from nodes.diffusion.checkpoints.export import sd1_state_dict
from nodes.diffusion.checkpoints.load import Networks, load_networks
from nodes.embedded import networks as embedded

CPU = torch.device("cpu")


@dataclass(frozen=True)
class Sizes:
    """Sizes of small networks; `attended` says for each UNet level whether it has attention."""

    unet: tuple[int, ...]
    attended: tuple[bool, ...]
    layers: int
    vae: tuple[int, ...]
    vae_layers: int
    width: int
    text_layers: int


CASES = {
    "two layers a level, attention in the first levels as in SD 1.5": Sizes(
        (32, 64, 64, 64), (True, True, True, False), 2, (16, 32, 32, 32), 2, 64, 2
    ),
    "more than ten input blocks, so that block 1 and block 10 must be told apart": Sizes(
        (32, 32, 64, 64), (False, True, False, True), 3, (16, 16, 32, 64), 3, 128, 1
    ),
    "two levels, one layer": Sizes((64, 128), (False, True), 1, (32, 64), 1, 64, 3),
}


def make(sizes: Sizes) -> tuple[nn.Module, nn.Module, nn.Module]:
    unet = UNet2DConditionModel(
        block_out_channels=sizes.unet,
        down_block_types=tuple("CrossAttnDownBlock2D" if one else "DownBlock2D" for one in sizes.attended),
        up_block_types=tuple("CrossAttnUpBlock2D" if one else "UpBlock2D" for one in reversed(sizes.attended)),
        layers_per_block=sizes.layers,
        cross_attention_dim=sizes.width,
        attention_head_dim=8,
        norm_num_groups=min(32, sizes.unet[0] // 4),
    )
    vae = AutoencoderKL(
        block_out_channels=sizes.vae,
        down_block_types=("DownEncoderBlock2D",) * len(sizes.vae),
        up_block_types=("UpDecoderBlock2D",) * len(sizes.vae),
        layers_per_block=sizes.vae_layers,
        latent_channels=4,
        norm_num_groups=min(32, sizes.vae[0] // 4),
    )
    text = CLIPTextModel(
        CLIPTextConfig(
            hidden_size=sizes.width,
            intermediate_size=4 * sizes.width,
            num_hidden_layers=sizes.text_layers,
            num_attention_heads=sizes.width // 64,
            hidden_act="quick_gelu",
            vocab_size=49408,
            eos_token_id=49407,
        )
    )
    return unet, vae, text


def check_same_functions(networks: tuple[nn.Module, nn.Module, nn.Module], loaded: Networks) -> None:
    """Every function that the program uses gives the very same numbers, and none of them is constant."""
    unet, vae, text = (network.eval().half().float() for network in networks)
    for part in (loaded.unet, loaded.vae, loaded.text_models[0]):
        part.load(CPU, torch.float32)
    rng = torch.Generator().manual_seed(3)
    tokens = torch.randint(0, 49408, (2, 77), generator=rng)
    latent = torch.randn(2, 4, 16, 16, generator=rng)
    times = torch.tensor([5, 900])
    picture = torch.rand(1, 3, 64, 64, generator=rng)
    with torch.inference_mode():
        hidden = text(tokens, output_hidden_states=True)
        for mine, theirs in zip(
            loaded.text_models[0].module(tokens, output_hidden_states=True).hidden_states,
            hidden.hidden_states,
            strict=True,
        ):
            check_equal(mine, theirs)
        context = hidden.last_hidden_state
        check_equal(loaded.unet.module(latent, times, context).sample, unet(latent, times, context).sample)
        check_equal(loaded.vae.module.decode(latent).sample, vae.decode(latent).sample)
        check_equal(loaded.vae.module.encode(picture).latent_dist.mean, vae.encode(picture).latent_dist.mean)


def check_equal(mine: Tensor, theirs: Tensor) -> None:
    assert theirs.std() > 1e-3
    assert torch.equal(mine, theirs)


@pytest.mark.parametrize("sizes", CASES.values(), ids=CASES.keys())
def test_any_size_comes_back_as_the_same_networks(sizes: Sizes, tmp_path: Path) -> None:
    torch.manual_seed(1)
    networks = make(sizes)
    path = tmp_path / "small.safetensors"
    save_file({name: value.half() for name, value in sd1_state_dict(*networks).items()}, path)
    check_same_functions(networks, load_networks(path))


def test_the_embedded_networks_come_back_as_the_same_networks(tmp_path: Path) -> None:
    torch.manual_seed(2)
    networks = (embedded.make_unet(), embedded.make_vae(), embedded.make_text_model())
    path = tmp_path / "embedded.safetensors"
    save_file({name: value.half() for name, value in sd1_state_dict(*networks).items()}, path)
    check_same_functions(networks, load_networks(path))


def test_a_text_model_without_its_inner_prefix_loads_too(tmp_path: Path) -> None:
    torch.manual_seed(4)
    networks = make(CASES["two levels, one layer"])
    path = tmp_path / "short.safetensors"
    tensors = sd1_state_dict(*networks)
    save_file({name.replace(".text_model.", "."): value.half() for name, value in tensors.items()}, path)
    check_same_functions(networks, load_networks(path))


def test_weights_leave_and_come_back(tmp_path: Path) -> None:
    networks = make(CASES["two levels, one layer"])
    path = tmp_path / "small.safetensors"
    save_file({name: value.half() for name, value in sd1_state_dict(*networks).items()}, path)
    loaded = load_networks(path)
    assert all(value.is_meta for value in loaded.unet.module.parameters())
    check_same_functions(networks, loaded)
    for part in (loaded.unet, loaded.vae, loaded.text_models[0]):
        part.unload()
        assert all(value.is_meta for value in part.module.parameters())
    check_same_functions(networks, loaded)
