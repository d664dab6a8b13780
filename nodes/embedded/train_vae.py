"""First stage: the autoencoder, on crops of rendered pictures. Ends with latents that are white at unit variance.

Last stage: its decoder once more, on whole pictures. Normalisation and attention see a whole picture otherwise than a
crop, and the encoder, which the UNet has learned from, must not move.
"""

import random
from pathlib import Path

import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL
from torch import Tensor

from nodes.embedded.loop import Schedule, fit, kept, share_of
from nodes.embedded.networks import make_vae
from nodes.embedded.render import SIZE, render
from nodes.embedded.scenes import random_scene

SCALING_FACTOR = 0.18215
"""Of SD 1.x: what the loader multiplies a latent by, so encoded latents must have a deviation of its inverse."""
CROP = 64
PICTURES = 10_000


def train_vae(folder: Path, *, steps: int, device: str, batch: int = 24) -> AutoencoderKL:
    """The trained and whitened autoencoder, in eval mode on `device`. Unfinished work continues from `folder`."""
    torch.manual_seed(1)
    vae = make_vae().to(device)
    finished = folder / "vae_white.pt"
    if finished.exists():
        vae.load_state_dict(torch.load(finished, weights_only=True))
        return vae.eval()
    pictures = rendered(folder, PICTURES, seed=1)

    share = share_of(batch)

    def loss_of(generator: torch.Generator) -> Tensor:
        target = _crops(pictures, share, generator).to(device)
        noise = torch.randn(share, 4, CROP // 8, CROP // 8, generator=generator).to(device)
        with torch.autocast(device, torch.bfloat16):
            posterior = vae.encode(target).latent_dist
            sample = posterior.mean + posterior.std * noise
            made = vae.decode(sample).sample
        made, mean, logvar = made.float(), posterior.mean.float(), posterior.logvar.float()
        edges = _slope(made - target)
        kl = 0.5 * (mean.square() + logvar.exp() - 1 - logvar).mean()
        return (made - target).abs().mean() + 0.5 * (made - target).square().mean() + edges + 2e-4 * kl

    fit("vae", vae, loss_of, Schedule(steps, 1e-3, warmup=200, cooldown=0.6, ema=0.995), folder)
    vae.eval()
    _whiten(vae, _unit(pictures[:512]).to(device))
    vae.load_state_dict(kept(finished, vae.state_dict))
    return vae


def train_decoder(folder: Path, vae: AutoencoderKL, *, steps: int, device: str, batch: int = 12) -> AutoencoderKL:
    """`vae` with a sharper decoder, which also forgives the small errors that sampling leaves in a latent."""
    pictures = rendered(folder, PICTURES, seed=1)
    vae.encoder.requires_grad_(False)
    vae.quant_conv.requires_grad_(False)
    share = share_of(batch)

    def loss_of(generator: torch.Generator) -> Tensor:
        chosen = torch.randint(len(pictures), (share,), generator=generator)
        target = _unit(pictures[chosen]).to(device)
        with torch.autocast(device, torch.bfloat16):
            with torch.no_grad():
                latent = vae.encode(target).latent_dist.mean
            noise = torch.randn(latent.shape, generator=generator).to(device) * 0.04 / SCALING_FACTOR
            made = vae.decode(latent + noise).sample
        error = made.float() - target
        return error.abs().mean() + error.square().mean() + _slope(error)

    plan = Schedule(steps, 4e-4, warmup=50, cooldown=0.8, ema=0.99)
    fit("decoder", vae, loss_of, plan, folder)
    return vae.eval()


def rendered(folder: Path, count: int, *, seed: int) -> Tensor:
    """`count` pictures of training scenes, uint8 (N, 3, 128, 128), made once and kept in `folder`."""

    def draw() -> Tensor:
        rng = random.Random(seed)
        chunks = []
        for _ in range(count // 250):
            chunk = render([random_scene(rng) for _ in range(250)], rng)
            chunks.append((chunk * 255).round().to(torch.uint8))
        return torch.cat(chunks)

    return kept(folder / f"pictures_{count}_{seed}.pt", draw)


def _unit(pictures: Tensor) -> Tensor:
    return pictures.float() / 127.5 - 1


def _crops(pictures: Tensor, batch: int, generator: torch.Generator) -> Tensor:
    """Square crops, mostly of the lower part where objects stand; float32 in -1 to 1."""

    def draw(low: int, high: int) -> list[int]:
        return torch.randint(low, high, (batch,), generator=generator).tolist()

    rows, columns, chosen = draw(16, SIZE - CROP + 1), draw(0, SIZE - CROP + 1), draw(0, len(pictures))
    rows[: batch // 5] = draw(0, SIZE - CROP + 1)[: batch // 5]
    return _unit(
        torch.stack(
            [
                pictures[index, :, row : row + CROP, column : column + CROP]
                for index, row, column in zip(chosen, rows, columns, strict=True)
            ]
        )
    )


def _slope(error: Tensor) -> Tensor:
    return error.diff(dim=2).abs().mean() + error.diff(dim=3).abs().mean()


@torch.no_grad()
def _whiten(vae: AutoencoderKL, pictures: Tensor) -> None:
    """Fold the latents' mean and covariance into the 1x1 convolutions on both sides of them.

    Afterwards encoded latents times `SCALING_FACTOR` have zero mean and unit covariance, and decoding is unchanged.
    """
    latents = torch.cat([vae.encode(chunk).latent_dist.mean for chunk in pictures.split(64)])
    flat = latents.transpose(0, 1).flatten(1).double()
    mean = flat.mean(1)
    values, vectors = torch.linalg.eigh(torch.cov(flat))
    white = (vectors * values.rsqrt()) @ vectors.T / SCALING_FACTOR
    before, after = vae.quant_conv, vae.post_quant_conv
    weight = before.weight[:4, :, 0, 0].double()
    bias = before.bias[:4].double()
    before.bias[4:] += 2 * white.diagonal().log().float()
    before.weight[:4, :, 0, 0] = (white @ weight).float()
    before.bias[:4] = (white @ (bias - mean)).float()
    back = after.weight[:, :, 0, 0].double()
    after.bias += (back @ mean).float()
    after.weight[:, :, 0, 0] = (back @ white.inverse()).float()


def reconstruction_psnr(vae: AutoencoderKL, pictures: Tensor) -> float:
    """Peak signal-to-noise ratio in dB of whole pictures (uint8) through encoder and decoder."""
    target = _unit(pictures).to(vae.device)
    with torch.no_grad():
        made = vae.decode(vae.encode(target).latent_dist.mean).sample.clamp(-1, 1)
    return float(-10 * torch.log10(F.mse_loss(made, target) / 4))
