"""How well the checkpoint does what it is told: unseen prompts through the ordinary nodes, judged by their pixels."""

import random
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image
from rich.progress import track
from torch import Tensor

from executor.progress import Unwatched
from nodes.conditioning import clip_text_encode
from nodes.diffusion.checkpoints.open import Checkpoint, open_checkpoint
from nodes.diffusion.memory.device import DeviceMemory, choose_memory
from nodes.embedded.judge import Verdict, judge
from nodes.embedded.render import SIZE
from nodes.embedded.scenes import Scene, caption, random_scene
from nodes.latent import empty_latent_image, vae_decode
from nodes.sampling import k_sampler
from nodes.types import Conditioning

PROMPTS, SEEDS = 64, 2
STEPS, CFG = 20, 5.0
SHEET_COLUMNS = 8


@dataclass(frozen=True, slots=True)
class Scores:
    """Shares of what was right, 0 to 1, and how many were asked."""

    colour: float
    """Of objects: the wanted colour is among the picture's largest coloured regions, as many as there are objects."""
    sky: float
    """Of pictures."""
    order: float
    """Of pictures with two objects: the left one stands left."""
    whole: float
    """Of pictures: all of the above."""
    pictures: int
    objects: int
    pairs: int

    def __str__(self) -> str:
        return (
            f"object colour right  {self.colour:6.1%} of {self.objects} objects\n"
            f"sky right            {self.sky:6.1%} of {self.pictures} pictures\n"
            f"left and right right {self.order:6.1%} of {self.pairs} pictures with two objects\n"
            f"everything right     {self.whole:6.1%} of {self.pictures} pictures"
        )


def unseen_prompts(seed: int = 64) -> list[tuple[Scene, str]]:
    """Scenes that training never draws, with captions: half one object, half two of different colours."""
    rng = random.Random(seed)
    prompts: list[tuple[Scene, str]] = []
    while len(prompts) < PROMPTS:
        scene = random_scene(rng, held_out=True, items=1 + len(prompts) % 2)
        if len({item.colour for item in scene.items}) == len(scene.items):
            prompts.append((scene, caption(scene, rng)))
    return prompts


def evaluate(checkpoint: Path, *, sheet: Path | None = None) -> Scores:
    """Paint and judge 64 unseen prompts with 2 seeds each; `sheet` gets the first seed's pictures as one PNG."""
    memory = choose_memory()
    opened = open_checkpoint(checkpoint)
    negative = clip_text_encode(text="", clip=opened.text_encoder, memory=memory)
    verdicts: list[tuple[Scene, Verdict]] = []
    shown: list[Tensor] = []
    for index, (scene, text) in enumerate(track(unseen_prompts(), "painting")):
        positive = clip_text_encode(text=text, clip=opened.text_encoder, memory=memory)
        for seed in range(SEEDS):
            picture = _paint(opened, positive, negative, 1000 * seed + index, memory)
            verdicts.append((scene, judge(picture, scene)))
            if seed == 0:
                shown.append(picture)
    if sheet is not None:
        _write_sheet(shown, sheet)
    return _scores(verdicts)


def _paint(
    opened: Checkpoint, positive: Conditioning, negative: Conditioning, seed: int, memory: DeviceMemory
) -> Tensor:
    latent = k_sampler(
        model=opened.model,
        seed=seed,
        steps=STEPS,
        cfg=CFG,
        sampler_name="euler",
        scheduler="normal",
        positive=positive,
        negative=negative,
        latent_image=empty_latent_image(width=SIZE, height=SIZE),
        memory=memory,
        progress=Unwatched(),
    )
    return vae_decode(samples=latent, vae=opened.vae, memory=memory)[0].movedim(-1, 0)


def _scores(verdicts: list[tuple[Scene, Verdict]]) -> Scores:
    colours = [right for _, verdict in verdicts for right in verdict.colours]
    orders = [verdict.order for _, verdict in verdicts if verdict.order is not None]
    whole = [verdict.sky and all(verdict.colours) and verdict.order is not False for _, verdict in verdicts]
    return Scores(
        colour=sum(colours) / len(colours),
        sky=sum(verdict.sky for _, verdict in verdicts) / len(verdicts),
        order=sum(orders) / len(orders),
        whole=sum(whole) / len(verdicts),
        pictures=len(verdicts),
        objects=len(colours),
        pairs=len(orders),
    )


def _write_sheet(pictures: list[Tensor], path: Path) -> None:
    rows = [torch.cat(pictures[at : at + SHEET_COLUMNS], dim=2) for at in range(0, len(pictures), SHEET_COLUMNS)]
    pixels = (torch.cat(rows, dim=1).movedim(0, -1) * 255).round().byte().numpy()
    Image.fromarray(pixels).save(path, optimize=True)
