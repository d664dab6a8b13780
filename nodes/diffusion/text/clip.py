"""Encodes text with a CLIP text model: every chunk in one batch, weights applied to the result."""

import contextlib
from collections.abc import Iterator, Sequence
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
    """(1, width): the last layer at the first chunk's end token, after the final norm, and projected by a model that
    has a projection."""


@torch.no_grad()
def encode(network: Network, tokenizer: Tokenizer, text: str, layer: int = -1) -> Encoding:
    """Encode `text` with a CLIPTextModel, which must be resident.

    `layer` counts from the end: -1 is the last hidden layer, -2 the one before ("clip skip 2"); the final norm is
    applied to whichever it is. A weight w scales a token's difference from the encoding of the empty prompt at the
    same place: z = z_empty + w (z - z_empty).
    """
    return encode_chunks(network, make_chunks(tokenizer, text), make_chunks(tokenizer, "")[0], layer)


@torch.no_grad()
def encode_chunks(
    network: Network, chunks: Sequence[Chunk], empty: Chunk, layer: int = -1, *, normed: bool = True
) -> Encoding:
    """The same for text that is in chunks already, and the `empty` prompt's chunk. Not `normed`: hidden layers are
    taken without the final norm."""
    weighted = any(weight != 1.0 for chunk in chunks for weight in chunk.weights)
    batch = [*chunks, empty] if weighted else chunks
    hidden, pooled = _forward(network, batch, layer, normed=normed)
    if weighted:
        nothing, hidden = hidden[-1:], hidden[:-1]
        weights = torch.tensor([chunk.weights for chunk in chunks], device=hidden.device, dtype=hidden.dtype)
        hidden = nothing + weights[:, :, None] * (hidden - nothing)
    return Encoding(hidden.reshape(1, -1, hidden.shape[-1]).float().cpu(), pooled[:1].float().cpu())


def _forward(network: Network, chunks: Sequence[Chunk], layer: int, *, normed: bool) -> tuple[Tensor, Tensor]:
    """Hidden states (N, 77, width) of `layer`, and pooled (N, width)."""
    model, device = network.module, network.device
    tokens = torch.tensor([chunk.tokens for chunk in chunks], device=device)
    with _vectors_in_place(network, chunks):
        states = model(input_ids=tokens, output_hidden_states=True).hidden_states
    # A layer before the first is the first: the widget's range is that of the largest text models.
    layer = max(layer, -len(states))
    norm = model.get_submodule("final_layer_norm")
    ends = (tokens == END).int().argmax(dim=1)
    last = norm(states[-1])
    if not normed:
        hidden = states[layer]
    else:
        hidden = last if layer == -1 else norm(states[layer])
    pooled = last[torch.arange(len(chunks), device=device), ends]
    projection = getattr(model, "text_projection", None)
    return hidden, pooled if projection is None else projection(pooled)


@contextlib.contextmanager
def _vectors_in_place(network: Network, chunks: Sequence[Chunk]) -> Iterator[None]:
    """While the block runs, the token embedding gives the chunks' vectors in their places."""
    places = [(row, place, vector) for row, chunk in enumerate(chunks) for place, vector in chunk.vectors]
    if not places:
        yield
        return

    def put(_: object, __: object, embedded: Tensor) -> Tensor:
        embedded = embedded.clone()
        for row, place, vector in places:
            embedded[row, place] = vector.to(embedded)
        return embedded

    hook = network.module.get_submodule("embeddings.token_embedding").register_forward_hook(put)
    try:
        yield
    finally:
        hook.remove()
