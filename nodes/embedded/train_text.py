"""Second stage: the text model, taught to say what a caption describes. The UNet then meets words that mean something.

Learning the words through the UNet alone takes most of its steps; this takes minutes. Unknown words are mixed into the
captions, so that the rest of the vocabulary reads as harmless filler rather than as noise.
"""

import random
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import CLIPTextModel

from nodes.embedded.loop import Schedule, fit, share_of
from nodes.embedded.networks import TEXT_WIDTH, make_text_model
from nodes.embedded.scenes import COLOURS, SHAPES, SIZES, SKIES, Scene, caption, random_scene

Tokenize = Callable[[str], list[int]]
"""Text to token ids of the standard CLIP vocabulary, without start and end."""

START, END, LENGTH = 49406, 49407, 77
_ITEM_FACTS = (len(COLOURS) + 1, len(SHAPES) + 1, len(SIZES) + 1)
FACTS = (len(SKIES), *_ITEM_FACTS, *_ITEM_FACTS)
"""Number of answers to each question about a scene: sky, then colour, shape, size of the left and the right item."""


class _Reader(nn.Module):
    """The text model with one linear question sheet on every position from the end token on."""

    def __init__(self) -> None:
        super().__init__()
        self.text = make_text_model()
        self.sheet = nn.Linear(TEXT_WIDTH, sum(FACTS))


def train_text(folder: Path, tokenize: Tokenize, *, steps: int, device: str, batch: int = 64) -> CLIPTextModel:
    """The trained text model in eval mode on `device`."""
    torch.manual_seed(2)
    reader = _Reader().to(device)

    share = share_of(batch)

    def loss_of(generator: torch.Generator) -> Tensor:
        rng = random.Random(int(torch.randint(2**62, (), generator=generator)))
        scenes = [random_scene(rng) for _ in range(share)]
        ids = torch.tensor([_ids(tokenize, caption(scene, rng), rng) for scene in scenes])
        answers = torch.tensor([facts(scene) for scene in scenes]).to(device)
        hidden = reader.text(ids.to(device)).last_hidden_state
        end = (ids == END).int().argmax(1)
        later = torch.stack([torch.randint(int(at), LENGTH, (), generator=generator) for at in end])
        rows = torch.arange(share)
        loss = torch.zeros((), device=device)
        for position in (end, later):
            sheets = reader.sheet(hidden[rows, position]).split(FACTS, dim=1)
            loss = loss + sum(F.cross_entropy(sheet, answers[:, q]) for q, sheet in enumerate(sheets)) / len(FACTS)
        return loss / 2

    fit("text", reader, loss_of, Schedule(steps, 1e-3, warmup=100, cooldown=0.5, save_every=500), folder)
    return reader.text.eval()


def facts(scene: Scene) -> list[int]:
    """The answers to the questions of `FACTS`; a missing right item has the last answer to each of its questions."""
    answers = [list(SKIES).index(scene.sky)]
    for slot in range(2):
        for table, field in ((COLOURS, "colour"), (SHAPES, "shape"), (SIZES, "size")):
            item = scene.items[slot] if slot < len(scene.items) else None
            answers.append(list(table).index(getattr(item, field)) if item else len(table))
    return answers


def encode(text_model: CLIPTextModel, tokenize: Tokenize, texts: list[str]) -> Tensor:
    """Conditioning of whole captions as the nodes make it: float (N, 77, width), padded with the end token."""
    ids = torch.tensor([_padded(tokenize(text)) for text in texts]).to(text_model.device)
    with torch.no_grad():
        return text_model(ids).last_hidden_state


def _ids(tokenize: Tokenize, text: str, rng: random.Random) -> list[int]:
    words = tokenize(text)
    if rng.random() < 0.4:
        for _ in range(rng.randint(1, 6)):
            words.insert(rng.randint(0, len(words)), rng.randrange(START))
    return _padded(words)


def _padded(words: list[int]) -> list[int]:
    ids = [START, *words[: LENGTH - 2], END]
    return ids + [END] * (LENGTH - len(ids))
