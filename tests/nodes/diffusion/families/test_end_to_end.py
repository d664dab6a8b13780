"""Every family from its file to a picture through the nodes, and what its UNet is told on the way."""

import pytest
import torch
from torch import Tensor

from executor.folders import Folders
from executor.schema import InputError
from nodes.conditioning import clip_text_encode
from nodes.conditioning_picture import inpaint_model_conditioning, instruct_pix_to_pix_conditioning
from nodes.conditioning_sdxl import clip_text_encode_sdxl, clip_text_encode_sdxl_refiner
from nodes.diffusion.autoencoder import encode
from nodes.diffusion.families.told import GREY
from nodes.diffusion.sampling.guidance import Predictions
from nodes.diffusion.values import Latent
from nodes.latent import empty_latent_image, vae_decode
from nodes.loaders import Checkpoint, checkpoint_loader_simple
from nodes.sampling import k_sampler

SIGMA = 2.0


def opened(made) -> Checkpoint:
    root = made.path.parent
    return checkpoint_loader_simple(
        ckpt_name=made.path.name, folders=Folders(root, root, root, root, {"checkpoints": (root,)})
    )


def run(loaded: Checkpoint, positive, negative, latent: Latent, memory, watcher, seed: int = 1) -> Latent:
    return k_sampler(
        model=loaded.MODEL, seed=seed, steps=2, cfg=3.0, sampler_name="euler", scheduler="normal", positive=positive,
        negative=negative, latent_image=latent, denoise=1.0, memory=memory, progress=watcher,
    )  # fmt: skip


@pytest.mark.parametrize(
    "name", ["sd1", "sd1 inpainting", "sd1 editing", "sd2", "sd2 depth", "sd2 unclip", "sdxl", "sdxl_refiner"]
)
def test_a_text_becomes_a_picture(name, make_file, memory, watcher) -> None:
    loaded = opened(make_file(name))
    positive, negative = (clip_text_encode(text=text, clip=loaded.CLIP, memory=memory) for text in ("a cat", ""))
    latent = empty_latent_image(width=128, height=64, batch_size=2)
    made = run(loaded, positive, negative, latent, memory, watcher)
    picture = vae_decode(samples=made, vae=loaded.VAE, memory=memory)
    assert picture.shape == (2, 64, 128, 3)
    assert torch.isfinite(picture).all()
    other = run(loaded, negative, negative, latent, memory, watcher)
    assert not torch.equal(made.samples, other.samples), "the text counts"


def asked(loaded: Checkpoint, conditions, latent: Tensor, memory, index: int = 0, mask: Tensor | None = None) -> Tensor:
    """What the program sees in `latent` under the conditions of a group."""
    import dataclasses

    model = dataclasses.replace(loaded.MODEL, mask=mask)
    with torch.inference_mode(), memory.resident(model.network):
        groups = (conditions, conditions)
        return Predictions(model, groups, latent)(latent, SIGMA, (index,))[0]


def expected(made, loaded: Checkpoint, tokens: Tensor, latent: Tensor, beside: Tensor | None = None, **told) -> Tensor:
    """The same from diffusers' network, by the formula of eps prediction."""
    scaled = latent / (SIGMA**2 + 1) ** 0.5
    x = scaled if beside is None else torch.cat([scaled, beside], dim=1)
    time = loaded.MODEL.sampling.timestep(torch.full((len(x),), SIGMA))
    with torch.inference_mode():
        eps = made.unet(x, time, tokens.expand(len(x), -1, -1), **told).sample
    return latent - SIGMA * eps


def close(mine: Tensor, theirs: Tensor) -> None:
    assert float((mine - theirs).abs().max() / theirs.abs().max()) < 1e-4


SIZES = [
    ("a plain text: the size of the picture, uncropped", {}, [64, 128, 0, 0, 64, 128]),
    (
        "sizes and crops that the node says",
        {"width": 500, "height": 300, "crop_w": 7, "crop_h": 9, "target_width": 800, "target_height": 600},
        [300, 500, 9, 7, 600, 800],
    ),
]


@pytest.mark.parametrize(("said", "numbers"), [one[1:] for one in SIZES], ids=[one[0] for one in SIZES])
def test_sdxl_is_told_the_pooled_text_and_sizes(said, numbers, make_file, memory) -> None:
    made = make_file("sdxl")
    loaded = opened(made)
    if said:
        (one,) = clip_text_encode_sdxl(clip=loaded.CLIP, text_g="a cat", text_l="a cat", memory=memory, **said)
    else:
        (one,) = clip_text_encode(text="a cat", clip=loaded.CLIP, memory=memory)
    latent = torch.randn(2, 4, 8, 16)
    told = {"text_embeds": one.pooled.expand(2, -1), "time_ids": torch.tensor([numbers] * 2).float()}
    close(asked(loaded, (one,), latent, memory), expected(made, loaded, one.tokens, latent, added_cond_kwargs=told))


def test_sizes_reach_a_network_in_half_precision_with_all_their_digits(make_file, memory) -> None:
    loaded = opened(make_file("sdxl"))
    network = loaded.MODEL.network
    sizes = {"width": 1023, "height": 1025, "crop_w": 3, "crop_h": 1, "target_width": 999, "target_height": 1001}
    texts = clip_text_encode_sdxl(clip=loaded.CLIP, text_g="a cat", text_l="a cat", memory=memory, **sizes)
    network.load(torch.device("cpu"), torch.bfloat16)
    heard = []
    hook = network.module.register_forward_pre_hook(lambda *given: heard.append(given[2]), with_kwargs=True)
    latent = torch.randn(1, 4, 8, 8)
    with torch.inference_mode():
        Predictions(loaded.MODEL, (texts,), latent)(latent, SIGMA, (0,))
    hook.remove()
    assert heard[0]["added_cond_kwargs"]["time_ids"].tolist() == [[1025, 1023, 1, 3, 1001, 999]]
    assert heard[0]["encoder_hidden_states"].dtype is torch.bfloat16


def test_different_texts_for_sdxls_two_models_may_differ_in_length(make_file, memory) -> None:
    clip = opened(make_file("sdxl")).CLIP
    sizes = {"width": 8, "height": 8, "crop_w": 0, "crop_h": 0, "target_width": 8, "target_height": 8}
    (one,) = clip_text_encode_sdxl(clip=clip, text_g="cat " * 80, text_l="dog", memory=memory, **sizes)
    (same,) = clip_text_encode(text="cat " * 80, clip=clip, memory=memory)
    assert one.tokens.shape == (1, 154, 192)
    assert torch.equal(one.tokens[..., 64:], same.tokens[..., 64:])
    assert not torch.equal(one.tokens[..., :64], same.tokens[..., :64])


@pytest.mark.parametrize(("index", "score", "said"), [(0, 6.0, None), (1, 2.5, None), (1, 4.5, 4.5)])
def test_the_refiner_is_told_a_score_for_what_is_wanted_and_what_is_not(index, score, said, make_file, memory) -> None:
    made = make_file("sdxl_refiner")
    loaded = opened(made)
    if said is None:
        (one,) = clip_text_encode(text="a cat", clip=loaded.CLIP, memory=memory)
        numbers = [64, 64, 0, 0, score]
    else:
        (one,) = clip_text_encode_sdxl_refiner(
            ascore=said, width=640, height=480, text="a cat", clip=loaded.CLIP, memory=memory
        )
        numbers = [480, 640, 0, 0, score]
    latent = torch.randn(1, 4, 8, 8)
    told = {"text_embeds": one.pooled, "time_ids": torch.tensor([numbers])}
    mine = asked(loaded, (one,), latent, memory, index)
    close(mine, expected(made, loaded, one.tokens, latent, added_cond_kwargs=told))


def test_an_inpainting_model_sees_the_mask_and_the_picture_without_what_it_hides(make_file, memory) -> None:
    made = make_file("sd1 inpainting")
    loaded = opened(made)
    text = clip_text_encode(text="a cat", clip=loaded.CLIP, memory=memory)
    pixels, mask = torch.rand(1, 64, 64, 3), torch.zeros(1, 64, 64)
    mask[:, 16:48, 16:48] = 1
    positive, _, latent = inpaint_model_conditioning(
        positive=text, negative=text, vae=loaded.VAE, pixels=pixels, mask=mask, noise_mask=True, memory=memory
    )
    assert torch.equal(latent.noise_mask, mask)
    with memory.resident(loaded.VAE.network):
        hidden = encode(loaded.VAE, (pixels - 0.5) * (1 - mask[..., None]) + 0.5)
        torch.testing.assert_close(latent.samples, encode(loaded.VAE, pixels))
    noisy = torch.randn(1, 4, 8, 8)
    cells = torch.zeros(1, 1, 8, 8)
    cells[..., 2:6, 2:6] = 1
    beside = torch.cat([cells, hidden * 0.18215], dim=1)
    close(asked(loaded, positive, noisy, memory), expected(made, loaded, text[0].tokens, noisy, beside))


@pytest.mark.parametrize("masked", [False, True])
def test_an_inpainting_model_without_its_node_sees_the_latent_and_its_mask(masked, make_file, memory) -> None:
    made = make_file("sd1 inpainting")
    loaded = opened(made)
    text = clip_text_encode(text="a cat", clip=loaded.CLIP, memory=memory)
    latent = torch.randn(1, 4, 8, 8)
    mask = torch.zeros(1, 1, 8, 8)
    mask[..., :4] = 1
    grey = torch.tensor(GREY)[None, :, None, None].expand(1, 4, 8, 8)
    beside = torch.cat([mask, latent], dim=1) if masked else torch.cat([torch.ones(1, 1, 8, 8), grey], dim=1)
    mine = asked(loaded, text, latent, memory, mask=mask if masked else None)
    close(mine, expected(made, loaded, text[0].tokens, latent, beside))


def test_the_mask_of_a_latent_reaches_an_inpainting_model(make_file, memory, watcher) -> None:
    loaded = opened(make_file("sd1 inpainting"))
    text = clip_text_encode(text="a cat", clip=loaded.CLIP, memory=memory)
    samples, half = torch.randn(1, 4, 8, 8), torch.zeros(1, 64, 64)
    half[:, :, :32] = 1
    everything = run(loaded, text, text, Latent(samples, torch.ones(1, 64, 64)), memory, watcher).samples
    part = run(loaded, text, text, Latent(samples, half), memory, watcher).samples
    torch.testing.assert_close(part[..., 4:], samples[..., 4:], atol=1e-4, rtol=1e-4)
    assert not torch.allclose(part[..., :4], everything[..., :4], atol=1e-3), "the network knows where the mask is"


def test_an_editing_model_sees_the_picture_unscaled(make_file, memory) -> None:
    made = make_file("sd1 editing")
    loaded = opened(made)
    text = clip_text_encode(text="make it blue", clip=loaded.CLIP, memory=memory)
    pixels = torch.rand(1, 64, 64, 3)
    positive, _, latent = instruct_pix_to_pix_conditioning(
        positive=text, negative=text, vae=loaded.VAE, pixels=pixels, memory=memory
    )
    assert not latent.samples.any()
    with memory.resident(loaded.VAE.network):
        picture = encode(loaded.VAE, pixels)
    noisy = torch.randn(1, 4, 8, 8)
    close(asked(loaded, positive, noisy, memory), expected(made, loaded, text[0].tokens, noisy, picture))


def test_a_text_of_another_family_is_refused_in_one_sentence(make_file, memory, watcher) -> None:
    sdxl, sd1 = opened(make_file("sdxl")), opened(make_file("sd1"))
    text = clip_text_encode(text="a cat", clip=sd1.CLIP, memory=memory)
    with pytest.raises(
        ValueError, match="The positive conditioning was encoded with 64 numbers for each token and the model wants 192"
    ):
        run(sdxl, text, text, empty_latent_image(width=64, height=64, batch_size=1), memory, watcher)


MISUSES = [
    ("k_sampler", {"samples": (1, 16, 8, 8)}, "latent_image", "has 16 channels and the model samples 4"),
    ("k_sampler", {"samples": (1, 4, 8, 8), "nan": True}, "latent_image", "In 1 of 1 pictures the latent holds values"),
    ("k_sampler", {"samples": (1, 4, 8, 8), "space": "sdxl"}, "latent_image", "of Stable Diffusion XL and the model"),
    ("vae_decode", {"samples": (1, 16, 8, 8)}, "samples", "has 16 channels and the VAE decodes 4"),
    ("vae_decode", {"samples": (1, 4, 8, 8), "nan": True}, "samples", "NaN or infinite"),
    ("vae_decode", {"samples": (1, 4, 8, 8), "space": "sdxl"}, "samples", "the VAE is for Stable Diffusion 1 and 2"),
]


@pytest.mark.parametrize(("node", "latent", "field", "expected"), MISUSES)
def test_a_latent_that_does_not_fit_is_refused_in_one_sentence(
    node, latent, field, expected, make_file, memory, watcher
) -> None:
    loaded = opened(make_file("sd1"))
    samples = torch.randn(latent["samples"])
    if latent.get("nan"):
        samples[0, 0, 0, 0] = float("nan")
    value = Latent(samples, space=latent.get("space"))
    text = clip_text_encode(text="", clip=loaded.CLIP, memory=memory)
    calls = {
        "vae_decode": lambda: vae_decode(samples=value, vae=loaded.VAE, memory=memory),
        "k_sampler": lambda: run(loaded, text, text, value, memory, watcher),
    }
    with pytest.raises(InputError, match=expected) as caught:
        calls[node]()
    assert caught.value.input_name == field


def test_a_latent_remembers_whose_it_is(make_file, memory, watcher) -> None:
    sdxl, sd1 = opened(make_file("sdxl")), opened(make_file("sd1"))
    text = clip_text_encode(text="", clip=sdxl.CLIP, memory=memory)
    made = run(sdxl, text, text, empty_latent_image(width=64, height=64, batch_size=1), memory, watcher)
    with pytest.raises(InputError, match="The latent is one of Stable Diffusion XL and the VAE is for"):
        vae_decode(samples=made, vae=sd1.VAE, memory=memory)
