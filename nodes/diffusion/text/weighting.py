"""Prompt weighting: what the user typed -> runs of plain text, each with a weight. Knows no token.

The notation: `(text)` multiplies the weight by 1.1, `(text:1.3)` sets it to 1.3, both nest, and a backslash makes a
parenthesis literal. Square brackets mean nothing. A parenthesis without its partner is plain text.
"""

import re
from dataclasses import dataclass

EMPHASIS = 1.1
"""Factor of a pair of parentheses without a number."""

_EXPLICIT = re.compile(r"(.+):\s*([-+]?(?:\d+\.?\d*|\.\d+))\s*", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Run:
    """Plain text with one weight."""

    text: str
    weight: float


def parse_weights(text: str) -> list[Run]:
    """The runs of `text` in order; empty ones are left out."""
    partners = _partners(text)
    runs: list[Run] = []
    # An explicit stack instead of recursion: nesting is bounded by the text's length, not by the interpreter.
    pending: list[tuple[int, int, float]] = [(0, len(text), 1.0)]
    while pending:
        start, end, weight = pending.pop()
        position = start
        while position < end and position not in partners:
            position += 1
        _add(runs, text[start:position], weight)
        if position == end:
            continue
        close = partners[position]
        inner_end, inner_weight = _weight_inside(text, position + 1, close, weight)
        pending.append((close + 1, end, weight))
        pending.append((position + 1, inner_end, inner_weight))
    return runs


def _partners(text: str) -> dict[int, int]:
    """Index of every opening parenthesis that is closed -> index of its partner. Escaped ones count as text."""
    partners: dict[int, int] = {}
    opened: list[int] = []
    position = 0
    while position < len(text):
        character = text[position]
        if character == "\\" and text[position + 1 : position + 2] in ("(", ")"):
            position += 2
            continue
        if character == "(":
            opened.append(position)
        elif character == ")" and opened:
            partners[opened.pop()] = position
        position += 1
    return partners


def _weight_inside(text: str, start: int, close: int, weight: float) -> tuple[int, float]:
    """End of the text inside a pair of parentheses, and its weight."""
    match = _EXPLICIT.fullmatch(text, start, close)
    if match:
        return match.end(1), float(match[2])
    return close, weight * EMPHASIS


def _add(runs: list[Run], text: str, weight: float) -> None:
    plain = text.replace("\\(", "(").replace("\\)", ")")
    if plain:
        runs.append(Run(plain, weight))
