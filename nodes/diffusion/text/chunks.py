"""Weighted runs -> chunks of 77 tokens, as the text model was trained on. Knows no tensor."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from tokenizers import Tokenizer

from nodes.diffusion.text.tokenizer import END, START
from nodes.diffusion.text.weighting import parse_weights

LENGTH = 77
"""Tokens of a chunk, with start and end token."""

LONGEST_WHOLE_WORD = 8
"""A word of fewer tokens than this is never cut by the end of a chunk; it moves to the next one."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """`LENGTH` token ids and a weight for each."""

    tokens: tuple[int, ...]
    weights: tuple[float, ...]


def make_chunks(tokenizer: Tokenizer, text: str, pad: int = END) -> list[Chunk]:
    """The chunks of a prompt, at least one. Each starts with `START`, ends with `END`, and is filled with `pad`."""
    chunks: list[list[tuple[int, float]]] = [[]]
    room = LENGTH - 2
    for word, weight in _words(tokenizer, text):
        pairs = [(token, weight) for token in word]
        if len(pairs) < LONGEST_WHOLE_WORD and len(chunks[-1]) + len(pairs) > room:
            chunks.append([])
        while pairs:
            if len(chunks[-1]) == room:
                chunks.append([])
            free = room - len(chunks[-1])
            chunks[-1] += pairs[:free]
            pairs = pairs[free:]
    return [_framed(chunk, pad) for chunk in chunks]


def _words(tokenizer: Tokenizer, text: str) -> Iterator[tuple[list[int], float]]:
    for run in parse_weights(text):
        for word in re.findall(r"[^ \t\r\n]+", run.text):
            yield tokenizer.encode(word, add_special_tokens=False).ids, run.weight


def _framed(pairs: list[tuple[int, float]], pad: int) -> Chunk:
    filling = LENGTH - 2 - len(pairs)
    tokens = (START, *(token for token, _ in pairs), END, *(pad,) * filling)
    weights = (1.0, *(weight for _, weight in pairs), 1.0, *(1.0,) * filling)
    return Chunk(tokens, weights)
