"""Turns the literal of a wire prompt into the value of an input, or says why it is none.

Converts only where nothing is lost: "64" and 64.0 are the INT 64, but 64.9 is not, and "false" is not True.
Knows no node and no error format; `prompt` makes errors of what comes out.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from executor.schema import InputSocket

SHOWN_CHOICES = 20
"""With more choices than this, a message counts them instead."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a literal is not a value for its input, in the words that clients of the protocol know."""

    type: str
    message: str
    details: str
    reason: str | None = None
    """The conversion's complaint, where the type was wrong."""


def unwrap(raw: Any) -> Any:
    """The value inside `{"__value__": ...}`, which is how the wire tells a list from a link; others as they are."""
    return raw["__value__"] if isinstance(raw, dict) and "__value__" in raw else raw


def parse_literal(
    socket: InputSocket, value: Any, choices: Sequence[str | int | float] | None, *, bounded: bool = True
) -> Any | Refusal:
    """The value of `socket` that `value` stands for, within the bounds (if `bounded`) and choices of its widget, or a
    Refusal.

    `choices` are those at hand now; None means that any value will do.
    """
    if choices is not None:
        if socket.options.get("multiselect") or socket.options.get("multi_select"):
            return _several(socket, value, choices)
        return _choose(socket, value, choices)
    convert = _CONVERSIONS.get(socket.type)
    if convert is None:
        return value
    try:
        value = convert(value)
    except ValueError as error:
        return Refusal(
            "invalid_input_type",
            f"Failed to convert an input value to a {socket.type} value",
            f"{socket.name}, {_short(value)}, {error}",
            reason=str(error),
        )
    return _within_bounds(socket, value) if bounded else value


def converted(kind: str, value: Any) -> Any:
    """The value as one of wire type `kind` where nothing is lost by it, else as it is."""
    convert = _CONVERSIONS.get(kind)
    if convert is None or not isinstance(value, str | int | float):
        return value
    try:
        return convert(value)
    except ValueError:
        return value


def choose(value: Any, choices: Sequence[str | int | float]) -> str | int | float | None:
    """The choice that a literal names: the one of its type if there is one, else the one that reads the same."""
    if not isinstance(value, str | int | float) or isinstance(value, bool):
        return None
    exact = (choice for choice in choices if type(choice) is type(value) and choice == value)
    alike = (choice for choice in choices if str(choice) == str(value) or choice == value)
    return next(exact, next(alike, None))


def _within_bounds(socket: InputSocket, value: Any) -> Any | Refusal:
    widget = socket.widget
    if widget is None or isinstance(value, str | bool):
        return value
    if widget.min is not None and value < widget.min:
        message = f"Value {value} smaller than min of {widget.min}"
        return Refusal("value_smaller_than_min", message, socket.name)
    if widget.max is not None and value > widget.max:
        return Refusal("value_bigger_than_max", f"Value {value} bigger than max of {widget.max}", socket.name)
    return value


def _choose(socket: InputSocket, value: Any, choices: Sequence[str | int | float]) -> Any | Refusal:
    if (chosen := choose(value, choices)) is not None:
        return chosen
    shown = f"(list of length {len(choices)})" if len(choices) > SHOWN_CHOICES else f"{list(choices)}"
    return Refusal("value_not_in_list", "Value not in list", f"{socket.name}: {_short(value)} not in {shown}")


def _several(socket: InputSocket, value: Any, choices: Sequence[str | int | float]) -> Any | Refusal:
    chosen = [_choose(socket, item, choices) for item in (value if isinstance(value, list) else [value])]
    return next((item for item in chosen if isinstance(item, Refusal)), chosen)


def _integer(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(f"a whole number is needed, not {_kind(value)}")
    if isinstance(value, int):
        return value
    try:
        return int(value) if isinstance(value, str) else _whole(value)
    except ValueError:
        return _whole(_number(value))


def _whole(value: float) -> int:
    if not math.isfinite(value) or value != int(value):
        raise ValueError(f"{value} is not a whole number")
    return int(value)


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(f"a number is needed, not {_kind(value)}")
    try:
        number = float(value)
    except (ValueError, OverflowError):
        raise ValueError(f"{_short(value)} is not a number") from None
    if math.isnan(number):
        raise ValueError("NaN is not a number")
    return number


def _text(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(f"a text is needed, not {_kind(value)}")
    return str(value)


def _truth(value: Any) -> bool:
    if isinstance(value, str):
        value = {"true": True, "false": False}.get(value.strip().lower(), value)
    if isinstance(value, int | float) and value in (0, 1):
        return bool(value)
    raise ValueError(f"{_short(value)} is neither true nor false")


def _kind(value: object) -> str:
    if value is None:
        return "null"
    return {bool: "true or false", list: "a list", dict: "an object"}.get(type(value), f"a {type(value).__name__}")


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 100 else f"{text[:100]}..."


_CONVERSIONS: Mapping[str, Callable[[Any], Any]] = {
    "INT": _integer,
    "FLOAT": _number,
    "STRING": _text,
    "BOOLEAN": _truth,
}
