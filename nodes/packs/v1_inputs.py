"""What a V1 class says of its inputs (`INPUT_TYPES`), in all the shapes that packs write, as `InputSocket`s.

Everything becomes plain data here, because definitions cross to other processes that know no class of a pack.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from enum import Enum
from pathlib import PurePath
from typing import Any, Final, Literal

from executor.object_info import input_from_info
from executor.schema import HIDDEN, MISSING, InputSocket, PackType

SECTIONS: Final = ("required", "optional")
_PYTHON_TYPES: Mapping[object, str] = {int: "INT", float: "FLOAT", str: "STRING", bool: "BOOLEAN"}
_BOUNDS = ("min", "max", "step", "round")
_ABSENT_NAME = "no input of any pack is called so"


def sockets(input_types: Mapping[str, Any]) -> tuple[InputSocket, ...]:
    """The declared inputs, required ones first."""
    made: dict[str, InputSocket] = {}
    for section in SECTIONS:
        for name, entry in _section(input_types, section).items():
            made.setdefault(str(name), _socket(str(name), entry, required=section == "required"))
    return tuple(made.values())


def hidden(input_types: Mapping[str, Any]) -> dict[str, str]:
    """Parameter -> the resource that it asks for (`HIDDEN`)."""
    asked: dict[str, str] = {}
    for name, entry in _section(input_types, "hidden").items():
        word = plain(entry[0] if isinstance(entry, list | tuple) and entry else entry)
        if word in HIDDEN:
            asked[str(name)] = str(word)
    return asked


def takes_any_name(input_types: Mapping[str, Any]) -> bool:
    """Whether a section claims to contain every name: packs whose inputs are added while editing say it so."""
    return any(_ABSENT_NAME in _section(input_types, section) for section in SECTIONS)


def type_name(kind: Any) -> str:
    """The wire type that a class wrote; choices in its place are a COMBO."""
    if isinstance(kind, Enum):
        kind = kind.value
    if isinstance(kind, str):
        return PackType(kind) if type(kind).__ne__ is not str.__ne__ else str.__str__(kind)
    if isinstance(kind, type):
        return _PYTHON_TYPES.get(kind, kind.__name__)
    return "COMBO" if isinstance(kind, Iterable) else str(kind)


def plain(value: Any) -> Any:
    """The value as JSON can say it; MISSING if there is no saying it."""
    match value:
        case None | bool():
            return value
        case Enum():
            return plain(value.value)
        case str():
            return str.__str__(value)
        case int():
            return int(value)
        case float():
            return float(value) if math.isfinite(value) else MISSING
        case PurePath():
            return str(value)
        case Mapping():
            said = {str(key): plain(item) for key, item in value.items()}
            return {key: item for key, item in said.items() if item is not MISSING}
        case list() | tuple() | set() | frozenset():
            return [item for item in map(plain, value) if item is not MISSING]
    # Numbers of numpy and torch say what they are when asked.
    number = getattr(value, "item", None)
    return plain(number()) if callable(number) and getattr(value, "shape", None) == () else MISSING


def _section(
    input_types: Mapping[str, Any], name: Literal["required", "optional", "hidden"] | str
) -> Mapping[str, Any]:
    section = input_types.get(name)
    return section if isinstance(section, Mapping) else {}


def _socket(name: str, entry: Any, *, required: bool) -> InputSocket:
    parts = list(entry) if isinstance(entry, list | tuple) else [entry]
    kind = parts[0] if parts else "*"
    told = parts[1] if len(parts) > 1 and isinstance(parts[1], Mapping) else {}
    options: dict[str, Any] = plain(told)
    for bound in _BOUNDS:
        if not _is_number(options.get(bound)):
            options.pop(bound, None)
    wire_type = type_name(kind)
    choices = plain(list(kind)) if wire_type == "COMBO" and not isinstance(kind, str | Enum) else wire_type
    default = _default(wire_type, options.pop("default", None))
    if default is not MISSING:
        options["default"] = default
    tooltip = options.pop("tooltip", None)
    socket = input_from_info(name, [choices, options], required=required)
    return replace(socket, type=wire_type, tooltip=None if tooltip is None else str(tooltip))


def _default(wire_type: str, value: Any) -> Any:
    """The default, if it is a value of its type: clients convert it without asking."""
    if value is None or (wire_type in ("INT", "FLOAT") and not _is_number(value)):
        try:
            return MISSING if value is None else _number(value)
        except (TypeError, ValueError):
            return MISSING
    if wire_type == "STRING":
        return value if isinstance(value, str) else str(value)
    return bool(value) if wire_type == "BOOLEAN" and isinstance(value, int) else value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _number(value: Any) -> int | float:
    """A number that was written as text, or as True. Raises ValueError or TypeError for what is none."""
    number = float(value)
    if not math.isfinite(number):
        raise ValueError("no number")
    return int(number) if number.is_integer() else number
