"""PhotoMaker: the word before a trigger is given the face of pictures. Moves no network.

Li et al. 2023, "PhotoMaker: Customizing Realistic Human Photos via Stacked ID Embedding", and the network published
with it (the first version). Parameters have the published names.
"""

from typing import Any, cast

import torch
from torch import Tensor, nn

from nodes.diffusion.families.ldm import Shapes
from nodes.diffusion.text.chunks import LENGTH, make_chunks
from nodes.diffusion.text.clip import Encoding
from nodes.diffusion.text.encoder import encode_text
from nodes.diffusion.text.tokenizer import END
from nodes.diffusion.values import PhotoMaker, TextEncoder
from nodes.diffusion.vision import prepared

TRIGGER = "photomaker"


class _Dense(nn.Module):
    def __init__(self, entering: int, width: int, *, residual: bool) -> None:
        super().__init__()
        self.layernorm, self.fc1, self.fc2 = nn.LayerNorm(entering), nn.Linear(entering, width), nn.Linear(width, width)
        self.residual = residual

    def forward(self, x: Tensor) -> Tensor:
        made: Tensor = self.fc2(nn.functional.gelu(self.fc1(self.layernorm(x))))
        return made + x if self.residual else made


class _Fuse(nn.Module):
    """Equation 2: a word and a face, side by side, become one word."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.mlp1, self.mlp2 = _Dense(2 * width, width, residual=False), _Dense(width, width, residual=True)
        self.layer_norm = nn.LayerNorm(width)

    def forward(self, words: Tensor, faces: Tensor) -> Tensor:
        made: Tensor = self.layer_norm(self.mlp2(self.mlp1(torch.cat([words, faces], dim=-1)) + words))
        return made


class FaceEncoder(nn.Module):
    """A vision model whose pooled output is projected twice, and what fuses it with words."""

    def __init__(self, vision: Any, widths: tuple[int, int]) -> None:
        """`vision` is transformers' model with its projection; `widths` are those of the projections."""
        super().__init__()
        self.vision_model, self.visual_projection = vision.vision_model, vision.visual_projection
        self.visual_projection_2 = nn.Linear(vision.config.hidden_size, widths[1], bias=False)
        self.fuse_module = _Fuse(sum(widths))

    def forward(self, pixels: Tensor, words: Tensor) -> Tensor:
        """(N, 3, side, side) pictures and (N, width) words -> (N, width) words with faces."""
        seen = self.vision_model(pixel_values=pixels).pooler_output
        faces = torch.cat([self.visual_projection(seen), self.visual_projection_2(seen)], dim=-1)
        made: Tensor = self.fuse_module(words, faces)
        return made


def projected_widths(shapes: Shapes) -> tuple[int, int]:
    """Of the two projections. Raises KeyError naming an absent tensor."""
    return shapes["visual_projection.weight"][0], shapes["visual_projection_2.weight"][0]


def with_places(encoder: TextEncoder, text: str, pictures: int) -> tuple[str, list[int]]:
    """The text without the trigger, with the word before it once for each picture, and where these are among its
    tokens; no places for a text without trigger. Raises ValueError with a sentence."""
    words = text.split()
    found = next((index for index, word in enumerate(words) if word.strip(",.;:") == TRIGGER), None)
    if found is None:
        return text, []
    if found == 0:
        raise ValueError(f"'{TRIGGER}' stands for the face of the word before it. Write, for example, 'man {TRIGGER}'.")
    before, word = words[:found], words[found - 1]
    copies = [*before, *[word] * (pictures - 1)]
    places = [_length(encoder, " ".join(copies[: found + more])) for more in range(pictures)]
    if places[-1] > LENGTH - 2:
        raise ValueError(f"'{TRIGGER}' stands too far behind: it must be among the first {LENGTH - 2} words.")
    trailing = words[found].removeprefix(TRIGGER)
    return " ".join([*copies, *([trailing] if trailing else []), *words[found + 1 :]]), places


@torch.no_grad()
def with_faces(maker: PhotoMaker, said: Encoding, places: list[int], pictures: Tensor) -> Tensor:
    """The tokens of a text with faces at `places`, one for each of (N, H, W, 3) pictures; the network must be
    resident. Raises ValueError with a sentence if the text is of another family."""
    network = maker.network
    if said.tokens.shape[-1] != maker.text_width:
        raise ValueError(
            f"{maker.title} fuses words of {maker.text_width} numbers and this text encoder makes "
            f"{said.tokens.shape[-1]}. Connect the text encoder of SDXL."
        )
    tokens, device, dtype = said.tokens.clone(), network.device, network.dtype
    pixels = prepared(pictures, maker.size).to(device, dtype)
    module = cast("FaceEncoder", network.module)
    tokens[0, places] = module(pixels, tokens[0, places].to(device, dtype)).float().cpu()
    return tokens


def _length(encoder: TextEncoder, text: str) -> int:
    """Tokens of a text; one that is longer than a chunk counts as longer than any."""
    chunks = make_chunks(encoder.tokenizer, text)
    return chunks[0].tokens.index(END) - 1 if len(chunks) == 1 else LENGTH


def encoded(encoder: TextEncoder, text: str, pictures: int) -> tuple[Encoding, list[int]]:
    """A text as `with_places` has it, encoded; the encoder must be resident. Raises ValueError."""
    text, places = with_places(encoder, text, pictures)
    return encode_text(encoder, text), places
