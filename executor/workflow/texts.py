"""What an editor replaces in texts before it sends them: `{a|b}` alternatives, and `%...%` in names of saved files."""

import re
from collections.abc import Callable
from datetime import datetime
from random import Random
from typing import Any

from executor.schema import MISSING

_INNERMOST = re.compile(r"(?<!\\)\{((?:[^{}\\]|\\.)*)(?<!\\)\}", re.DOTALL)
_BARS = re.compile(r"(?<!\\)\|")
_ESCAPED = re.compile(r"\\([{}|])")
_QUOTED = re.compile(r"%([^%]+)%")
_DATE_PART = re.compile(r"yyyy|yy|MM|M|dd|d|hh|h|mm|m|ss|s")
_ILLEGAL = re.compile(r'[/?<>\\:*|"\x00-\x1f\x7f]')


def choose_alternatives(text: str, random: Random) -> str:
    """The text with one alternative chosen of each `{a|b|c}`, nested ones included. `\\{`, `\\}`, `\\|` stand for
    themselves."""
    while (group := _INNERMOST.search(text)) is not None:
        chosen = random.choice(_BARS.split(group[1]))
        text = text[: group.start()] + chosen + text[group.end() :]
    return _ESCAPED.sub(r"\1", text)


def fill_prefix(prefix: str, value_of: Callable[[str, str], Any], now: datetime) -> str:
    """A filename prefix with `%date:yyyy-MM-dd%` and `%Node.input%` filled in; other names are left to the saving node.

    `value_of(node name, input name)` gives a value or MISSING. Characters that no file name may have become `_`.
    """

    def fill(quoted: re.Match[str]) -> str:
        name = quoted[1]
        if name.startswith("date:"):
            return _DATE_PART.sub(lambda part: _date_part(part[0], now), name.removeprefix("date:"))
        node_name, dot, input_name = name.rpartition(".")
        value = value_of(node_name, input_name) if dot else MISSING
        return quoted[0] if value is MISSING else _ILLEGAL.sub("_", str(value))

    return _QUOTED.sub(fill, prefix)


def _date_part(part: str, now: datetime) -> str:
    value = {"y": now.year, "M": now.month, "d": now.day, "h": now.hour, "m": now.minute, "s": now.second}[part[0]]
    if part == "yy":
        value %= 100
    return str(value).zfill(len(part))
