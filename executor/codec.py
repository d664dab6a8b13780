"""How values become a structure that JSON can hold and a list of byte strings, and values again.

Plain Python data is known here. Every other type comes with a `Codec` from a table that the caller owns, so that this
module need not know what flows on links. Nothing is pickled: reading runs no code but the table's own.
"""

import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

DEEPEST = 100
"""Nesting that is stored; what refers to itself goes deeper and is refused."""

LARGEST_BITS = 10_000
"""Integers beyond this have more decimal digits than Python's JSON reader takes."""


class Unstorable(Exception):
    """A value has no codec, or its codec refuses it. No fault of anyone: it is made again when it is needed."""


@dataclass(frozen=True, slots=True)
class Codec:
    """How values of one type are stored. What it makes must be indistinguishable from what it took."""

    name: str
    """Stands in the file; unique within a table."""
    take_apart: Callable[[Any], Any]
    """A value as plain data (`bytes` included) or values that have codecs themselves. May raise Unstorable."""
    put_together: Callable[[Any], Any]
    """The value again, from what `take_apart` gave."""


Codecs = Mapping[type, Codec]
"""By exact type: a subclass may hold more than its parent's codec knows of."""


def pack(value: Any, codecs: Codecs) -> tuple[Any, list[bytes]]:
    """A JSON structure and the byte strings that it refers to by number. Raises Unstorable.

    A list is an array. An object has one key that says what it is: `t` a tuple, `d` a dict as pairs, `f` a float as the
    hexadecimal digits of its eight bytes, `b` the number of a byte string, `c` a codec's name and what it gave.
    """
    blobs: list[bytes] = []

    def packed(item: Any, depth: int) -> Any:
        if depth > DEEPEST:
            raise Unstorable("A value is nested too deeply.")
        kind = type(item)
        if kind is list:
            return [packed(one, depth + 1) for one in item]
        if kind is tuple:
            return {"t": [packed(one, depth + 1) for one in item]}
        if kind is dict:
            return {"d": [[packed(key, depth + 1), packed(one, depth + 1)] for key, one in item.items()]}
        if kind is bytes:
            blobs.append(item)
            return {"b": len(blobs) - 1}
        codec = codecs.get(kind)
        if codec is not None:
            return {"c": [codec.name, packed(codec.take_apart(item), depth + 1)]}
        return _scalar(item)

    return packed(value, 0), blobs


def unpack(structure: Any, blobs: Sequence[bytes], codecs: Codecs) -> Any:
    """The value that `pack` was given. Raises whatever comes of a structure that `pack` did not make."""
    named = {codec.name: codec for codec in codecs.values()}

    def unpacked(item: Any) -> Any:
        if isinstance(item, list):
            return [unpacked(one) for one in item]
        if not isinstance(item, dict):
            return item
        [(kind, content)] = item.items()
        match kind:
            case "t":
                return tuple(unpacked(one) for one in content)
            case "d":
                return {unpacked(key): unpacked(one) for key, one in content}
            case "f":
                return struct.unpack(">d", bytes.fromhex(content))[0]
            case "b":
                return blobs[content]
            case "c":
                name, parts = content
                return named[name].put_together(unpacked(parts))
        raise ValueError(f"A stored value is of the unknown kind '{kind}'.")

    return unpacked(structure)


def _scalar(value: Any) -> Any:
    kind = type(value)
    if value is None or kind is bool:
        return value
    if kind is int and value.bit_length() <= LARGEST_BITS:
        return value
    if kind is float:
        return {"f": struct.pack(">d", value).hex()}
    if kind is str and not any("\ud800" <= character <= "\udfff" for character in value):
        return value  # two lone surrogates would come back from JSON as one character
    raise Unstorable(f"There is no codec for {kind.__name__}.")
