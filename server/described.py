"""What a handler takes and answers, said beside it: the part of the API's description that its docstring cannot carry.

A handler that says nothing takes no parameter but those in its path, no body, and answers 200 with JSON. Knows no
route; `openapi` makes a document of it all.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

JSON: Final = "application/json"
FORM: Final = "multipart/form-data"
BYTES: Final = "application/octet-stream"
HTML: Final = "text/html"
ANY: Final = "*/*"

F = TypeVar("F", bound=Callable[..., Any])
Schema = Mapping[str, Any]

_KEY: Final = "api_description"


@dataclass(frozen=True, slots=True)
class Description:
    """Of one handler. Names map to JSON schemas."""

    query: Mapping[str, Schema] = field(default_factory=dict[str, Schema])
    body: str | None = None
    """Media type of the request's body."""
    fields: Mapping[str, Schema] = field(default_factory=dict[str, Schema])
    """Of the object, or the form, in the body."""
    required: tuple[str, ...] = ()
    answers: Mapping[int, str | None] = field(default_factory=lambda: {200: JSON})
    """Status -> media type, None for an answer without content. Every route may refuse with the error body as well."""
    refusal: str = "Refusal"
    """The schema of that body."""


def described(
    *,
    query: Mapping[str, Schema] | None = None,
    body: str | None = None,
    fields: Mapping[str, Schema] | None = None,
    required: tuple[str, ...] = (),
    answers: Mapping[int, str | None] | None = None,
    refusal: str = "Refusal",
) -> Callable[[F], F]:
    """Say what the handler below takes and answers. `fields` alone mean a JSON object."""
    media = body or (JSON if fields else None)
    description = Description(query or {}, media, fields or {}, required, answers or {200: JSON}, refusal)

    def mark(handler: F) -> F:
        vars(handler)[_KEY] = description
        return handler

    return mark


def description_of(handler: Callable[..., Any]) -> Description:
    """What was said of a handler, also of one that `threaded` wraps."""
    found = vars(handler).get(_KEY)
    return found if isinstance(found, Description) else Description()


def text(about: str, **more: Any) -> Schema:
    """A text."""
    return {"type": "string", "description": about, **more}


def one_of(about: str, *words: str) -> Schema:
    """One of a few words."""
    return text(about, enum=list(words))


def whole(about: str, **more: Any) -> Schema:
    """A whole number."""
    return {"type": "integer", "description": about, **more}


def number(about: str) -> Schema:
    """Any number."""
    return {"type": "number", "description": about}


def flag(about: str) -> Schema:
    """True or false."""
    return {"type": "boolean", "description": about}


def texts(about: str) -> Schema:
    """A list of texts."""
    return {"type": "array", "items": {"type": "string"}, "description": about}


def thing(about: str) -> Schema:
    """An object."""
    return {"type": "object", "description": about}


def anything(about: str) -> Schema:
    """Any JSON value."""
    return {"description": about}
