"""What a node type promises: the contract between the nodes, the executor and everyone who describes them.

A `NodeDefinition` is plain data and crosses process boundaries; `NodeType` pairs it with the code, which does not.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
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


class PackType(str):
    """A wire type of a node pack that compares itself in a way of its own, as wildcards of many packs do.

    Plain text to everyone but the check of links, which asks `original != other`. Becomes a plain str when it is
    pickled, since the pack's class is not known in other processes.
    """

    __slots__ = ("original",)
    original: str
    """The pack's own object, whose class may define `__eq__` and `__ne__`."""

    def __new__(cls, original: str) -> "PackType":
        made = super().__new__(cls, str.__str__(original))
        made.original = original
        return made

    def __reduce__(self) -> tuple[type[str], tuple[str]]:
        return str, (str.__str__(self),)


@dataclass(frozen=True, slots=True)
class FolderChoices:
    """Choices that are the files of a named folder at the time of asking, for example "checkpoints" or "input"."""

    folder: str
    listing: str = ""
    """What lists them, where there are others besides: see `Folders.list`."""

    @property
    def listed_by(self) -> str:
        """What `Folders.list` is asked for."""
        return self.listing or self.folder


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
    """Wire type: INT, FLOAT, STRING, BOOLEAN, COMBO, MODEL, ...; `*` fits all; `A,B` is a union. Or a `PackType`."""
    widget: Widget | None = None
    default: Any = MISSING
    required: bool = True
    """False: the node runs without it. A required input with a default may still be left out by a caller."""
    lazy: bool = False
    """What feeds it runs only if the node's `needs` asks for it."""
    raw_link: bool = False
    """A link is handed over as `[node id, output]` instead of the value."""
    tooltip: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Further wire options, passed through to clients unread."""


@dataclass(frozen=True, slots=True)
class OutputSocket:
    """One output; `is_list` means that the node returns a list of values for it."""

    name: str
    type: str
    is_list: bool = False
    tooltip: str | None = None
    matches: str | None = None
    """The template_id of the COMFY_MATCHTYPE_V3 inputs whose type this output has."""


HIDDEN: Final = ("PROMPT", "DYNPROMPT", "EXTRA_PNGINFO", "UNIQUE_ID", "AUTH_TOKEN_COMFY_ORG", "API_KEY_COMFY_ORG")
"""Resources that every node may ask for by these names, as ComfyUI's hidden inputs: the wire prompt (a dict),
`DynamicPrompt`, the text chunks for saved pictures, the node's id, and two credentials (None where there are none)."""

Lane = Literal["device", "thread", "loop"]
"""Where a node body runs: one at a time on the device, on any thread, or as a coroutine on the event loop."""


MOST_FURTHER_OUTPUTS: Final = 100
"""How many outputs a node may have beyond those that it declares, where it may have any."""


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
    """Parameter name -> name of the resource that the executor passes, for example {"progress": "Progress"}. The
    hidden inputs of the wire (`HIDDEN`) are resources too: {"prompt": "PROMPT"}."""
    version: int | str = 1
    """Changed when the same inputs give a different result: old memos no longer match."""
    lane: Lane = "thread"
    input_is_list: bool = False
    python_module: str = "nodes"
    deprecated: bool = False
    experimental: bool = False
    api_node: bool = False
    search_aliases: tuple[str, ...] = ()
    wording: Literal["V1", "V3"] = "V1"
    """How object_info words it: V3 puts hidden inputs into lists, and says also which marks a node does not have."""
    accepts: Literal["declared", "links", "any"] = "declared"
    """What beside the declared inputs it takes: nothing, links under any name, or literals under any name too."""
    per_id: bool = False
    """Its id is part of its signature: it asked for its id, or does not give the same result twice (NOT_IDEMPOTENT)."""
    checks: frozenset[str] | Literal["all"] = frozenset()
    """Inputs that its own `validate` looks at: their bounds and choices are not enforced by anyone else."""
    checks_types: bool = False
    """Its `validate` also judges what types are linked to it, so that nobody else does."""
    further_outputs: bool = False
    """Has outputs beyond the declared ones, which its code for the editor adds: of any type, some never filled."""

    def output(self, index: int) -> OutputSocket | None:
        """The output socket at an index, or None."""
        if 0 <= index < len(self.outputs):
            return self.outputs[index]
        return OutputSocket("*", "*") if 0 <= index < self.most_outputs else None

    @property
    def most_outputs(self) -> int:
        """How many outputs it may have."""
        return len(self.outputs) + (MOST_FURTHER_OUTPUTS if self.further_outputs else 0)

    def input(self, name: str) -> InputSocket | None:
        """The input socket called `name`, or None."""
        return next((socket for socket in self.inputs if socket.name == name), None)


@dataclass(frozen=True, slots=True)
class ExecutionBlocker:
    """Stands in an output for a value that there will not be: nodes that would read it are not called, and block their
    own outputs."""

    message: str | None = None
    """Told to the user at the first node that it stops; None stops silently."""


@dataclass(frozen=True, slots=True)
class Result:
    """What one call of a node gave: a value for each output socket, and what an editor may show."""

    outputs: tuple[Any, ...] = ()
    ui: Mapping[str, Any] | None = None
    """JSON-ready, for example {"images": [{"filename": ..., "subfolder": ..., "type": "output"}]}."""
    expand: Mapping[str, Any] | None = None
    """Nodes to run in this one's place, as a wire prompt; the ids must be new to the run, and an entry may also have
    `override_display_id`. Literals may be any Python value. With it, an output that looks like a link (`[id, slot]`)
    into these nodes is one."""


@dataclass(frozen=True, slots=True)
class NodeType:
    """A definition with its code."""

    definition: NodeDefinition
    call: Callable[..., Result | Awaitable[Result]]
    """Takes input and injected names as keywords. An input that was not given is left out."""
    fingerprint: Callable[..., str | Awaitable[str]] | None = None
    """Digest of outside state (a file's content) that the literal inputs name; takes those inputs and the injected
    `Folders` it asks for, as keywords. Part of the signature. Raises ValueError with a sentence for the user."""
    validate: Callable[..., Sequence[str] | Awaitable[Sequence[str]]] | None = None
    """Takes the literal inputs as keywords, and `input_types`: {input name: type of the linked output}. Returns what is
    wrong: "name" or "name - reason" for each bad input; nothing if all is well. An exception counts as one."""
    needs: Callable[..., Sequence[str] | Awaitable[Sequence[str]]] | None = None
    """check_lazy_status: takes the inputs and injected resources as `call` does, lazy ones that are not known yet as
    None (a list of one None with `input_is_list`), and returns the names of those it needs."""
    refresh: Callable[[], NodeDefinition] | None = None
    """The definition anew, for types whose choices depend on the outside in a way that no `FolderChoices` says."""


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
    saves_metadata: bool = True

    @property
    def metadata(self) -> dict[str, Any]:
        """What saved files say of how they were made: `prompt` and the keys of `extra_pnginfo`; nothing if the user
        wants it so."""
        return {"prompt": self.prompt, **self.extra_pnginfo} if self.saves_metadata else {}
