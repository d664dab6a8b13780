"""Encodes text with a CLIP text model: every chunk in one batch, weights applied to the result."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from tokenizers import Tokenizer
from torch import Tensor

from nodes.diffusion.memory.network import Network
from nodes.diffusion.text.chunks import Chunk, make_chunks
from nodes.diffusion.text.tokenizer import END


@dataclass(frozen=True, slots=True)
class Encoding:
    """What a text model says of a prompt."""

    tokens: Tensor
    """(1, 77 * chunks, width)"""
    pooled: Tensor
    """(1, width): the last layer at the first chunk's end token, after the final norm."""


@torch.no_grad()
def encode(network: Network, tokenizer: Tokenizer, text: str, layer: int = -1) -> Encoding:
    """Encode `text` with a CLIPTextModel, which must be resident.

    `layer` counts from the end: -1 is the last hidden layer, -2 the one before ("clip skip 2"); the final norm is
    applied to whichever it is. A weight w scales a token's difference from the encoding of the empty prompt at the
    same place: z = z_empty + w (z - z_empty).
    """
    return encode_chunks(network, tokenizer, make_chunks(tokenizer, text), layer)


@torch.no_grad()
def encode_chunks(network: Network, tokenizer: Tokenizer, chunks: Sequence[Chunk], layer: int = -1) -> Encoding:
    """The same for text that is in chunks already."""
    weighted = any(weight != 1.0 for chunk in chunks for weight in chunk.weights)
    batch = [*chunks, *make_chunks(tokenizer, "")] if weighted else chunks
    hidden, pooled = _forward(network, batch, layer)
    if weighted:
        empty, hidden = hidden[-1:], hidden[:-1]
        weights = torch.tensor([chunk.weights for chunk in chunks], device=hidden.device, dtype=hidden.dtype)
        hidden = empty + weights[:, :, None] * (hidden - empty)
    return Encoding(hidden.reshape(1, -1, hidden.shape[-1]).float().cpu(), pooled[:1].float().cpu())


def _forward(network: Network, chunks: Sequence[Chunk], layer: int) -> tuple[Tensor, Tensor]:
    """Normed hidden states (N, 77, width) of `layer`, and pooled (N, width)."""
    model, device = network.module, network.device
    tokens = torch.tensor([chunk.tokens for chunk in chunks], device=device)
    states = model(input_ids=tokens, output_hidden_states=True).hidden_states
    # A layer before the first is the first: the widget's range is that of the largest text models.
    layer = max(layer, -len(states))
    norm = model.get_submodule("final_layer_norm")
    ends = (tokens == END).int().argmax(dim=1)
    last = norm(states[-1])
    hidden = last if layer == -1 else norm(states[layer])
    return hidden, last[torch.arange(len(chunks), device=device), ends]
