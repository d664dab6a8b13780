"""What the annotation of a node's parameter or result may say beside its type: the vocabulary of `@node`.

Marks only: `declare_inputs` and `declare_outputs` read them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Socket:
    """In `Annotated`: the wire type of a value that only a link can carry; `*` fits all."""

    type: str


@dataclass(frozen=True, slots=True)
class Tooltip:
    """In `Annotated`, of a parameter or of a field of the result: what an editor tells about it."""

    text: str


@dataclass(frozen=True, slots=True)
class WireOptions:
    """In `Annotated`: further options of the input, which editors get and nobody here reads."""

    options: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Autogrow:
    """In `Annotated`, on a `Mapping[str, T]`: sockets of type T that grow as they are connected, called `prefix0`,
    `prefix1` and so on, or by `names`. The function gets those that are connected, by these names."""

    prefix: str = ""
    min: int = 1
    max: int = 10
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LazyMark:
    """See `Lazy`."""


Lazy = Annotated[T, LazyMark()]
"""`image: Lazy[Image]`: what feeds it runs only if the node's `needs` asks for it. It is None where that did not
happen, so the function reads only what `needs` asked for. One inside of another is asked for as "images.image0"."""


@dataclass(frozen=True, slots=True)
class RawLinkMark:
    """See `RawLink`."""


WireLink = list[str | int]
"""`[node id, output]`."""

RawLink = Annotated[T | WireLink, RawLinkMark()]
"""`image: RawLink[Image]`: the function gets the link itself, for use in an expansion; a literal stays a literal."""


@dataclass(frozen=True, slots=True)
class Hidden:
    """In `Annotated`: which of `executor.schema.HIDDEN` an injected value is."""

    word: str


UniqueId = Annotated[str, Hidden("UNIQUE_ID")]
"""`node_id: Injected[UniqueId]`: the node's own id, which then is part of its signature. A node that needs the id only
for messages asks for `RunInfo`, which is not."""
AuthToken = Annotated[str | None, Hidden("AUTH_TOKEN_COMFY_ORG")]
ApiKey = Annotated[str | None, Hidden("API_KEY_COMFY_ORG")]
