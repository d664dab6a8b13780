"""Third stage: the epsilon predictor, on encoded pictures and encoded captions, with classifier-free guidance."""

import random
from pathlib import Path

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from torch import Tensor
from transformers import CLIPTextModel

from nodes.embedded.loop import Schedule, fit, kept, share_of
from nodes.embedded.networks import make_unet
from nodes.embedded.render import render
from nodes.embedded.scenes import caption, random_scene
from nodes.embedded.train_text import Tokenize, encode
from nodes.embedded.train_vae import SCALING_FACTOR

EXAMPLES = 20_000
EMPTY_SHARE = 0.1
"""How often the caption is left out, so that guidance has an unconditional prediction to start from."""


def train_unet(
    folder: Path,
    vae: AutoencoderKL,
    text_model: CLIPTextModel,
    tokenize: Tokenize,
    *,
    steps: int,
    device: str,
    batch: int = 32,
) -> UNet2DConditionModel:
    """The trained UNet (averaged weights) in eval mode on `device`."""
    torch.manual_seed(3)
    unet = make_unet().to(device)
    latents, words = _examples(folder, vae, text_model, tokenize)
    empty = encode(text_model, tokenize, [""])[0].to(device)
    # The noise levels of SD 1.x: betas linear in their square root over 1,000 timesteps.
    alphas = torch.cumprod(1 - torch.linspace(0.00085**0.5, 0.012**0.5, 1000) ** 2, 0).to(device)

    share = share_of(batch)

    def loss_of(generator: torch.Generator) -> Tensor:
        chosen = torch.randint(len(latents), (share,), generator=generator)
        clean, context = latents[chosen].float().to(device), words[chosen].float().to(device)
        dropped = torch.rand(share, generator=generator) < EMPTY_SHARE
        context[dropped.to(device)] = empty
        noise = torch.randn(clean.shape, generator=generator).to(device)
        # Half the timesteps lean to the noisy end, where the sky and the colours are decided.
        u = torch.rand(share, generator=generator)
        t = (1000 * torch.where(torch.arange(share) % 2 == 0, u.sqrt(), u)).long().clamp(max=999).to(device)
        alpha = alphas[t][:, None, None, None]
        noisy = alpha.sqrt() * clean + (1 - alpha).sqrt() * noise
        with torch.autocast(device, torch.bfloat16):
            eps = unet(noisy, t, encoder_hidden_states=context).sample
        error = (eps.float() - noise).square().mean((1, 2, 3))
        # An error of eps is an error of the picture times 1/sigma: weighting by sigma makes the noisy steps count.
        weight = ((1 - alphas[t]) / alphas[t]).sqrt().clamp(0.3, 8.0)
        return (weight * error).mean()

    plan = Schedule(steps, 6e-4, warmup=300, cooldown=0.25, ema=0.998)
    fit("unet", unet, loss_of, plan, folder)
    return unet.eval()


def _examples(folder: Path, vae: AutoencoderKL, text_model: CLIPTextModel, tokenize: Tokenize) -> tuple[Tensor, Tensor]:
    """Unit-variance latents (N, 4, 16, 16) and caption encodings (N, 77, width), both half precision, made once."""

    @torch.no_grad()
    def make() -> tuple[Tensor, Tensor]:
        rng = random.Random(3)
        latents, words = [], []
        for _ in range(EXAMPLES // 250):
            scenes = [random_scene(rng) for _ in range(250)]
            pictures = render(scenes, rng).to(vae.device) * 2 - 1
            for part in pictures.split(50):
                with torch.autocast(vae.device.type, torch.bfloat16):
                    mean = vae.encode(part).latent_dist.mean
                latents.append((mean.float() * SCALING_FACTOR).half().cpu())
            words.append(encode(text_model, tokenize, [caption(scene, rng) for scene in scenes]).half().cpu())
        return torch.cat(latents), torch.cat(words)

    return kept(folder / f"examples_{EXAMPLES}.pt", make)
