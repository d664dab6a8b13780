"""What a V1 class is asked beside its function: IS_CHANGED, VALIDATE_INPUTS and check_lazy_status.

Each becomes the question of the same meaning on a `NodeType`; None where the class does not answer it.
"""

import inspect
import json
import logging
import math
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import PurePath
from typing import Any, Literal

from executor.context import executing
from executor.schema import NodeDefinition
from nodes.packs.calling import call_code

log = logging.getLogger(__name__)

LINK_TYPES = "input_types"
"""The parameter of VALIDATE_INPUTS that gets the types of what is linked."""

Checks = frozenset[str] | Literal["all"]


def checks(cls: type, names: Sequence[str]) -> tuple[Checks, bool]:
    """Which inputs its VALIDATE_INPUTS looks at, and whether it judges the types of links too."""
    function = getattr(cls, "VALIDATE_INPUTS", None)
    if not callable(function):
        return frozenset(), False
    parameters = inspect.signature(function).parameters
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        return "all", LINK_TYPES in parameters
    return frozenset(name for name in names if name in parameters), LINK_TYPES in parameters


def validation(cls: type, definition: NodeDefinition) -> Callable[..., Sequence[str] | Awaitable[Sequence[str]]] | None:
    """VALIDATE_INPUTS: what it says against the node is said of each input that it was shown."""
    function = getattr(cls, "VALIDATE_INPUTS", None)
    if not callable(function):
        return None
    parameters = inspect.signature(function).parameters
    wanted = [name for name in parameters if name != LINK_TYPES]
    everything = definition.checks == "all"

    def validate(**given: Any) -> Sequence[str] | Awaitable[Sequence[str]]:
        link_types: Mapping[str, str] = given.pop(LINK_TYPES, {})
        known = {**_hidden(definition), **given, **dict.fromkeys(link_types)}
        shown = known if everything else {name: known[name] for name in wanted if name in known}
        # One that was left out is None too, rather than a complaint about an argument that no user gave.
        shown |= dict.fromkeys(_unanswered(parameters, {*shown, LINK_TYPES}))
        blamed = [name for name in shown if name not in definition.injected]
        if not blamed and LINK_TYPES in parameters:
            blamed = list(link_types)  # it was shown nothing else
        arguments = _listed(definition, shown)
        if LINK_TYPES in parameters:
            arguments[LINK_TYPES] = link_types
        return call_code(function, arguments, lambda verdict: _complaints(verdict, blamed))

    return validate


def fingerprinting(cls: type, definition: NodeDefinition) -> Callable[..., str | Awaitable[str]] | None:
    """IS_CHANGED: it sees literals only; what is linked is None. Where it fails, the node is never the same."""
    function = getattr(cls, "IS_CHANGED", None)
    if not callable(function):
        return None
    required = [socket.name for socket in definition.inputs if socket.required]

    def fingerprint(**given: Any) -> str | Awaitable[str]:
        known = {**dict.fromkeys(required), **_hidden(definition), **given}
        try:
            known |= dict.fromkeys(_unanswered(inspect.signature(function).parameters, known))
            answer = call_code(function, _listed(definition, known), _digest)
        except Exception as error:  # noqa: BLE001 - the pack's code; its failure must not cost the run
            return _never(definition, error)
        return answer if isinstance(answer, str) else later(answer)

    async def later(answer: Awaitable[str]) -> str:
        try:
            return await answer
        except Exception as error:  # noqa: BLE001 - as above
            return _never(definition, error)

    parameters = inspect.signature(fingerprint).parameters.values()
    own_id = [name for name, resource in definition.injected.items() if resource == "UNIQUE_ID"]
    asking = [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY) for name in own_id]
    # Resources are given to those who name them.
    setattr(fingerprint, "__signature__", inspect.Signature([*asking, *parameters]))  # noqa: B010
    return fingerprint


def names_of(answer: Any) -> tuple[str, ...]:
    """What check_lazy_status returned, as names."""
    if answer is None:
        return ()
    return (answer,) if isinstance(answer, str) else tuple(str(name) for name in answer)


def _hidden(definition: NodeDefinition) -> dict[str, Any]:
    """The hidden inputs as they are before a run: of all of them, only the node's id is known."""
    context = executing.get()
    known: Mapping[str, Any] = {"PROMPT": {}, "UNIQUE_ID": context.node_id if context else None}
    return {name: known.get(resource) for name, resource in definition.injected.items()}


def _unanswered(parameters: Mapping[str, inspect.Parameter], known: Any) -> list[str]:
    """Parameters that must be given and are not."""
    return [
        name
        for name, parameter in parameters.items()
        if parameter.default is parameter.empty
        and parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
        and name not in known
    ]


def _listed(definition: NodeDefinition, arguments: Mapping[str, Any]) -> dict[str, Any]:
    return {name: [value] if definition.input_is_list else value for name, value in arguments.items()}


def _complaints(verdict: Any, blamed: Sequence[str]) -> list[str]:
    if verdict is True:
        return []
    return [f"{name} - {verdict}" if isinstance(verdict, str) else name for name in blamed]


def _digest(answer: Any) -> str:
    """The same text for the same answer; a new one each time for NaN, and for objects that cannot be compared."""
    try:
        return json.dumps(_comparable(answer), sort_keys=True)
    except (TypeError, ValueError, RecursionError):
        return _new()


def _comparable(value: Any) -> Any:
    match value:
        case None | bool() | str():
            return value
        case int() | float():
            if isinstance(value, float) and math.isnan(value):
                raise ValueError("NaN")
            return [type(value).__name__, repr(value)]
        case bytes():
            return ["bytes", value.hex()]
        case PurePath():
            return ["path", str(value)]
        case list() | tuple():
            return ["list", *map(_comparable, value)]
        case set() | frozenset():
            return ["set", *sorted(json.dumps(_comparable(item), sort_keys=True) for item in value)]
        case Mapping():
            return {json.dumps(_comparable(key)): _comparable(item) for key, item in value.items()}
    raise TypeError(type(value).__name__)


def _never(definition: NodeDefinition, error: Exception) -> str:
    log.warning(
        "IS_CHANGED of %s (%s) failed, so it runs every time: %s: %s",
        definition.class_type, definition.python_module, type(error).__name__, error,
    )  # fmt: skip
    return _new()


def _new() -> str:
    return f"never the same {uuid.uuid4().hex}"
