"""A file of each family is recognised, loads without a word about its tensors, and computes what it was made of."""

import pytest
import torch
from diffusers.loaders.single_file_utils import convert_ldm_unet_checkpoint, convert_ldm_vae_checkpoint

from nodes.diffusion.checkpoints.load import load_networks
from nodes.diffusion.checkpoints.open import open_checkpoint
from nodes.diffusion.memory.device import DeviceMemory
from nodes.diffusion.text.encoder import encode_text

CPU = torch.device("cpu")
NAMES = (
    "sd1", "sd1 inpainting", "sd1 editing", "sd2", "sd2 inpainting", "sd2 depth", "sd2 unclip", "sdxl",
    "sdxl inpainting", "sdxl_refiner",
)  # fmt: skip


def close(mine: torch.Tensor, theirs: torch.Tensor, tolerance: float = 1e-4) -> None:
    assert mine.shape == theirs.shape
    assert float(theirs.std()) > 1e-4
    assert float((mine - theirs).abs().max() / theirs.abs().max()) < tolerance


@pytest.mark.parametrize("name", NAMES)
def test_a_file_is_its_family_and_its_networks_compute_the_same(name, make_file, caplog) -> None:
    made = make_file(name)
    networks = load_networks(made.path)
    assert networks.family.name == name.split()[0]
    assert caplog.messages == []
    for part in (networks.unet, networks.vae):
        part.load(CPU, torch.float32)
    x, tokens = (
        torch.randn(2, made.small.in_channels, 16, 16),
        torch.randn(2, 77, made.small.unet["cross_attention_dim"]),
    )
    vectors = made.small.unet.get("projection_class_embeddings_input_dim")
    told = {}
    if vectors and made.small.unet.get("addition_embed_type"):
        numbers = 5 if name == "sdxl_refiner" else 6
        pooled = torch.randn(2, vectors - numbers * 256)
        told = {"added_cond_kwargs": {"text_embeds": pooled, "time_ids": torch.rand(2, numbers) * 1000}}
    elif vectors:
        told = {"class_labels": torch.randn(2, vectors)}
    with torch.inference_mode():
        times = torch.tensor([3, 800])
        close(networks.unet.module(x, times, tokens, **told).sample, made.unet(x, times, tokens, **told).sample)
        picture = torch.rand(1, 3, 64, 64)
        close(networks.vae.module.encode(picture).latent_dist.mean, made.vae.encode(picture).latent_dist.mean)
        close(networks.vae.module.decode(x[:1, :4]).sample, made.vae.decode(x[:1, :4]).sample)


@pytest.mark.parametrize("name", ["sd1 inpainting", "sd2", "sd2 unclip", "sdxl", "sdxl_refiner"])
def test_the_names_are_those_that_diffusers_reads(name, make_file) -> None:
    made = make_file(name)
    for converted, network in (
        (convert_ldm_unet_checkpoint(dict(made.tensors), made.unet.config), made.unet),
        (convert_ldm_vae_checkpoint(dict(made.tensors), made.vae.config), made.vae),
    ):
        expected = network.state_dict()
        assert converted.keys() == expected.keys()
        assert all(torch.equal(converted[key], expected[key]) for key in expected)


def test_sdxl_text_is_the_last_layers_but_one_side_by_side_and_the_projected_pool(make_file, memory) -> None:
    made = make_file("sdxl")
    encoder = open_checkpoint(made.path).text_encoder
    tokens = torch.tensor([[49406, 320, 2368, *[49407] * 74]])
    padded = torch.tensor([[49406, 320, 2368, 49407, *[0] * 73]])
    with torch.inference_mode(), memory.resident(*encoder.networks):
        said = encode_text(encoder, "a cat")
        narrow = made.texts["l"](tokens, output_hidden_states=True)
        wide = made.texts["g"](padded, output_hidden_states=True)
    close(said.tokens, torch.cat([narrow.hidden_states[-2], wide.hidden_states[-2]], dim=-1))
    close(said.pooled, wide.text_embeds)


def test_sd2_text_is_the_last_layer_but_one_normed(make_file, memory: DeviceMemory) -> None:
    made = make_file("sd2")
    encoder = open_checkpoint(made.path).text_encoder
    padded = torch.tensor([[49406, 320, 2368, 49407, *[0] * 73]])
    with torch.inference_mode(), memory.resident(*encoder.networks):
        said = encode_text(encoder, "a cat")
        states = made.texts["g"](padded, output_hidden_states=True).hidden_states
        close(said.tokens, made.texts["g"].text_model.final_layer_norm(states[-2]))
