"""Formulas, conversions, sizes: what comes out, and what is refused in one sentence."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.schema import InputError
from nodes.expressions import (
    RATIOS,
    comfy_math_expression,
    comfy_number_convert,
    compute,
    json_extract_string,
    resolution_selector,
    seed_node,
)


@pytest.mark.parametrize(
    ("expression", "values", "expected"),
    [
        ("a", {"a": 3}, (3.0, 3, True)),
        ("a/2", {"a": 81}, (40.5, 40, True)),
        ("-a / 2", {"a": 3}, (-1.5, -1, True)),
        ("floor (a * b + 1)", {"a": 2.5, "b": 3}, (8.0, 8, True)),
        ("(a % 4 == 1) and ((b - 1) % 4 == 0)", {"a": 5, "b": 9}, (1.0, 1, True)),
        ("4 * ceil((a - b * c + c - 1) / 4) + 1", {"a": 81, "b": 2, "c": 5}, (77.0, 77, True)),
        ("a % b if b > 0 else 0", {"a": 7, "b": 0}, (0.0, 0, False)),
        ("a & -8", {"a": 1023}, (1016.0, 1016, True)),
        ("a & ~1", {"a": 77}, (76.0, 76, True)),
        ("a > 2048", {"a": 2048}, (0.0, 0, False)),
        ("ceil(1.5 * log2(max(a, b))) + 2", {"a": 16, "b": 9}, (8.0, 8, True)),
        ("max(((a + 15) // 16) * 16, 256)", {"a": 1000}, (1008.0, 1008, True)),
        ("max(5, round(a * 24)) + (5 - (max(5, round(a * 24)) % 17)) % 17", {"a": 5.0}, (124.0, 124, True)),
        ("min(abs(b), 16) * a", {"a": 2, "b": -20}, (32.0, 32, True)),
        ("2 ** 10 + pow(2, 3) + (1 << 2)", {"a": 0}, (1036.0, 1036, True)),
        ("round(sin(pi / 2) + cos(0) + sqrt(a), 3)", {"a": 2}, (3.414, 3, True)),
        ("not a", {"a": True}, (0.0, 0, False)),
    ],
)
def test_a_formula_is_computed(expression: str, values: dict, expected: tuple) -> None:
    assert comfy_math_expression(expression=expression, values=values) == expected


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("a +", "'a +' is no formula. Write it like (a + b) / 2."),
        ("", "'' cannot be computed: "),
        ("c + 1", "'c' is not defined"),
        ("c + 1", "(Connected: a, b.)"),
        ("a / b", "'a / b' has no result for a = 1, b = 0: division by zero."),
        ("sqrt(-1)", "has no result for a = 1, b = 0"),
        ("'x' * 3", "gives str where a number is needed."),
        ("9 ** 9 ** 9 ** 9", "9 ** 9 ** 9 ** 9"),
        ("2.0 ** 5000", "2.0 ** 5000"),
        ("10 ** 400 * 1", "is too large a number"),
        ("1 << 9999999999", "1 << 9999999999"),
        ("__import__('os').system('true')", "cannot be computed"),
        ("a.__class__", "cannot be computed"),
        ("(lambda: 1)()", "cannot be computed"),
        ("[x for x in (1, 2)]", "cannot be computed"),
        ("open('a')", "cannot be computed"),
        ("(" * 3000 + "1" + ")" * 3000, "((("),
    ],
)
def test_what_is_no_formula_is_refused_in_one_sentence(expression: str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        comfy_math_expression(expression=expression, values={"a": 1, "b": 0})
    assert caught.value.input_name == "expression"
    assert said in str(caught.value)


@given(st.integers(-(10**9), 10**9), st.integers(1, 10**6))
def test_whole_numbers_stay_exact(a: int, b: int) -> None:
    assert compute("(a // b) * b + a % b", {"a": a, "b": b}) == a


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (3, (3.0, 3)),
        (2.9, (2.9, 2)),
        (-2.9, (-2.9, -2)),
        (True, (1.0, 1)),
        (" 12 ", (12.0, 12)),
        ("-1.5e2", (-150.0, -150)),
        ("9007199254740993", (9007199254740992.0, 9007199254740993)),
    ],
)
def test_numbers_are_read_from_anything(value: object, expected: tuple) -> None:
    assert comfy_number_convert(value=value) == expected
    for wrong in ("abc", "", "nan", "inf", math.inf, "1,5"):
        with pytest.raises(InputError, match="is no number"):
            comfy_number_convert(value=wrong)


def test_texts_are_taken_out_of_json() -> None:
    whole = '{"a": "x", "n": 1.5, "o": {"ü": [1]}, "none": null}'
    for key, expected in {"a": "x", "n": "1.5", "o": '{"ü": [1]}', "none": "", "missing": ""}.items():
        assert json_extract_string(json_string=whole, key=key) == expected
    for wrong, said in {"{": "It is no JSON", "[1]": "It is a JSON list, not an object"}.items():
        with pytest.raises(InputError, match=said):
            json_extract_string(json_string=wrong, key="a")


@pytest.mark.parametrize(
    ("ratio", "megapixels", "multiple", "expected"),
    [
        ("1:1 (Square)", 1.0, 8, (1024, 1024)),
        ("1:1 (Square)", 0.4, 32, (640, 640)),
        ("16:9 (Widescreen)", 1.0, 8, (1368, 768)),
        ("9:16 (Portrait Widescreen)", 1.0, 8, (768, 1368)),
        ("21:9 (Ultrawide)", 0.1, 256, (512, 256)),
    ],
)
def test_sizes_follow_a_ratio(ratio: str, megapixels: float, multiple: int, expected: tuple[int, int]) -> None:
    assert resolution_selector(aspect_ratio=ratio, megapixels=megapixels, multiple=multiple) == expected
    assert {one.partition(" ")[0] for one in RATIOS} == {f"{a}:{b}" for a, b in RATIOS.values()}


def test_a_seed_is_passed_on() -> None:
    assert seed_node(seed=2**64 - 1).seed == 2**64 - 1
