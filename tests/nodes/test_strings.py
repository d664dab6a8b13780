"""What the text nodes answer, told as calls."""

import pytest

from executor.schema import InputError
from nodes import strings


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (strings.string_concatenate(string_a="a", string_b="b", delimiter=", "), "a, b"),
        (strings.string_substring(string="abcdef", start=1, end=-1), "bcde"),
        (strings.string_substring(string="abc", start=2, end=9), "c"),
        (strings.string_length(string="añ"), (2,)),
        (strings.case_converter(string="one Two", mode="UPPERCASE"), "ONE TWO"),
        (strings.case_converter(string="one Two", mode="lowercase"), "one two"),
        (strings.case_converter(string="one Two", mode="Capitalize"), "One two"),
        (strings.case_converter(string="one two", mode="Title Case"), "One Two"),
        (strings.string_trim(string=" a\n", mode="Both"), "a"),
        (strings.string_trim(string=" a\n", mode="Left"), "a\n"),
        (strings.string_trim(string=" a\n", mode="Right"), " a"),
        (strings.string_replace(string="a.b.c", find=".", replace="-"), "a-b-c"),
        (strings.string_contains(string="Cat", substring="cAT"), (False,)),
        (strings.string_contains(string="Cat", substring="cAT", case_sensitive=False), (True,)),
        (strings.string_compare(string_a="abc", string_b="ab", mode="Starts With"), True),
        (strings.string_compare(string_a="abc", string_b="ab", mode="Ends With"), False),
        (strings.string_compare(string_a="abc", string_b="ABC", mode="Equal"), False),
        (strings.string_compare(string_a="abc", string_b="ABC", mode="Equal", case_sensitive=False), True),
        (strings.regex_match(string="one\nTwo", regex_pattern="^t"), (False,)),
        (strings.regex_match(string="one\nTwo", regex_pattern="^t", multiline=True), (True,)),
        (strings.regex_match(string="one\nTwo", regex_pattern="^t", multiline=True, case_insensitive=False), (False,)),
        (strings.regex_match(string="a\nb", regex_pattern="a.b", dotall=True), (True,)),
        (strings.regex_replace(string="a1b2", regex_pattern="([a-z])", replace=r"<\1>"), "<a>1<b>2"),
        (strings.regex_replace(string="aaa", regex_pattern="A", replace="b", count=2), "bba"),
        (strings.regex_replace(string="aaa", regex_pattern="A", replace="b", case_insensitive=False), "aaa"),
    ],
)
def test_a_text_node_answers(answer: object, expected: object) -> None:
    assert answer == expected


@pytest.mark.parametrize(
    ("mode", "group", "expected"),
    [
        ("First Match", 1, "a1"),
        ("All Matches", 1, "a1\nb2"),
        ("First Group", 2, "1"),
        ("All Groups", 1, "a\nb"),
        ("All Groups", 3, ""),
    ],
)
def test_what_an_expression_finds_is_one_a_line(mode: str, group: int, expected: str) -> None:
    pattern = r"([a-z])(\d)"
    found = strings.regex_extract(string="a1 b2", regex_pattern=pattern, mode=mode, group_index=group)  # type: ignore[arg-type]
    assert found == expected
    assert strings.regex_extract(string="", regex_pattern=pattern, mode=mode) == ""  # type: ignore[arg-type]


def test_a_group_that_took_no_part_is_empty() -> None:
    assert strings.regex_extract(string="a", regex_pattern="a(b)?", mode="First Group") == ""


def test_a_wrong_expression_is_told_with_its_input() -> None:
    with pytest.raises(InputError, match="'\\(' is no regular expression: missing") as refusal:
        strings.regex_match(string="", regex_pattern="(")
    assert refusal.value.input_name == "regex_pattern"
    with pytest.raises(InputError, match="does not fit the expression 'a'") as refusal:
        strings.regex_replace(string="a", regex_pattern="a", replace=r"\1")
    assert refusal.value.input_name == "replace"
