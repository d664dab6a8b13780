"""What a pack asked for and the library below cannot do yet."""


class Unsupported(RuntimeError):
    """Raised instead of doing something else than was asked for. The text says what is missing, for the user."""


def refuse(what: str) -> Unsupported:
    """The error for something that Heddle cannot do yet; `what` begins the sentence."""
    return Unsupported(
        f"{what} not supported by Heddle yet. Remove the node that asks for it, or replace it by another."
    )
