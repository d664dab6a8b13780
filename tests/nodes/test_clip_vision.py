"""Vision models load in every layout, see pictures as transformers does, and unCLIP models are shown what they say."""

from dataclasses import replace

import pytest
import torch
from diffusers import DDPMScheduler, StableUnCLIPImg2ImgPipeline
from diffusers.pipelines.stable_diffusion.stable_unclip_image_normalizer import StableUnCLIPImageNormalizer
from PIL import Image
from safetensors.torch import save_file
from transformers import CLIPImageProcessor

from executor.folders import Folders
from executor.schema import InputError
from nodes.clip_vision import (
    clip_vision_encode,
    clip_vision_loader,
    unclip_checkpoint_loader,
    unclip_conditioning,
)
from nodes.diffusion.checkpoints.header import CheckpointError
from nodes.diffusion.checkpoints.networks import make_vision_model
from nodes.diffusion.checkpoints.open import open_checkpoint
from nodes.diffusion.checkpoints.separate import open_unet
from nodes.diffusion.checkpoints.vision import open_vision
from nodes.diffusion.families.vision import vision_config
from nodes.diffusion.sampling.telling import Telling
from nodes.diffusion.unclip import Augmentation
from nodes.diffusion.values import Scene, Seen, VisionOutput
from nodes.diffusion.vision import prepared
from tests.nodes.diffusion.families.test_control import condition, predicted
from tests.nodes.diffusion.families.test_families import close
from tests.nodes.small_families import G_WIDTH
from tests.nodes.small_vision import SIDE, make_vision, open_vision_tensors

PICTURE = torch.rand(2, 50, 90, 3, generator=torch.Generator().manual_seed(2))


def prefixed(tensors, prefix):
    return {prefix + name: value for name, value in tensors.items()}


LAYOUTS = {
    "transformers'": lambda model: model.state_dict(),
    "transformers', with the text model beside it": lambda model: (
        model.state_dict() | {"text_model.final_layer_norm.weight": torch.ones(4), "logit_scale": torch.ones(())}
    ),
    "OpenCLIP's": lambda model: prefixed(open_vision_tensors(model), "visual."),
    "OpenCLIP's without prefix": open_vision_tensors,
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_vision_model_says_what_transformers_says(layout, tmp_path, memory, caplog) -> None:
    model = make_vision()
    save_file(LAYOUTS[layout](model), tmp_path / "looking.safetensors")
    root = tmp_path
    vision = clip_vision_loader(
        clip_name="looking.safetensors", folders=Folders(root, root, root, root, {"clip_vision": (root,)})
    )
    assert caplog.messages == []
    assert vision.size == SIDE
    said = clip_vision_encode(clip_vision=vision, image=PICTURE, crop="center", memory=memory)
    expected = model(pixel_values=prepared(PICTURE, SIDE), output_hidden_states=True)
    close(said.image_embeds, expected.image_embeds)
    close(said.last_hidden_state, expected.last_hidden_state)
    close(said.penultimate_hidden_states, expected.hidden_states[-2])


def test_pictures_are_prepared_as_clip_was_trained() -> None:
    """transformers resizes with Pillow's filter, which rounds to whole numbers once more on the way."""
    # Twice as large, so that no side has to be rounded.
    pixels = (torch.rand(2, 2 * SIDE, 3 * SIDE, 3) * 255).round()
    theirs = CLIPImageProcessor(size={"shortest_edge": SIDE}, crop_size={"height": SIDE, "width": SIDE})(
        [Image.fromarray(one.byte().numpy()) for one in pixels], return_tensors="pt"
    )["pixel_values"]
    mine = prepared(pixels / 255, SIDE)
    assert mine.shape == theirs.shape
    assert float((mine - theirs).abs().mean()) < 1 / 255
    assert float((mine - theirs).abs().max()) < 0.2
    whole = prepared(pixels / 255, SIDE, crop=False)
    assert whole.shape == mine.shape
    assert not torch.allclose(whole, mine, atol=0.1)


PUBLISHED = [
    ("ViT-L", 1024, 4096, 24, 768, "quick_gelu", 303_966_208),
    ("ViT-H", 1280, 5120, 32, 1024, "gelu", 632_076_800),
    ("ViT-bigG", 1664, 8192, 48, 1280, "gelu", 1_844_907_264),
]


@pytest.mark.parametrize(("name", "width", "inner", "layers", "projection", "activation", "parameters"), PUBLISHED)
def test_the_published_sizes_are_read_back(name, width, inner, layers, projection, activation, parameters) -> None:
    made = make_vision_model(
        {
            "hidden_size": width, "intermediate_size": inner, "num_hidden_layers": layers, "num_attention_heads": 16,
            "projection_dim": projection, "image_size": 224, "patch_size": 14, "hidden_act": activation,
        }
    )  # fmt: skip
    state = made.state_dict()
    assert sum(value.numel() for value in state.values()) == parameters, name
    config = vision_config({key: tuple(value.shape) for key, value in state.items()}, "clip")
    assert all(getattr(made.config, key) == value for key, value in config.items())


def test_a_file_without_a_vision_model_says_what_it_holds(make_file) -> None:
    with pytest.raises(CheckpointError, match=r"sd1\.safetensors .* no CLIP vision model"):
        open_vision(make_file("sd1").path)


def test_nothing_to_look_at_is_named(tmp_path, memory) -> None:
    save_file(make_vision().state_dict(), tmp_path / "looking.safetensors")
    vision = open_vision(tmp_path / "looking.safetensors")
    with pytest.raises(InputError, match="no picture"):
        clip_vision_encode(clip_vision=vision, image=PICTURE[:0], crop="none", memory=memory)


@pytest.mark.parametrize("level", [0, 300, 999])
def test_embeddings_are_noised_as_in_diffusers(level) -> None:
    embeddings, noise = torch.randn(2, 32), torch.randn(2, 32)
    normalizer = StableUnCLIPImageNormalizer(32)
    normalizer.mean.data.normal_()
    normalizer.std.data.uniform_(0.5, 2)
    pipeline = StableUnCLIPImg2ImgPipeline.__new__(StableUnCLIPImg2ImgPipeline)
    object.__setattr__(pipeline, "image_normalizer", normalizer)
    object.__setattr__(pipeline, "image_noising_scheduler", DDPMScheduler(beta_schedule="squaredcos_cap_v2"))
    expected = pipeline.noise_image_embeddings(embeddings, level, noise)
    mine = Augmentation(normalizer.mean.detach(), normalizer.std.detach()).noised(embeddings, level, noise)
    close(mine, expected.detach(), 1e-5)


@pytest.fixture
def unclip(make_file, tmp_path):
    """A whole unCLIP checkpoint: the vision model and the statistics beside the usual parts."""
    made = make_file("sd2 unclip")
    vision = make_vision(projection=G_WIDTH)
    statistics = {
        "noise_augmentor.data_mean": torch.randn(1, G_WIDTH),
        "noise_augmentor.data_std": torch.rand(1, G_WIDTH) + 0.5,
    }
    save_file(
        made.tensors | prefixed(open_vision_tensors(vision), "embedder.model.visual.") | statistics,
        tmp_path / "unclip.safetensors",
    )
    return made, vision, statistics, tmp_path


def test_an_unclip_checkpoint_imitates_a_picture(unclip, memory, caplog) -> None:
    made, vision, statistics, root = unclip
    folders = Folders(root, root, root, root, {"checkpoints": (root,)})
    model, _, _, looking = unclip_checkpoint_loader(ckpt_name="unclip.safetensors", folders=folders)
    assert caplog.messages == []
    said = clip_vision_encode(clip_vision=looking, image=PICTURE[:1], crop="center", memory=memory)
    close(said.image_embeds, vision(pixel_values=prepared(PICTURE[:1], SIDE)).image_embeds)
    plain, x = condition(made, 1), torch.randn(1, 4, 8, 8)
    plain = replace(plain, pooled=torch.zeros(1, G_WIDTH))
    (shown,) = unclip_conditioning(conditioning=(plain,), clip_vision_output=said, strength=0.8, noise_augmentation=0.3)
    noise = torch.randn(1, G_WIDTH, generator=torch.Generator().manual_seed(0))
    augmentation = Augmentation(*statistics.values())
    labels = 0.8 * augmentation.noised(said.image_embeds, round(999 * 0.3), noise)
    levels = torch.full((1,), 2.0)
    with torch.inference_mode():
        answer = made.unet(
            model.sampling.network_input(x, levels), model.sampling.timestep(levels), plain.tokens, class_labels=labels
        ).sample
    close(predicted(model, [(shown,)], x, memory)[0], model.sampling.denoised(answer, x, levels))
    (nothing,) = unclip_conditioning(conditioning=(plain,), clip_vision_output=said, strength=0.0)
    assert nothing is plain


def test_sdxl_takes_a_picture_in_the_place_of_its_pooled_text(make_file) -> None:
    made = make_file("sdxl")
    model, one = open_checkpoint(made.path).model, condition(made, 1)
    embedding = torch.randn(1, G_WIDTH)
    told = model.tell(replace(one, seen=(Seen(embedding),)), Scene(torch.zeros(1, 4, 8, 8)))
    close(told.vectors["text_embeds"], embedding, 0.05)


def test_what_an_unclip_model_cannot_be_shown_is_said(unclip) -> None:
    made, _, _, root = unclip
    one = condition(made, 1)
    alone = open_unet(root / "unclip.safetensors")
    output = VisionOutput(torch.randn(1, G_WIDTH), torch.zeros(1, 1, 1), torch.zeros(1, 1, 1))
    shown = unclip_conditioning(conditioning=(one,), clip_vision_output=output)
    with pytest.raises(ValueError, match="unCLIPCheckpointLoader"):
        Telling(alone, [shown], torch.zeros(1, 4, 8, 8))
    folders = Folders(root, root, root, root, {"checkpoints": (root,)})
    model = unclip_checkpoint_loader(ckpt_name="unclip.safetensors", folders=folders).MODEL
    narrow = replace(output, image_embeds=torch.randn(1, 7))
    with pytest.raises(ValueError, match="as 128 numbers and unCLIPConditioning brings 7"):
        Telling(model, [unclip_conditioning(conditioning=(one,), clip_vision_output=narrow)], torch.zeros(1, 4, 8, 8))
