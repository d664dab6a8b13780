"""`@node`: a typed keyword-only function becomes a `NodeType`; `collect` gathers those of some modules.

The signature is the schema: parameter order, types, defaults and widgets come from it, outputs from the return
annotation, the description from the docstring. There is no registry; importing a module of nodes changes nothing
elsewhere. Whoever writes a node finds all that he needs here and in `nodes.types`. It knows nothing of the wire.

| a node that | says |
| --- | --- |
| takes whole lists (INPUT_IS_LIST) | `images: list[Image]`; a plain parameter beside it takes one value |
| gives a list (OUTPUT_IS_LIST) | `-> list[Image]` |
| may do without an input | `mask: Mask | None = None` |
| waits with an input | `on_true: Lazy[Image]`, and `needs=` (check_lazy_status) |
| takes one of several types, or any | `Image | Mask`, `AnyValue` |
| has inputs and outputs of one type | a type variable (MatchType) |
| has sockets that grow | `Annotated[Mapping[str, Image], Autogrow("image")]` |
| has inputs that depend on a choice | `Crop | Pad`, dataclasses with a `key` (DynamicCombo) |
| takes inputs under any name | `**inputs: AnyValue` |
| wants to know of its run | `Injected[...]` of RunInfo, Progress, DynamicPrompt, Folders, UniqueId |
| expands, blocks, shows | returns `Expanded`, `ExecutionBlocker`, `Shown`, and says so: `-> Image | Expanded` |
"""

import inspect
from collections.abc import Awaitable, Callable
from types import FunctionType, ModuleType
from typing import Any, Literal, TypeVar

from executor.schema import ExecutionBlocker, Injected, Lane, NodeDefinition, NodeType
from nodes.declare_outputs import Shown
from nodes.declare_signature import Names, asking, read_signature
from nodes.expansion import Expanded, SubGraph
from nodes.marks import ApiKey, AuthToken, Autogrow, Lazy, RawLink, Socket, Tooltip, UniqueId

__all__ = [
    "ApiKey",
    "AuthToken",
    "Autogrow",
    "ExecutionBlocker",
    "Expanded",
    "Injected",
    "Lazy",
    "RawLink",
    "Shown",
    "Socket",
    "SubGraph",
    "Tooltip",
    "UniqueId",
    "collect",
    "node",
]

F = TypeVar("F", bound=Callable[..., Any])


def node(
    class_type: str,
    *,
    category: str,
    display_name: str | None = None,
    is_output: bool = False,
    fingerprint: Callable[..., str | Awaitable[str]] | None = None,
    validate: Callable[..., Names | Awaitable[Names]] | None = None,
    needs: Callable[..., Names | Awaitable[Names]] | None = None,
    version: int = 1,
    lane: Lane | None = None,
    per_id: bool = False,
    deprecated: bool = False,
    experimental: bool = False,
    search_aliases: tuple[str, ...] = (),
) -> Callable[[F], F]:
    """Declare the decorated function as a node type. The function stays as it is and gets a `node_type` attribute.

    The three functions take, by name, the inputs that they look at. `fingerprint` and `validate` know literals only;
    `validate` returns complaints ("steps - must be even"), is responsible for the bounds and choices of what it names,
    and with a parameter `input_types` for the types of links. `needs` returns the names of the lazy inputs to wait for.
    `per_id`: two of them with the same inputs are not the same (NOT_IDEMPOTENT).

    Raises TypeError at declaration if a parameter is positional, or has a type that no socket carries.
    """

    def declare(function: F) -> F:
        signature = read_signature(class_type, function)
        sockets = tuple(one.socket for one in signature.inputs.values())
        if needs is None and any(socket.lazy for socket in sockets):
            raise TypeError(f"{class_type} has lazy inputs, so it must say which of them it waits for: needs=...")
        checks, checks_types = _checks(validate)
        definition = NodeDefinition(
            class_type=class_type,
            inputs=sockets,
            outputs=signature.outputs.sockets,
            category=category,
            display_name=display_name or class_type,
            description=inspect.getdoc(function) or "",
            is_output=is_output,
            injected=signature.injected,
            version=version,
            lane=lane or ("loop" if inspect.iscoroutinefunction(function) else "thread"),
            input_is_list=signature.takes_lists,
            deprecated=deprecated,
            experimental=experimental,
            search_aliases=search_aliases,
            accepts=signature.accepts,
            per_id=per_id or "UNIQUE_ID" in signature.injected.values(),
            checks=checks,
            checks_types=checks_types,
        )
        asks = (validate and asking(validate, signature.nested), needs and asking(needs, signature.received))
        setattr(function, "node_type", NodeType(definition, signature.call(function), fingerprint, *asks))  # noqa: B010
        return function

    return declare


def collect(*modules: ModuleType) -> dict[str, NodeType]:
    """Class type -> node type of every node function that the modules define. Raises ValueError on a duplicate."""
    collected: dict[str, NodeType] = {}
    for module in modules:
        for value in list(vars(module).values()):
            # Functions only: other objects of packs may answer to every name, or fail when they are asked.
            node_type = getattr(value, "node_type", None) if isinstance(value, FunctionType) else None
            if not isinstance(node_type, NodeType) or value.__module__ != module.__name__:
                continue
            class_type = node_type.definition.class_type
            if class_type in collected:
                raise ValueError(f"Two nodes are called {class_type}; the second is in {module.__name__}.")
            collected[class_type] = node_type
    return collected


def _checks(validate: Callable[..., Any] | None) -> tuple[frozenset[str] | Literal["all"], bool]:
    """The inputs that a node's own validation is responsible for, and whether it is for the types of links too."""
    parameters = inspect.signature(validate).parameters if validate else {}
    takes_all = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
    return "all" if takes_all else frozenset(parameters) - {"input_types"}, "input_types" in parameters
