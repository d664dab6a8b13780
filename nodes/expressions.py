"""Nodes that compute with numbers and take texts apart: what a workflow needs between its pictures."""

import json
import math
import string
from collections.abc import Callable, Mapping
from typing import Annotated, Any, NamedTuple

from simpleeval import DEFAULT_OPERATORS, InvalidExpression, SimpleEval

from executor.schema import InputError, Widget
from nodes.declare import Autogrow, node
from nodes.diffusion.resize import MEGAPIXEL
from nodes.types import Seed

RATIOS = {
    "1:1 (Square)": (1, 1),
    "3:2 (Photo)": (3, 2),
    "4:3 (Standard)": (4, 3),
    "16:9 (Widescreen)": (16, 9),
    "21:9 (Ultrawide)": (21, 9),
    "2:3 (Portrait Photo)": (2, 3),
    "3:4 (Portrait Standard)": (3, 4),
    "9:16 (Portrait Widescreen)": (9, 16),
}
LARGEST_EXPONENT = 1024
"""A larger power of whole numbers is computed in floats, which overflow instead of taking hours."""

Lines = Annotated[str, Widget("text", multiline=True)]
Number = float | int | bool


class Numbers(NamedTuple):
    """One number as a fraction, cut off to a whole one, and as a truth."""

    FLOAT: float
    INT: int
    BOOL: bool


class Converted(NamedTuple):
    """One number as a fraction, and cut off to a whole one."""

    FLOAT: float
    INT: int


class Resolution(NamedTuple):
    """Sides of a picture in pixels."""

    width: int
    height: int


class Seeded(NamedTuple):
    """The seed."""

    seed: int


def _power(base: Number, exponent: Number) -> Any:
    return base**exponent if abs(exponent) <= LARGEST_EXPONENT else float(base) ** float(exponent)


OPERATORS = {**DEFAULT_OPERATORS, **{kind: _power for kind in DEFAULT_OPERATORS if kind.__name__ == "Pow"}}
FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "abs": abs, "bool": bool, "ceil": math.ceil, "cos": math.cos, "exp": math.exp, "float": float, "floor": math.floor,
    "int": int, "log": math.log, "log10": math.log10, "log2": math.log2, "max": max, "min": min, "pow": _power,
    "round": round, "sin": math.sin, "sqrt": math.sqrt, "tan": math.tan,
}  # fmt: skip


def compute(expression: str, values: Mapping[str, Number]) -> Number:
    """What a formula in Python's notation makes of numbers called by name: arithmetic, comparisons, bits, `x if y else
    z`, and `FUNCTIONS`; never anything else. Raises ValueError with a sentence for the user."""
    evaluator = SimpleEval(operators=OPERATORS, functions=FUNCTIONS, names={"pi": math.pi, **values})
    try:
        result = evaluator.eval(expression)
    except InvalidExpression as error:
        known = ", ".join(sorted(values)) or "nothing"
        raise ValueError(f"'{expression}' cannot be computed: {error} (Connected: {known}.)") from error
    except SyntaxError as error:
        raise ValueError(f"'{expression}' is no formula. Write it like (a + b) / 2.") from error
    except (ArithmeticError, TypeError, ValueError, RecursionError, MemoryError) as error:
        raise ValueError(f"'{expression}' has no result for {_listed(values)}: {error}.") from error
    if not isinstance(result, int | float):
        raise ValueError(f"'{expression}' gives {type(result).__name__} where a number is needed.")
    return result


@node("ComfyMathExpression", category="utils", display_name="Math Expression")
def comfy_math_expression(
    *,
    expression: Lines = "a + b",
    values: Annotated[Mapping[str, float | int | bool], Autogrow(names=tuple(string.ascii_lowercase), min=1)],
) -> Numbers:
    """Compute a formula over the numbers a, b, c and so on that are connected: + - * / // % **, comparisons, and, or,
    not, & | ~, x if y else z; abs, ceil, cos, exp, floor, int, log, log2, log10, max, min, pow, round, sin, sqrt, tan;
    pi."""
    try:
        result = compute(expression, values)
        return Numbers(float(result), int(result), bool(result))
    except OverflowError as error:
        raise InputError("expression", f"'{expression}' is too large a number for {_listed(values)}.") from error
    except ValueError as error:
        raise InputError("expression", str(error)) from error


@node("ComfyNumberConvert", category="utils", display_name="Number Convert")
def comfy_number_convert(*, value: int | float | str | bool) -> Converted:
    """Read a number, a text or a truth as a fraction and as a whole number; a fraction is cut off."""
    try:
        if isinstance(value, str):
            value = int(value) if value.strip().lstrip("+-").isdecimal() else float(value)
        return Converted(float(value), int(value))
    except (ValueError, OverflowError) as error:
        raise InputError("value", f"'{value}' is no number that has a whole part. Write it like 1.5.") from error


@node("JsonExtractString", category="utils/string", display_name="Extract Text from JSON")
def json_extract_string(*, json_string: Lines, key: str) -> str:
    """Take the value of a key out of a JSON object; what is no text comes as JSON, and what is not there as no text."""
    try:
        whole = json.loads(json_string)
    except ValueError as error:
        raise InputError("json_string", f"It is no JSON: {error}. Check its quotes and commas.") from error
    if not isinstance(whole, dict):
        raise InputError("json_string", f"It is a JSON {type(whole).__name__}, not an object with keys.")
    value = whole.get(key)
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


@node("ResolutionSelector", category="utils", display_name="Resolution Selector")
def resolution_selector(
    *,
    aspect_ratio: Annotated[str, Widget("combo", choices=tuple(RATIOS))] = "1:1 (Square)",
    megapixels: Annotated[float, Widget("number", min=0.1, max=16.0, step=0.1)] = 1.0,
    multiple: Annotated[int, Widget("number", min=1, max=256)] = 8,
) -> Resolution:
    """Width and height in a ratio, with so many times 1024 x 1024 pixels in all; both are multiples of a number."""
    across, down = RATIOS[aspect_ratio]
    unit = math.sqrt(megapixels * MEGAPIXEL / (across * down))
    width, height = (max(1, round(part * unit / multiple)) * multiple for part in (across, down))
    return Resolution(width, height)


@node("SeedNode", category="utils", display_name="Seed")
def seed_node(*, seed: Seed = 0) -> Seeded:
    """One seed that several nodes share."""
    return Seeded(seed)


def _listed(values: Mapping[str, Number]) -> str:
    return ", ".join(f"{name} = {value}" for name, value in values.items()) or "no values"
