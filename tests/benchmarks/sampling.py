"""Stable Diffusion 1.5 against diffusers' own pipeline: the same weights, sampler and type, turn by turn, one process.

    python -m tests.benchmarks.sampling [--size 256] [--steps 4] [--turns 3] [--types float32 bfloat16]

The weights are random, since speed does not depend on them; encoded texts are given, so that what is compared is the
denoising and the decoding. Prints ratios; at most 1.0 is the aim.
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # as the worker does: see main.py

import torch
from diffusers import AutoencoderKL, EulerDiscreteScheduler, StableDiffusionPipeline, UNet2DConditionModel
from torch import Tensor, nn

from nodes.coding import decoded
from nodes.denoising import run_sampling
from nodes.diffusion.memory.device import DeviceMemory
from nodes.diffusion.memory.network import Network, Role
from nodes.diffusion.memory.preferences import Preferences
from nodes.diffusion.sampling.guidance import CfgGuider
from nodes.diffusion.sampling.noise import Noise
from nodes.diffusion.sampling.prediction import make_discrete
from nodes.diffusion.sampling.sample import Settings, make_sigmas
from nodes.diffusion.sampling.samplers import choose_sampler
from nodes.diffusion.values import VAE, Condition, Latent, Model

UNET = {"sample_size": 64, "cross_attention_dim": 768, "attention_head_dim": 8}
AUTOENCODER = {
    "block_out_channels": (128, 256, 512, 512),
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
    "layers_per_block": 2,
    "latent_channels": 4,
}
CFG, SCALE = 7.5, 0.18215


class Watch:
    """Times what it is put around."""

    def __init__(self) -> None:
        self.spent = 0.0

    def around(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*args: Any, **kwargs: Any) -> Any:
            begun = time.perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                self.spent += time.perf_counter() - begun

        return timed


class Silent:
    """A progress that nobody follows."""

    def step(self, value: int, total: int, preview: object = None) -> None:
        """Nobody listens."""

    def text(self, text: str) -> None:
        """Nobody reads."""

    def check(self) -> None:
        """Go on."""


def filled(module: nn.Module, dtype: torch.dtype) -> nn.Module:
    """A module from the meta device with random weights that keep signals finite."""
    generator = torch.Generator().manual_seed(0)
    values = {}
    for name, value in module.state_dict().items():
        if value.ndim > 1:
            values[name] = (torch.randn(value.shape, generator=generator) / value[0].numel() ** 0.5).to(dtype)
        else:
            values[name] = torch.full(value.shape, float(name.endswith("weight")), dtype=dtype)
    module.load_state_dict(values, assign=True)
    return module.eval().requires_grad_(False)


def empty(kind: type[Any], config: dict[str, Any]) -> Any:
    with torch.device("meta"):
        return kind(**config).eval().requires_grad_(False)


def compare(name: str, size: int, steps: int, turns: int) -> list[str]:
    """Rows of the table for one type."""
    dtype: torch.dtype = getattr(torch, name)
    theirs = {kind: filled(empty(kind, config), dtype) for kind, config in _KINDS}
    pipeline = _pipeline(theirs)
    watch = Watch()
    ours, memory = _model(theirs, name)
    ours.network.module.forward = watch.around(ours.network.module.forward)
    text, negative = torch.randn(2, 1, 77, 768, generator=torch.Generator().manual_seed(1))

    def run_theirs() -> Tensor:
        made = pipeline(
            prompt_embeds=text.to(dtype), negative_prompt_embeds=negative.to(dtype), num_inference_steps=steps,
            guidance_scale=CFG, height=size, width=size, output_type="pt",
            generator=torch.Generator().manual_seed(0),
        )  # fmt: skip
        return made.images

    def run_ours() -> Tensor:
        blank = torch.zeros(1, 768)
        guider = CfgGuider(ours, (Condition(text, blank),), (Condition(negative, blank),), CFG)
        settings = Settings(choose_sampler("euler"), make_sigmas(ours.sampling, "euler", "normal", steps), Noise(0))
        latent = Latent(torch.zeros(1, 4, size // 8, size // 8))
        made = run_sampling(guider, latent, settings, memory, Silent())
        sampled.append(time.perf_counter())
        return decoded(ours.vae, made.latent, memory)

    times: dict[str, list[float]] = {"ours": [], "theirs": []}
    busy: dict[str, list[float]] = {"ours": [], "theirs": []}
    overhead: list[float] = []
    sampled: list[float] = []
    for turn in range(turns + 1):
        for who, run in (("theirs", run_theirs), ("ours", run_ours)):
            watch.spent, begun, worked = 0.0, time.perf_counter(), time.process_time()
            run()
            if turn:  # the first turn warms up
                times[who].append(time.perf_counter() - begun)
                busy[who].append(time.process_time() - worked)
                if who == "ours":
                    overhead.append(1 - watch.spent / (sampled[-1] - begun))
    cpu = {who: statistics.median(spent) for who, spent in busy.items()}
    mine, other = (statistics.median(times[who]) for who in ("ours", "theirs"))
    memory.free()
    return [
        f"{name:9} {size}x{size}, {steps} steps: Heddle {mine:.2f} s, diffusers {other:.2f} s, ratio "
        f"{mine / other:.3f}",
        f"{'':9} of processor time {cpu['ours']:.2f} s and {cpu['theirs']:.2f} s, ratio "
        f"{cpu['ours'] / cpu['theirs']:.3f}",
        f"{'':9} outside the network {statistics.median(overhead):.2%} of the sampling",
    ]


_KINDS: tuple[tuple[type[Any], dict[str, Any]], ...] = ((UNet2DConditionModel, UNET), (AutoencoderKL, AUTOENCODER))


def _pipeline(modules: dict[type[Any], nn.Module]) -> Any:
    scheduler = EulerDiscreteScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", steps_offset=1
    )
    made = StableDiffusionPipeline(
        vae=modules[AutoencoderKL], unet=modules[UNet2DConditionModel], scheduler=scheduler, text_encoder=None,
        tokenizer=None, safety_checker=None, feature_extractor=None, requires_safety_checker=False,
    )  # fmt: skip
    made.set_progress_bar_config(disable=True)
    return made


def _model(theirs: dict[type[Any], nn.Module], name: str) -> tuple[Model, DeviceMemory]:
    """Our model of the same tensors, and memory that computes in the type."""
    channels_last = name == "bfloat16"  # what the automatic choice adds
    wanted = Preferences(unet=name, vae=name, channels_last=channels_last)  # type: ignore[arg-type]
    roles: tuple[Role, ...] = ("unet", "vae")
    unet, vae = (
        Network(role, empty(kind, config), theirs[kind].state_dict())
        for role, (kind, config) in zip(roles, _KINDS, strict=True)
    )
    autoencoder = VAE(vae, 4, 8)
    model = Model(unet, make_discrete("eps", 0.00085, 0.012), SCALE, autoencoder)
    return model, DeviceMemory(torch.device("cpu"), 1 << 35, wanted)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--types", nargs="+", default=["float32", "bfloat16"])
    options = parser.parse_args()
    for name in options.types:
        for row in compare(name, options.size, options.steps, options.turns):
            print(row)


if __name__ == "__main__":
    main()
