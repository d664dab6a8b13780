"""From a text to latents, the nodes and diffusers' own pipelines agree on the same weights, noise and noise levels."""

import copy
import gzip
from dataclasses import replace

import numpy as np
import pytest
import torch
from diffusers import EulerDiscreteScheduler, StableDiffusionPipeline, StableDiffusionXLPipeline
from transformers import CLIPTokenizer

from executor.folders import Folders
from nodes.conditioning import clip_text_encode
from nodes.diffusion.sampling.guidance import CfgGuider
from nodes.diffusion.sampling.noise import Noise
from nodes.diffusion.sampling.sample import Settings, sample
from nodes.diffusion.sampling.samplers import choose_sampler
from nodes.diffusion.text.tokenizer import vocabulary_path
from nodes.diffusion.values import Latent
from nodes.loaders import checkpoint_loader_simple

TEXT, UNWANTED, SEED, CFG, STEPS = "a small red cube at night, photo", "blurry", 11, 4.0, 3


@pytest.fixture(scope="module")
def tokenizers() -> dict[int, CLIPTokenizer]:
    """transformers' tokenizer from the packaged merge list, padding with the end token and with 0."""
    with gzip.open(vocabulary_path(), "rt", encoding="utf-8") as file:
        merges = [tuple(line.split()) for line in file.read().split("\n")[1:48895]]
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    symbols = [chr(one) for one in printable] + [chr(256 + index) for index in range(256 - len(printable))]
    words = [*symbols, *(f"{one}</w>" for one in symbols), *("".join(pair) for pair in merges)]
    vocabulary = {word: index for index, word in enumerate([*words, "<|startoftext|>", "<|endoftext|>"])}
    made = {pad: CLIPTokenizer(vocab=dict(vocabulary), merges=merges, model_max_length=77) for pad in (49407, 0)}
    made[0].pad_token = "!"
    return made


def shortened(model):
    """A text model without its last layer, as SD 2.x's pipelines carry it."""
    made = copy.deepcopy(model)
    made.text_model.encoder.layers = made.text_model.encoder.layers[:-1]
    made.text_model.config.num_hidden_layers -= 1
    return made


def pipeline(name, made, tokenizers, scheduler):
    if name == "sdxl":
        return StableDiffusionXLPipeline(
            made.vae, made.texts["l"], made.texts["g"], tokenizers[49407], tokenizers[0], made.unet, scheduler,
            force_zeros_for_empty_prompt=False, add_watermarker=False,
        )  # fmt: skip
    text, pad = (made.texts["l"], 49407) if name == "sd1" else (shortened(made.texts["g"]).text_model, 0)
    return StableDiffusionPipeline(
        made.vae, text, tokenizers[pad], made.unet, scheduler, None, None, requires_safety_checker=False
    )


@pytest.mark.parametrize(
    ("name", "prediction"), [("sd1", "epsilon"), ("sd2", "epsilon"), ("sd2", "v_prediction"), ("sdxl", "epsilon")]
)
def test_latents_agree(name, prediction, make_file, tokenizers, memory) -> None:
    made = make_file(name)
    scheduler = EulerDiscreteScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", timestep_spacing="leading",
        prediction_type=prediction, steps_offset=1,
    )  # fmt: skip
    pipe = pipeline(name, made, tokenizers, scheduler)
    pipe.set_progress_bar_config(disable=True)
    latent = Latent(torch.zeros(1, 4, 8, 16))
    noise = Noise(SEED).of(latent)
    said = {"prompt": TEXT, "negative_prompt": UNWANTED, "guidance_scale": CFG, "num_inference_steps": STEPS}
    scheduler.set_timesteps(STEPS)
    sigmas = torch.from_numpy(np.asarray(scheduler.sigmas))
    # Below the whole range, the pipelines begin with the variance of a noisy picture, and the field with that of noise.
    begun = noise * (sigmas[0] / (sigmas[0] ** 2 + 1).sqrt())
    theirs = pipe(**said, height=64, width=128, latents=begun, output_type="latent").images

    root = made.path.parent
    folders = Folders(root, root, root, root, {"checkpoints": (root,)})
    model, clip, _ = checkpoint_loader_simple(ckpt_name=made.path.name, folders=folders)
    if prediction == "v_prediction":
        model = replace(model, sampling=replace(model.sampling, prediction="v"))
    wanted, unwanted = (clip_text_encode(text=text, clip=clip, memory=memory) for text in (TEXT, UNWANTED))
    guider = CfgGuider(model, wanted, unwanted, CFG)
    with memory.resident(model.network):
        outcome = sample(guider, latent, Settings(choose_sampler("euler"), sigmas, Noise(SEED)), lambda *_: None)
    mine = outcome.latent.samples * model.latent_scale
    assert float((mine - theirs).abs().max() / theirs.abs().max()) < 1e-4
