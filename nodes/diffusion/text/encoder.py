"""Encodes text with all text models of an encoder, and puts their tokens side by side. Moves no network."""

from collections.abc import Mapping

import torch

from nodes.diffusion.text.chunks import Chunk, make_chunks
from nodes.diffusion.text.clip import Encoding, encode_chunks
from nodes.diffusion.text.embeddings import find_vectors
from nodes.diffusion.values import TextEncoder, TextModel, TextRole

Chunks = Mapping[TextRole, list[Chunk]]
"""Role of each text model -> its chunks; all have the same number."""


def encode_text(encoder: TextEncoder, text: str) -> Encoding:
    """One text for every text model. The encoder's networks must be resident."""
    return encode_texts(encoder, {one.role: text for one in encoder.models})


def encode_texts(encoder: TextEncoder, texts: Mapping[TextRole, str]) -> Encoding:
    """A text for each text model; a shorter one is followed by empty chunks."""
    return encode_all(encoder, split_texts(encoder, texts))


def split_texts(encoder: TextEncoder, texts: Mapping[TextRole, str]) -> Chunks:
    """Chunks for each text model, the same number for all."""
    chunks = {one.role: _chunks(encoder, one, texts[one.role]) for one in encoder.models}
    longest = max(map(len, chunks.values()))
    return {
        one.role: chunks[one.role] + [_empty(encoder, one)] * (longest - len(chunks[one.role]))
        for one in encoder.models
    }


def encode_all(encoder: TextEncoder, chunks: Chunks) -> Encoding:
    """The tokens of all text models, and the pooled text of the last one."""
    said = [
        encode_chunks(one.network, chunks[one.role], _empty(encoder, one), encoder.layer, normed=one.normed)
        for one in encoder.models
    ]
    return Encoding(torch.cat([one.tokens for one in said], dim=-1), said[-1].pooled)


def _chunks(encoder: TextEncoder, model: TextModel, text: str) -> list[Chunk]:
    width = model.network.module.config.hidden_size
    return make_chunks(
        encoder.tokenizer, text, model.pad, lambda name: find_vectors(encoder.embeddings, name, model.role, width)
    )


def _empty(encoder: TextEncoder, model: TextModel) -> Chunk:
    return make_chunks(encoder.tokenizer, "", model.pad)[0]
