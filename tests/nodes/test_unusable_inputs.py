"""What cannot be sampled, encoded or decoded is refused in one sentence that names the input and the remedy."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch

from executor.schema import InputError
from nodes import latent_edit
from nodes.batches import batch_latents
from nodes.conditioning import clip_text_encode, conditioning_set_mask
from nodes.custom_sampling import (
    basic_guider,
    cfg_guider,
    dual_cfg_guider,
    k_sampler_select,
    perp_neg_guider,
    random_noise,
    sampler_custom,
    sampler_custom_advanced,
)
from nodes.diffusion.memory.device import DeviceMemory
from nodes.diffusion.values import Area, Conditioning, Latent
from nodes.latent import (
    empty_latent_image,
    set_latent_noise_mask,
    vae_decode,
    vae_decode_tiled,
    vae_encode,
    vae_encode_for_inpaint,
    vae_encode_tiled,
)
from nodes.loaders import Checkpoint
from nodes.sampling import k_sampler, k_sampler_advanced

GOOD = Latent(torch.zeros(1, 4, 8, 8))
NAN = Latent(torch.full((1, 4, 8, 8), float("nan")))
SIXTEEN = Latent(torch.zeros(1, 16, 8, 8))
VIDEO = Latent(torch.zeros(1, 4, 3, 8, 8))
NO_PICTURE = Latent(torch.zeros(0, 4, 8, 8))
NO_MASK = Latent(torch.zeros(1, 4, 8, 8), torch.zeros(1, 0, 0))
PICTURE = torch.zeros(1, 64, 64, 3)


@pytest.fixture(scope="module")
def text(checkpoint: Checkpoint, shared_memory: DeviceMemory) -> Conditioning:
    return clip_text_encode(text="a cube", clip=checkpoint.CLIP, memory=shared_memory)


@pytest.fixture
def parts(checkpoint: Checkpoint, text: Conditioning, shared_memory: DeviceMemory, watcher: Any) -> dict[str, Any]:
    wide = (replace(text[0], tokens=torch.zeros(1, 77, 768)),)
    return {"one": checkpoint, "text": text, "wide": wide, "memory": shared_memory, "watcher": watcher}


def sampled(p: dict[str, Any], node: Callable[..., Any] = k_sampler, **changes: Any) -> Any:
    inputs: dict[str, Any] = {
        "model": p["one"].MODEL, "steps": 1, "cfg": 2.0, "sampler_name": "euler", "scheduler": "normal",
        "positive": p["text"], "negative": p["text"], "latent_image": GOOD, "memory": p["memory"],
        "progress": p["watcher"],
    }  # fmt: skip
    if node is k_sampler:
        inputs |= {"seed": 0}
    elif node is k_sampler_advanced:
        inputs |= {"add_noise": "enable", "noise_seed": 0, "return_with_leftover_noise": "disable"}
    else:
        inputs = {
            name: inputs[name]
            for name in ("model", "cfg", "positive", "negative", "latent_image", "memory", "progress")
        }
        inputs |= {"sampler": k_sampler_select(sampler_name="euler"), "sigmas": torch.tensor([1.0, 0.0])}
    return node(**(inputs | changes))


LEVELS = torch.tensor([1.0, 0.0])


def guided(p: dict[str, Any], guider: Any, latent: Latent = GOOD, sigmas: torch.Tensor = LEVELS) -> Any:
    return sampler_custom_advanced(
        noise=random_noise(), guider=guider, sampler=k_sampler_select(sampler_name="euler"),
        sigmas=sigmas, latent_image=latent, memory=p["memory"], progress=p["watcher"],
    )  # fmt: skip


def empty_mask(p: dict[str, Any]) -> Conditioning:
    return conditioning_set_mask(conditioning=p["text"], mask=torch.zeros(1, 0, 8), set_cond_area="default")


Case = tuple[Callable[[dict[str, Any]], Any], str, str]
CASES: dict[str, Case] = {
    "a latent of NaN": (lambda p: sampled(p, latent_image=NAN), "latent_image", "NaN.*in float32"),
    "NaN in the advanced sampler": (lambda p: sampled(p, k_sampler_advanced, latent_image=NAN), "latent_image", "NaN"),
    "NaN in the custom sampler": (lambda p: sampled(p, sampler_custom, latent_image=NAN), "latent_image", "NaN"),
    "NaN in the guided sampler": (
        lambda p: guided(p, basic_guider(model=p["one"].MODEL, conditioning=p["text"]), NAN), "latent_image", "NaN",
    ),
    "a latent of another family": (
        lambda p: sampled(p, latent_image=SIXTEEN), "latent_image", "16 channels and the model samples 4.*VAE",
    ),
    "no latent": (lambda p: sampled(p, latent_image=NO_PICTURE), "latent_image", "empty.*at least one picture"),
    "a latent of a video": (lambda p: sampled(p, latent_image=VIDEO), "latent_image", r"\[1, 4, 3, 8, 8\], where"),
    "decoding a video": (
        lambda p: vae_decode(samples=VIDEO, vae=p["one"].VAE, memory=p["memory"]), "samples", "none of pictures.*Use",
    ),
    "an area outside": (
        lambda p: sampled(p, negative=(replace(p["text"][0], area=Area(64, 0, 8, 8)),)),
        "negative", r"begins at cell \(64, 0\), outside the latent of 8 x 8 cells. Move",
    ),
    "levels that begin at 0": (
        lambda p: sampled(p, sampler_custom, sigmas=torch.tensor([0.0, 1.0])), "sigmas", "Level 1 of the 2.*FlipSigmas",
    ),
    "a level of NaN": (
        lambda p: guided(
            p, basic_guider(model=p["one"].MODEL, conditioning=p["text"]), sigmas=torch.tensor([9, float("nan"), 0])),
        "sigmas", "Level 2 of the 3 noise levels is nan",
    ),
    "adding another family's latent": (
        lambda _: latent_edit.latent_add(samples1=GOOD, samples2=SIXTEEN), "samples2", "4 channels.*16.*one family",
    ),
    "blending with one": (lambda _: latent_edit.latent_blend(samples1=GOOD, samples2=SIXTEEN), "samples2", "4 ch"),
    "a batch with one": (lambda _: latent_edit.latent_batch(samples1=GOOD, samples2=SIXTEEN), "samples2", "4 channels"),
    "batches with one": (lambda _: batch_latents(latents={"a": GOOD, "b": SIXTEEN}), "latents", "4 channels"),
    "pasting one": (
        lambda _: latent_edit.latent_composite(samples_to=GOOD, samples_from=SIXTEEN), "samples_from", "4 channels",
    ),
    "pasting one under a mask": (
        lambda _: latent_edit.latent_composite_masked(destination=GOOD, source=SIXTEEN), "source", "4 channels",
    ),
    "an empty noise mask": (lambda p: sampled(p, latent_image=NO_MASK), "latent_image", "mask is empty.*Connect"),
    "a wide positive": (lambda p: sampled(p, positive=p["wide"]), "positive", "768.*text encoder of the model's own"),
    "a wide negative": (lambda p: sampled(p, negative=p["wide"]), "negative", "768"),
    "an empty mask of a text": (empty_mask, "mask", "mask is empty"),
    "a wide text in a guider": (
        lambda p: guided(p, cfg_guider(model=p["one"].MODEL, positive=p["text"], negative=p["wide"])),
        "guider", r"768.*\(negative of the guider\)",
    ),
    "a wide second text": (
        lambda p: guided(p, dual_cfg_guider(
            model=p["one"].MODEL, cond1=p["text"], cond2=p["wide"], negative=p["text"], style="regular")),
        "guider", r"\(cond2 of the guider\)",
    ),
    "a wide empty text": (
        lambda p: guided(p, perp_neg_guider(
            model=p["one"].MODEL, positive=p["text"], negative=p["text"], empty_conditioning=p["wide"])),
        "guider", r"\(empty_conditioning of the guider\)",
    ),
    "decoding NaN": (
        lambda p: vae_decode(samples=NAN, vae=p["one"].VAE, memory=p["memory"]), "samples", "NaN.*in float32",
    ),
    "decoding another family's latent": (
        lambda p: vae_decode(samples=SIXTEEN, vae=p["one"].VAE, memory=p["memory"]),
        "samples", "16 channels and the VAE decodes 4.*Use the VAE",
    ),
    "decoding it in tiles": (
        lambda p: vae_decode_tiled(samples=SIXTEEN, vae=p["one"].VAE, memory=p["memory"]), "samples", "16 channels",
    ),
    "encoding a tiny picture": (
        lambda p: vae_encode(pixels=torch.zeros(1, 4, 64, 3), vae=p["one"].VAE, memory=p["memory"]),
        "pixels", "64 x 4 pixels is too small.*Use a larger",
    ),
    "encoding it in tiles": (
        lambda p: vae_encode_tiled(pixels=torch.zeros(1, 64, 4, 3), vae=p["one"].VAE, memory=p["memory"]),
        "pixels", "4 x 64 pixels is too small",
    ),
    "encoding nothing": (
        lambda p: vae_encode(pixels=PICTURE[:0], vae=p["one"].VAE, memory=p["memory"]), "pixels", "no picture",
    ),
    "inpainting without a mask": (
        lambda p: vae_encode_for_inpaint(
            pixels=PICTURE, vae=p["one"].VAE, mask=torch.zeros(0, 64, 64), memory=p["memory"]),
        "mask", "mask is empty",
    ),
    "masking with nothing": (
        lambda _: set_latent_noise_mask(samples=GOOD, mask=torch.zeros(1, 0, 0)), "mask", "mask is empty.*Connect",
    ),
    "a width that is no multiple of 8": (
        lambda _: empty_latent_image(width=100, height=64), "width", "100.*multiple of 8: use 96 or 104",
    ),
    "a height that is none": (lambda _: empty_latent_image(width=64, height=63), "height", "use 56 or 64"),
}  # fmt: skip


@pytest.mark.parametrize(("make", "field", "words"), CASES.values(), ids=CASES)
def test_an_unusable_input_is_named_with_its_remedy(
    make: Callable[[dict[str, Any]], Any], field: str, words: str, parts: dict[str, Any]
) -> None:
    with pytest.raises(InputError, match=words) as error:
        make(parts)
    assert error.value.input_name == field
    assert "\n" not in str(error.value)
    assert parts["watcher"].steps == [], "nothing was computed"


def test_the_usable_ones_are_sampled(parts: dict[str, Any]) -> None:
    for node in (k_sampler, k_sampler_advanced):
        assert torch.isfinite(sampled(parts, node).samples).all()
    assert torch.isfinite(sampled(parts, sampler_custom).output.samples).all()
