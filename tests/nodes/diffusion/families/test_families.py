"""A file of each family is recognised, loads without a word about its tensors, and computes what it was made of."""

import dataclasses
from pathlib import Path

import pytest
import torch
from diffusers import UNet2DConditionModel
from diffusers.loaders.single_file_utils import convert_ldm_unet_checkpoint, convert_ldm_vae_checkpoint
from diffusers.models.attention_processor import Attention

from nodes.diffusion.checkpoints.detect import detect_unet
from nodes.diffusion.checkpoints.load import load_networks
from nodes.diffusion.checkpoints.names import unet_names
from nodes.diffusion.checkpoints.networks import make_unet
from nodes.diffusion.checkpoints.open import open_checkpoint
from nodes.diffusion.checkpoints.prediction import prediction_of, sampling_of
from nodes.diffusion.checkpoints.source import Source, held, part_under
from nodes.diffusion.families import sd1, sd2, sdxl
from nodes.diffusion.families.ldm import UNET_PREFIX, unet_config
from nodes.diffusion.memory.device import DeviceMemory
from nodes.diffusion.text.encoder import encode_text
from tests.nodes.small_families import levels

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


def sd2_source(spread: float, metadata: dict[str, str] | None = None, *more: str) -> Source:
    names = [f"output_blocks.{index}.1.transformer_blocks.0.norm1.bias" for index in (3, 10, 11)]
    tensors = {UNET_PREFIX + name: torch.randn(640) * (5 * (name != names[-1])) for name in names}
    tensors[UNET_PREFIX + names[-1]] = torch.linspace(-1, 1, 640).sign() * spread
    tensors |= {name: torch.zeros(0) for name in more}
    return dataclasses.replace(held(Path("model.safetensors"), tensors), metadata=metadata or {})


PREDICTIONS = [
    ("an SD 2.x UNet whose last attention spreads its norm's biases widely", sd2.FAMILY, sd2_source(0.12), "v"),
    ("one that does not", sd2.FAMILY, sd2_source(0.04), "eps"),
    ("a file that is marked", sdxl.BASE, sd2_source(0.04, None, "v_pred"), "v"),
    ("a file whose header says it", sd2.FAMILY, sd2_source(0.12, {"modelspec.prediction_type": "epsilon"}), "eps"),
    ("an SDXL file that says nothing", sdxl.BASE, sd2_source(0.12), "eps"),
    ("an SD 1.x file that says nothing", sd1.FAMILY, sd2_source(0.12), "eps"),
    ("the refiner, which comes in one kind only", sdxl.REFINER, sd2_source(0.12, None, "v_pred"), "eps"),
]


@pytest.mark.parametrize(
    ("family", "source", "expected"), [one[1:] for one in PREDICTIONS], ids=[one[0] for one in PREDICTIONS]
)
def test_what_a_unet_predicts(family, source, expected) -> None:
    assert prediction_of(family, part_under(source, UNET_PREFIX)) == expected


def test_a_file_may_be_marked_to_end_in_pure_noise() -> None:
    marked, plain = (
        sampling_of(sdxl.BASE, part_under(sd2_source(0.04, None, *marks), UNET_PREFIX))
        for marks in (("v_pred", "ztsnr"), ("v_pred",))
    )
    assert (marked.prediction, plain.prediction) == ("v", "v")
    assert marked.sigma_max > 100 * plain.sigma_max
    assert marked.sigma_min == pytest.approx(plain.sigma_min, rel=1e-3)


FULL = {
    "sd1": (
        {"sample_size": 64, "cross_attention_dim": 768, "attention_head_dim": 8}, 686, 859_520_964,
    ),
    "sd2": (
        {
            "sample_size": 96, "cross_attention_dim": 1024, "attention_head_dim": [5, 10, 20, 20],
            "use_linear_projection": True,
        },
        686, 865_910_724,
    ),
    "sdxl": (
        {
            "sample_size": 128, "block_out_channels": (320, 640, 1280), **levels(False, True, True),
            "transformer_layers_per_block": [1, 2, 10], "attention_head_dim": [5, 10, 20],
            "cross_attention_dim": 2048, "use_linear_projection": True, "addition_embed_type": "text_time",
            "addition_time_embed_dim": 256, "projection_class_embeddings_input_dim": 2816,
        },
        1680, 2_567_463_684,
    ),
    "sdxl_refiner": (
        {
            "sample_size": 128, "block_out_channels": (384, 768, 1536, 1536), **levels(False, True, True, False),
            "transformer_layers_per_block": 4, "attention_head_dim": [6, 12, 24, 24], "cross_attention_dim": 1280,
            "use_linear_projection": True, "addition_embed_type": "text_time", "addition_time_embed_dim": 256,
            "projection_class_embeddings_input_dim": 2560,
        },
        1220, None,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FULL)
def test_the_published_sizes_are_read_back_from_names_and_shapes(name) -> None:
    arguments, count, parameters = FULL[name]
    with torch.device("meta"):
        published = UNet2DConditionModel(**arguments)
    state = published.state_dict()
    names = unet_names(state)
    shapes = {names[key]: tuple(value.shape) for key, value in state.items()}
    assert len(shapes) == len(state) == count
    if parameters is not None:
        assert sum(value.numel() for value in state.values()) == parameters
    family = detect_unet(shapes)
    assert family.name == name
    rebuilt = make_unet(unet_config(shapes, family.heads) | family.additional(shapes))
    assert {key: value.shape for key, value in rebuilt.state_dict().items()} == {
        key: value.shape for key, value in state.items()
    }
    heads = [one.heads for one in published.modules() if isinstance(one, Attention)]
    assert [one.heads for one in rebuilt.modules() if isinstance(one, Attention)] == heads
    groups = [one.num_groups for one in published.modules() if isinstance(one, torch.nn.GroupNorm)]
    assert [one.num_groups for one in rebuilt.modules() if isinstance(one, torch.nn.GroupNorm)] == groups
