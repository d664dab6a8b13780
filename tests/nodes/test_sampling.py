"""The nodes of the first workflow, on a small random checkpoint: seeds, steps, guidance, masks, previews."""

import io
from collections.abc import Callable
from typing import Any

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from executor.folders import Folders
from executor.progress import Interrupted
from executor.schema import InputError, RunInfo
from nodes.conditioning import clip_set_last_layer, clip_text_encode
from nodes.diffusion.memory.device import DeviceMemory
from nodes.diffusion.values import Conditioning, Latent
from nodes.latent import (
    empty_latent_image,
    latent_upscale,
    latent_upscale_by,
    save_latent,
    set_latent_noise_mask,
    vae_decode,
    vae_encode,
    vae_encode_for_inpaint,
)
from nodes.loaders import Checkpoint, checkpoint_loader_simple, checkpoint_state
from nodes.sampling import k_sampler, k_sampler_advanced

Texts = tuple[Conditioning, Conditioning]
Run = Callable[..., torch.Tensor]


@pytest.fixture(scope="module")
def texts(checkpoint: Checkpoint, shared_memory: DeviceMemory) -> Texts:
    positive, negative = (
        clip_text_encode(text=text, clip=checkpoint.CLIP, memory=shared_memory) for text in ("a (red:1.4) cube", "")
    )
    return positive, negative


@pytest.fixture
def run(checkpoint: Checkpoint, texts: Texts, shared_memory: DeviceMemory, watcher: Any) -> Run:
    """Samples 64 x 64 in 3 Euler steps, with whatever is changed."""

    def sample(**changes: Any) -> torch.Tensor:
        inputs: dict[str, Any] = {
            "model": checkpoint.MODEL, "seed": 1, "steps": 3, "cfg": 4.0, "sampler_name": "euler",
            "scheduler": "normal", "positive": texts[0], "negative": texts[1], "denoise": 1.0,
            "latent_image": empty_latent_image(width=64, height=64, batch_size=1),
        }  # fmt: skip
        return k_sampler(**(inputs | changes), memory=shared_memory, progress=watcher).samples

    return sample


def test_a_seed_gives_one_picture_and_another_seed_another(run: Run) -> None:
    first = run()
    assert first.shape == (1, 4, 8, 8)
    assert torch.isfinite(first).all()
    assert torch.equal(first, run())
    assert not torch.allclose(first, run(seed=2), atol=0.1)
    assert torch.isfinite(run(seed=2**64 - 1, sampler_name="euler_ancestral")).all()


def test_every_step_is_reported(run: Run, watcher: Any) -> None:
    run(steps=5)
    assert watcher.steps == [(step, 5) for step in range(1, 6)]
    watcher.steps.clear()
    run(steps=2, denoise=0.5)
    assert watcher.steps == [(1, 2), (2, 2)]


def test_an_interruption_stops_between_two_steps(run: Run, watcher: Any) -> None:
    watcher.stop_after = 2
    with pytest.raises(Interrupted):
        run(steps=10)
    assert watcher.steps == [(1, 10), (2, 10)]


def test_a_preview_has_the_size_of_the_picture(run: Run, watcher: Any) -> None:
    watcher.looks = True
    run()
    assert {preview.media_type for preview in watcher.previews} == {"image/jpeg"}
    with Image.open(io.BytesIO(watcher.previews[0].image)) as opened:
        assert opened.size == (64, 64)


def test_guidance_of_one_leaves_the_negative_out(run: Run, texts: Texts) -> None:
    assert torch.equal(run(cfg=1.0), run(cfg=1.0, negative=texts[0]))
    assert not torch.allclose(run(cfg=4.0), run(cfg=4.0, negative=texts[0]), atol=1e-4)


def test_equal_texts_make_guidance_powerless(run: Run, texts: Texts) -> None:
    assert torch.allclose(run(cfg=1.0), run(cfg=9.0, negative=texts[0]), atol=1e-3)


def test_a_text_of_two_chunks_is_guided_against_one_of_one(
    run: Run, checkpoint: Checkpoint, shared_memory: DeviceMemory
) -> None:
    text = clip_text_encode(text="a red cube " * 40, clip=checkpoint.CLIP, memory=shared_memory)
    assert text[0].tokens.shape == (1, 154, 128)
    assert torch.isfinite(run(positive=text)).all()


def test_pictures_of_a_batch_differ_and_the_first_is_that_of_the_noise_alone(run: Run) -> None:
    batch = run(latent_image=empty_latent_image(width=64, height=64, batch_size=3))
    assert batch.shape == (3, 4, 8, 8)
    assert not torch.allclose(batch[0], batch[1], atol=0.1)


def test_no_denoising_changes_nothing(run: Run) -> None:
    latent = Latent(torch.randn(1, 4, 8, 8))
    assert torch.equal(run(latent_image=latent, denoise=0.0), latent.samples)


def test_less_denoising_stays_nearer(run: Run) -> None:
    latent = Latent(torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(0)) * 5)
    distances = [float((run(latent_image=latent, denoise=share) - latent.samples).norm()) for share in (0.1, 0.5, 1.0)]
    assert distances == sorted(distances)


@pytest.mark.parametrize("sampler_name", ["euler", "euler_ancestral", "dpmpp_2m", "euler_cfg_pp", "ddim"])
def test_a_mask_protects_what_it_does_not_cover(run: Run, sampler_name: str) -> None:
    latent = Latent(torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(0)) * 5)
    mask = torch.zeros(1, 64, 64)
    mask[:, :, 32:] = 1
    masked = set_latent_noise_mask(samples=latent, mask=mask)
    changed = (run(latent_image=masked, sampler_name=sampler_name) - latent.samples).abs().amax(dim=(0, 1, 2))
    assert float(changed[:4].max()) < 1e-4
    assert float(changed[4:].min()) > 0.1


def advanced(run_with: dict[str, Any], **changes: Any) -> Latent:
    inputs = {"add_noise": "enable", "noise_seed": 1, "steps": 6, "cfg": 4.0, "sampler_name": "euler",
              "scheduler": "normal", "start_at_step": 0, "end_at_step": 10000,
              "return_with_leftover_noise": "disable"}  # fmt: skip
    return k_sampler_advanced(**(inputs | run_with | changes))


def test_two_advanced_samplers_share_one_schedule(
    run: Run,
    checkpoint: Checkpoint,
    texts: Texts,
    shared_memory: DeviceMemory,
    watcher: Any,
) -> None:
    common = {"model": checkpoint.MODEL, "positive": texts[0], "negative": texts[1], "memory": shared_memory,
              "progress": watcher}  # fmt: skip
    empty = empty_latent_image(width=64, height=64, batch_size=1)
    half = advanced(common, latent_image=empty, end_at_step=3, return_with_leftover_noise="enable")
    whole = advanced(common, latent_image=half, add_noise="disable", start_at_step=3)
    assert torch.allclose(whole.samples, run(steps=6), atol=1e-3)
    cut = advanced(common, latent_image=empty, end_at_step=3)
    assert float((cut.samples - half.samples).abs().max()) > 0.1
    assert advanced(common, latent_image=empty, start_at_step=6) is empty


def test_the_layer_of_the_text_model_matters(checkpoint: Checkpoint, shared_memory: DeviceMemory) -> None:
    skipped = clip_set_last_layer(clip=checkpoint.CLIP, stop_at_clip_layer=-2)
    one, two = (clip_text_encode(text="a cube", clip=clip, memory=shared_memory) for clip in (checkpoint.CLIP, skipped))
    assert not torch.allclose(one[0].tokens, two[0].tokens, atol=0.05)
    assert checkpoint.CLIP.layer == -1


def test_pictures_are_encoded_and_decoded_with_uneven_sides_cut(
    checkpoint: Checkpoint, shared_memory: DeviceMemory
) -> None:
    pixels = torch.rand(2, 37, 50, 4)
    latent = vae_encode(pixels=pixels, vae=checkpoint.VAE, memory=shared_memory)
    assert latent.samples.shape == (2, 4, 4, 6)
    inner = pixels[:, 2:34, 1:49]
    assert torch.equal(latent.samples, vae_encode(pixels=inner, vae=checkpoint.VAE, memory=shared_memory).samples)
    picture = vae_decode(samples=latent, vae=checkpoint.VAE, memory=shared_memory)
    assert picture.shape == (2, 32, 48, 3)
    assert 0 <= float(picture.min()) <= float(picture.max()) <= 1
    with pytest.raises(InputError, match="7 x 64 pixels is too small"):
        vae_encode(pixels=torch.rand(1, 64, 7, 3), vae=checkpoint.VAE, memory=shared_memory)


def test_a_picture_is_encoded_for_inpainting_with_grey_under_the_mask(
    checkpoint: Checkpoint, shared_memory: DeviceMemory
) -> None:
    pixels, mask = torch.rand(1, 40, 48, 3), torch.zeros(1, 20, 24)
    mask[:, 6:14, 8:16] = 1
    inputs: dict[str, Any] = {"pixels": pixels, "vae": checkpoint.VAE, "mask": mask, "memory": shared_memory}
    latent = vae_encode_for_inpaint(**inputs, grow_mask_by=0)
    grey = pixels.clone()
    grey[:, 12:28, 16:32] = 0.5
    assert torch.equal(latent.samples, vae_encode(pixels=grey, vae=checkpoint.VAE, memory=shared_memory).samples)
    assert latent.noise_mask is not None
    assert latent.noise_mask.shape == (1, 40, 48)
    assert torch.equal(latent.noise_mask, (grey == 0.5).all(-1).float())
    for pixels_more, sides in ((1, (16, 16)), (6, (21, 21)), (7, (22, 22))):
        wide = vae_encode_for_inpaint(**inputs, grow_mask_by=pixels_more).noise_mask
        assert wide is not None
        assert wide.sum() == sides[0] * sides[1]
    even = vae_encode_for_inpaint(**inputs, grow_mask_by=6).noise_mask
    assert even is not None
    assert even[0].nonzero().amin(0).tolist() == [12 - 2, 16 - 2]


@pytest.mark.parametrize("method", ["nearest-exact", "bilinear", "area", "bicubic", "bislerp"])
def test_latents_are_resized(method: str) -> None:
    latent = Latent(torch.randn(2, 4, 8, 16))
    sizes = {(128, 256): (32, 16), (0, 128): (16, 32), (256, 0): (16, 32)}
    for (width, height), shape in sizes.items():
        resized = latent_upscale(samples=latent, upscale_method=method, width=width, height=height, crop="center")
        assert resized.samples.shape[-2:] == shape
        assert torch.isfinite(resized.samples).all()
    assert latent_upscale(samples=latent, upscale_method=method, width=0, height=0, crop="disabled") is latent
    assert latent_upscale_by(samples=latent, upscale_method=method, scale_by=1.5).samples.shape[-2:] == (12, 24)


def test_a_constant_latent_stays_constant_when_resized_by_bislerp() -> None:
    latent = Latent(torch.full((1, 4, 8, 8), 0.7))
    resized = latent_upscale_by(samples=latent, upscale_method="bislerp", scale_by=2.0).samples
    assert torch.allclose(resized, torch.full((1, 4, 16, 16), 0.7))


def test_a_latent_is_saved_with_its_prompt(folders: Folders) -> None:
    samples = torch.randn(1, 4, 8, 8)
    run = RunInfo({"1": {}}, {"workflow": {}}, "1")
    shown = save_latent(samples=Latent(samples), filename_prefix="latents/x", folders=folders, run=run)
    assert shown.ui == {"latents": [{"filename": "x_00001_.latent", "subfolder": "latents", "type": "output"}]}
    saved = load_file(folders.output / "latents" / "x_00001_.latent")
    assert torch.equal(saved["latent_tensor"], samples)


def test_a_missing_or_broken_checkpoint_is_named(folders: Folders) -> None:
    (folders.models["checkpoints"][0] / "page.safetensors").write_text("<!doctype html>")
    for name, message in (
        ("gone.safetensors", "'gone.safetensors' is not in checkpoints"),
        ("page.safetensors", "HTML"),
    ):
        with pytest.raises(InputError, match=message) as caught:
            checkpoint_loader_simple(ckpt_name=name, folders=folders)
        assert caught.value.input_name == "ckpt_name"


def test_a_replaced_checkpoint_is_noticed(folders: Folders) -> None:
    path = folders.models["checkpoints"][0] / "a.safetensors"
    path.write_bytes(b"1")
    first = checkpoint_state(ckpt_name="a.safetensors", folders=folders)
    assert checkpoint_state(ckpt_name="a.safetensors", folders=folders) == first
    path.write_bytes(b"22")
    assert checkpoint_state(ckpt_name="a.safetensors", folders=folders) != first
