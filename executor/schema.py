"""What a node type promises: the contract between the nodes, the executor and everyone who describes them.

A `NodeDefinition` is plain data and crosses process boundaries; `NodeType` pairs it with the code, which does not.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, Literal, TypeVar

T = TypeVar("T")


class Missing:
    """The type of `MISSING`: an input without a default."""

    def __repr__(self) -> str:
        return "MISSING"

    def __reduce__(self) -> str:
        return "MISSING"  # keeps identity across pickling, so that `is MISSING` holds in every process


MISSING: Final = Missing()


@dataclass(frozen=True, slots=True)
class FolderChoices:
    """Choices that are the files of a named folder at the time of asking, for example "checkpoints" or "input"."""

    folder: str


Choices = tuple[str | int | float, ...] | FolderChoices

WidgetKind = Literal["number", "slider", "seed", "text", "toggle", "combo", "color"]


@dataclass(frozen=True, slots=True)
class Widget:
    """How a value is edited, and which values are allowed. The executor enforces `min`, `max` and `choices`."""

    kind: WidgetKind
    min: int | float | None = None
    max: int | float | None = None
    step: int | float | None = None
    round: float | None = None
    choices: Choices = ()
    multiline: bool = False
    dynamic_prompts: bool = False
    control_after_generate: bool = False
    upload: Literal["image", "mask"] | None = None
    """The editor offers an upload button that fills this combo."""


@dataclass(frozen=True, slots=True)
class InputSocket:
    """One input, fed by a link or, if it has a widget, by a literal."""

    name: str
    type: str
    """Wire type: INT, FLOAT, STRING, BOOLEAN, COMBO, MODEL, ...; `*` fits all; `A,B` is a union."""
    widget: Widget | None = None
    default: Any = MISSING
    required: bool = True
    """False: the node runs without it. A required input with a default may still be left out by a caller."""
    lazy: bool = False
    tooltip: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Further wire options, passed through to clients unread."""


@dataclass(frozen=True, slots=True)
class OutputSocket:
    """One output; `is_list` means that the node returns a list of values for it."""

    name: str
    type: str
    is_list: bool = False


Lane = Literal["device", "thread", "loop"]
"""Where a node body runs: one at a time on the device, on any thread, or as a coroutine on the event loop."""


@dataclass(frozen=True, slots=True)
class NodeDefinition:
    """A node type as data."""

    class_type: str
    inputs: tuple[InputSocket, ...]
    """In the order of the editor's sockets and of `widgets_values` in saved workflows: a public contract."""
    outputs: tuple[OutputSocket, ...]
    category: str
    display_name: str
    description: str = ""
    is_output: bool = False
    """Runs because someone wants its effect (a saved picture), not its outputs."""
    injected: Mapping[str, str] = field(default_factory=dict[str, str])
    """Parameter name -> name of the resource that the executor passes, for example {"progress": "Progress"}."""
    version: int = 1
    """Raised when the same inputs give a different result: old memos no longer match."""
    lane: Lane = "thread"
    input_is_list: bool = False
    python_module: str = "nodes"
    deprecated: bool = False
    experimental: bool = False
    search_aliases: tuple[str, ...] = ()

    def input(self, name: str) -> InputSocket | None:
        """The input socket called `name`, or None."""
        return next((socket for socket in self.inputs if socket.name == name), None)


@dataclass(frozen=True, slots=True)
class Result:
    """What one call of a node gave: a value for each output socket, and what an editor may show."""

    outputs: tuple[Any, ...] = ()
    ui: Mapping[str, Any] | None = None
    """JSON-ready, for example {"images": [{"filename": ..., "subfolder": ..., "type": "output"}]}."""


@dataclass(frozen=True, slots=True)
class NodeType:
    """A definition with its code."""

    definition: NodeDefinition
    call: Callable[..., Result | Awaitable[Result]]
    """Takes input and injected names as keywords. An input that was not given is left out."""
    fingerprint: Callable[..., str] | None = None
    """Digest of outside state (a file's content) that the literal inputs name; takes those inputs and the injected
    `Folders` it asks for, as keywords. Part of the signature. Raises ValueError with a sentence for the user."""


class InputError(ValueError):
    """Raised by a node whose input is unusable. Carries the input's name so that the editor can mark it."""

    def __init__(self, input_name: str, message: str) -> None:
        super().__init__(message)
        self.input_name = input_name


@dataclass(frozen=True, slots=True)
class Inject:
    """Marks a parameter that the executor fills; see `Injected`."""


Injected = Annotated[T, Inject()]
"""`progress: Injected[Progress]`: no socket; the executor passes the resource named like the type."""


@dataclass(frozen=True, slots=True)
class RunInfo:
    """What a node may know of the run around it (injected as `RunInfo`); never part of a signature."""

    prompt: Mapping[str, Any]
    """The wire prompt, as it is written into saved pictures."""
    extra_pnginfo: Mapping[str, Any]
    """Further text chunks for saved pictures, usually {"workflow": ...}."""
    node_id: str
