"""What is kept of an exception that a node raised: text only.

An exception holds its frames and they hold tensors, so nothing here keeps one.
"""

import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from executor.events import NodeFailed
from executor.graph import CycleError, Link, Node
from executor.hints import hint_for
from executor.schema import InputError

TEXT_LIMIT = 200
"""Longest text of one input in `current_inputs`, in characters."""

MOST_FRAMES = 20
"""Of one traceback; a recursion that has run away is as clear from its two ends."""

_OWN_FOLDER = str(Path(__file__).parent)
_LIBRARIES = "site-packages"


@dataclass(frozen=True, slots=True)
class Failure:
    """One exception as text, with the inputs at hand when it was raised."""

    message: str
    exception_type: str
    input_name: str | None
    traceback: tuple[str, ...]
    current_inputs: Mapping[str, str]
    hint: str | None = None

    def of(self, node: Node) -> NodeFailed:
        """This failure as the event about `node`."""
        return NodeFailed(
            node_id=node.id,
            class_type=node.class_type,
            message=self.message,
            exception_type=self.exception_type,
            input_name=self.input_name,
            traceback=self.traceback,
            current_inputs=self.current_inputs,
            hint=self.hint,
        )


def describe(error: BaseException, inputs: Mapping[str, Any]) -> Failure:
    """`error` as text. `inputs` are values by input name; links among them are left out."""
    kind = type(error)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    if isinstance(error, CycleError):
        name = "graph.DependencyCycleError"  # what clients of the protocol know
    return Failure(
        message=_said(error),
        exception_type=name,
        input_name=error.input_name if isinstance(error, InputError) else None,
        traceback=tuple(_frames(error)),
        current_inputs={key: _shown(value) for key, value in inputs.items() if not isinstance(value, Link)},
        hint=hint_for(error),
    )


def _said(error: BaseException) -> str:
    name = type(error).__name__
    try:
        return str(error).strip() or f"The node raised {name} without a message."
    except Exception:  # noqa: BLE001 - the exception's own code
        return f"The node raised {name}, which cannot say what it is about."


def _shown(value: Any) -> str:
    try:
        return short_text(value)
    except Exception:  # noqa: BLE001 - the value's own code
        return type(value).__name__


def short_text(value: Any) -> str:
    """A value in a few words: numbers and texts as they are, tensors by type and shape, everything cut short."""
    if value is None or isinstance(value, bool | int | float):
        return str(value)
    if isinstance(value, str):
        return value if len(value) <= TEXT_LIMIT else f"{value[:TEXT_LIMIT]}..."
    kind = type(value).__name__
    shape = getattr(value, "shape", None)
    if isinstance(shape, Sequence):
        return f"{kind} of shape {' x '.join(str(size) for size in shape) or '()'}"
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray):
        if all(item is None or isinstance(item, bool | int | float | str) for item in value[:8]):
            text = ", ".join(short_text(item) for item in value[:8])
            return f"{kind} of {len(value)}: {text}{', ...' if len(value) > 8 else ''}"[:TEXT_LIMIT]
        return f"{kind} of {len(value)}"
    if isinstance(value, Mapping):
        return f"{kind} with {', '.join(str(key) for key in list(value)[:8])}"[:TEXT_LIMIT]
    return kind


def _frames(error: BaseException) -> list[str]:
    """The formatted traceback, short: frames of ours and of libraries say little to whoever wrote or used the node, so
    what is left are the node's own, and the place where it raised."""
    chain = traceback.TracebackException.from_exception(error)
    shown: traceback.TracebackException | None = chain
    while shown is not None:
        shown.stack = traceback.StackSummary.from_list(_relevant(list(shown.stack)))
        shown = shown.__cause__ or (None if shown.__suppress_context__ else shown.__context__)
    return [line.rstrip("\n") for line in chain.format()]


def _relevant(frames: list[traceback.FrameSummary]) -> list[traceback.FrameSummary]:
    own = [frame for frame in frames if not frame.filename.startswith(_OWN_FOLDER)]
    kept = [frame for frame in own[:-1] if _LIBRARIES not in frame.filename] + own[-1:]
    if len(kept) > MOST_FRAMES:
        kept = kept[: MOST_FRAMES // 2] + kept[-MOST_FRAMES // 2 :]
    return kept or frames[-1:]
