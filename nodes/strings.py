"""Nodes that put texts together, cut them, and ask about them. They know no model."""

import re
from typing import Annotated, Literal, NamedTuple

from executor.schema import InputError, Widget
from nodes.declare import node

Lines = Annotated[str, Widget("text", multiline=True)]
GroupIndex = Annotated[int, Widget("number", min=0, max=100)]
Count = Annotated[int, Widget("number", min=0, max=100)]


class Length(NamedTuple):
    """Of a text, in characters."""

    length: int


class Contains(NamedTuple):
    """Whether it does."""

    contains: bool


class Matches(NamedTuple):
    """Whether it does."""

    matches: bool


@node("StringConcatenate", category="utils/string", display_name="Concatenate")
def string_concatenate(*, string_a: Lines, string_b: Lines, delimiter: str = "") -> str:
    """Join two texts, with the delimiter between them."""
    return f"{string_a}{delimiter}{string_b}"


@node("StringSubstring", category="utils/string", display_name="Substring")
def string_substring(*, string: Lines, start: int, end: int) -> str:
    """Cut out the characters from `start` up to, but without, `end`. Negative numbers count from the end."""
    return string[start:end]


@node("StringLength", category="utils/string", display_name="Length")
def string_length(*, string: Lines) -> Length:
    """Count the characters."""
    return Length(len(string))


@node("CaseConverter", category="utils/string", display_name="Case Converter")
def case_converter(*, string: Lines, mode: Literal["UPPERCASE", "lowercase", "Capitalize", "Title Case"]) -> str:
    """Change capital and small letters."""
    match mode:
        case "UPPERCASE":
            return string.upper()
        case "lowercase":
            return string.lower()
        case "Capitalize":
            return string.capitalize()
        case "Title Case":
            return string.title()


@node("StringTrim", category="utils/string", display_name="Trim")
def string_trim(*, string: Lines, mode: Literal["Both", "Left", "Right"]) -> str:
    """Remove spaces and line ends at the ends of a text."""
    match mode:
        case "Both":
            return string.strip()
        case "Left":
            return string.lstrip()
        case "Right":
            return string.rstrip()


@node("StringReplace", category="utils/string", display_name="Replace")
def string_replace(*, string: Lines, find: Lines, replace: Lines) -> str:
    """Put another text in place of each occurrence of one."""
    return string.replace(find, replace)


@node("StringContains", category="utils/string", display_name="Contains")
def string_contains(*, string: Lines, substring: Lines, case_sensitive: bool = True) -> Contains:
    """Ask whether a text contains another."""
    return Contains(_cased(substring, case_sensitive) in _cased(string, case_sensitive))


@node("StringCompare", category="utils/string", display_name="Compare")
def string_compare(
    *,
    string_a: Lines,
    string_b: Lines,
    mode: Literal["Starts With", "Ends With", "Equal"],
    case_sensitive: bool = True,
) -> bool:
    """Ask whether the first text starts with, ends with, or equals the second."""
    text, other = _cased(string_a, case_sensitive), _cased(string_b, case_sensitive)
    match mode:
        case "Starts With":
            return text.startswith(other)
        case "Ends With":
            return text.endswith(other)
        case "Equal":
            return text == other


@node("RegexMatch", category="utils/string", display_name="Regex Match")
def regex_match(
    *,
    string: Lines,
    regex_pattern: Lines,
    case_insensitive: bool = True,
    multiline: bool = False,
    dotall: bool = False,
) -> Matches:
    """Ask whether a regular expression fits anywhere in a text."""
    pattern = _pattern(regex_pattern, case_insensitive, multiline, dotall)
    return Matches(pattern.search(string) is not None)


@node("RegexExtract", category="utils/string", display_name="Regex Extract")
def regex_extract(
    *,
    string: Lines,
    regex_pattern: Lines,
    mode: Literal["First Match", "All Matches", "First Group", "All Groups"],
    case_insensitive: bool = True,
    multiline: bool = False,
    dotall: bool = False,
    group_index: GroupIndex = 1,
) -> str:
    """Take what a regular expression finds in a text: whole matches or one of their groups; several are one a line.

    Nothing if it finds nothing, or if the expression has no such group.
    """
    pattern = _pattern(regex_pattern, case_insensitive, multiline, dotall)
    group = group_index if mode.endswith(("Group", "Groups")) else 0
    if group > pattern.groups:
        return ""
    found = [match.group(group) or "" for match in pattern.finditer(string)]
    return "\n".join(found if mode.startswith("All") else found[:1])


@node("RegexReplace", category="utils/string", display_name="Regex Replace")
def regex_replace(
    *,
    string: Lines,
    regex_pattern: Lines,
    replace: Lines,
    case_insensitive: bool | None = True,
    multiline: bool | None = False,
    dotall: bool | None = False,
    count: Count | None = 0,
) -> str:
    r"""Put a text in place of what a regular expression finds; `\1` in it is the first group. A count of 0 is all."""
    pattern = _pattern(regex_pattern, bool(case_insensitive), bool(multiline), bool(dotall))
    try:
        return pattern.sub(replace, string, count=count or 0)
    except (re.error, IndexError) as error:
        raise InputError("replace", f"'{replace}' does not fit the expression '{regex_pattern}': {error}.") from error


def _cased(text: str, case_sensitive: bool) -> str:
    return text if case_sensitive else text.casefold()


def _pattern(pattern: str, case_insensitive: bool, multiline: bool, dotall: bool) -> re.Pattern[str]:
    flags = (re.IGNORECASE * case_insensitive) | (re.MULTILINE * multiline) | (re.DOTALL * dotall)
    try:
        return re.compile(pattern, flags)
    except re.error as error:
        raise InputError("regex_pattern", f"'{pattern}' is no regular expression: {error}.") from error
