"""Weighted runs -> chunks of 77 tokens, as the text model was trained on. Computes nothing."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tokenizers import Tokenizer
from torch import Tensor

from nodes.diffusion.text.tokenizer import END, START
from nodes.diffusion.text.weighting import parse_weights

LENGTH = 77
"""Tokens of a chunk, with start and end token."""

LONGEST_WHOLE_WORD = 8
"""A word of fewer tokens than this is never cut by the end of a chunk; it moves to the next one."""

EMBEDDING = "embedding:"
"""Begins a word that names a file of vectors (Gal et al. 2022, "An Image is Worth One Word")."""

PLACEHOLDER = 0
"""The token id in the place of a vector; it means nothing there."""

Vectors = Callable[[str], "Tensor | None"]
"""Name after `embedding:` -> (vectors, width), or None if there is no such file, or none for this text model."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """`LENGTH` token ids and a weight for each."""

    tokens: tuple[int, ...]
    weights: tuple[float, ...]
    vectors: tuple[tuple[int, Tensor], ...] = ()
    """(place, vector) of tokens that are replaced by a vector of an embedding."""


Pair = tuple[int, float, "Tensor | None"]


def make_chunks(tokenizer: Tokenizer, text: str, pad: int = END, vectors: Vectors | None = None) -> list[Chunk]:
    """The chunks of a prompt, at least one. Each starts with `START`, ends with `END`, and is filled with `pad`."""
    chunks: list[list[Pair]] = [[]]
    room = LENGTH - 2
    for pairs in _words(tokenizer, text, vectors):
        rest = pairs
        if len(rest) < LONGEST_WHOLE_WORD and len(chunks[-1]) + len(rest) > room:
            chunks.append([])
        while rest:
            if len(chunks[-1]) == room:
                chunks.append([])
            free = room - len(chunks[-1])
            chunks[-1] += rest[:free]
            rest = rest[free:]
    return [_framed(chunk, pad) for chunk in chunks]


def embedding_names(text: str) -> list[str]:
    """The names of embeddings that a text asks for, in order."""
    words = (word for run in parse_weights(text) for word in _split(run.text))
    return [word.removeprefix(EMBEDDING) for word in words if word.startswith(EMBEDDING)]


def _words(tokenizer: Tokenizer, text: str, vectors: Vectors | None) -> Iterator[list[Pair]]:
    for run in parse_weights(text):
        for word in _split(run.text):
            if vectors is not None and word.startswith(EMBEDDING):
                yield from _embedded(tokenizer, word.removeprefix(EMBEDDING), run.weight, vectors)
            else:
                yield _tokens(tokenizer, word, run.weight)


def _embedded(tokenizer: Tokenizer, name: str, weight: float, vectors: Vectors) -> Iterator[list[Pair]]:
    """The vectors, and the tokens of a comma that stood behind the name."""
    plain = name.rstrip(",")
    found = vectors(plain)
    if found is not None:
        yield [(PLACEHOLDER, weight, vector) for vector in found]
    if plain != name:
        yield _tokens(tokenizer, name[len(plain) :], weight)


def _tokens(tokenizer: Tokenizer, word: str, weight: float) -> list[Pair]:
    return [(token, weight, None) for token in tokenizer.encode(word, add_special_tokens=False).ids]


def _split(text: str) -> list[str]:
    return re.findall(r"[^ \t\r\n]+", text)


def _framed(pairs: list[Pair], pad: int) -> Chunk:
    filling = LENGTH - 2 - len(pairs)
    return Chunk(
        (START, *(token for token, _, _ in pairs), END, *(pad,) * filling),
        (1.0, *(weight for _, weight, _ in pairs), 1.0, *(1.0,) * filling),
        tuple((place, vector) for place, (_, _, vector) in enumerate(pairs, 1) if vector is not None),
    )
