"""The signature of a node function, read once: what `declare` makes a definition of, and how the function is called."""

import inspect
import typing
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from executor.schema import MISSING, Inject, Result
from nodes.declare_inputs import Input, only, read_annotation, read_input, received
from nodes.declare_outputs import Outputs, read_outputs
from nodes.marks import Hidden

Names = Iterable[str]
_NONE = inspect.Parameter.empty


@dataclass(slots=True)
class Signature:
    """What a node function takes and gives."""

    outputs: Outputs
    inputs: dict[str, Input] = field(default_factory=dict[str, Input])
    injected: dict[str, str] = field(default_factory=dict[str, str])
    more: Input | None = None
    """Of `**inputs`."""

    @property
    def takes_lists(self) -> bool:
        return any(one.is_list for one in (*self.inputs.values(), self.more) if one)

    @property
    def accepts(self) -> typing.Literal["declared", "links", "any"]:
        if self.more is None:
            return "declared"
        return "any" if self.more.socket.widget or self.more.socket.type == "*" else "links"

    def nested(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Literals, of which a node of lists has none yet, as the function was promised them."""
        return received(self.inputs, given)

    def received(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Arguments of a call as the function was promised them."""
        if not self.takes_lists:
            return self.nested(given)
        lists = {name for name, one in self.inputs.items() if one.is_list} | set(self.injected)
        if self.more and self.more.is_list:
            lists |= given.keys() - self.inputs.keys()
        return {name: value if name in lists else only(name)(value) for name, value in given.items()}

    def call(self, function: Callable[..., Any]) -> Callable[..., Result | Awaitable[Result]]:
        """The function with its return value as a `Result`; a coroutine function stays one."""
        if inspect.iscoroutinefunction(function):

            async def call_later(**given: Any) -> Result:
                return self.outputs.result(await function(**self.received(given)))

            return call_later

        def call(**given: Any) -> Result:
            return self.outputs.result(function(**self.received(given)))

        return call


def read_signature(class_type: str, function: Callable[..., Any]) -> Signature:
    """Read it. Raises TypeError, with a sentence that names the node and the parameter, for what no node can have."""
    hints = typing.get_type_hints(function, include_extras=True)
    try:
        signature = Signature(read_outputs(hints.pop("return", None)))
    except TypeError as error:
        raise TypeError(f"{class_type}: the result {error}") from None
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind not in (parameter.KEYWORD_ONLY, parameter.VAR_KEYWORD):
            raise TypeError(f"{class_type}: parameter '{name}' must be keyword-only.")
        resource = _injected(hints.get(name))
        if resource:
            signature.injected[name] = resource
            continue
        try:
            default = MISSING if parameter.default is parameter.empty else parameter.default
            read = read_input(name, hints.get(name), default)
        except TypeError as error:
            raise TypeError(f"{class_type}: parameter '{name}' {error}") from None
        if parameter.kind is parameter.VAR_KEYWORD:
            signature.more = read
        else:
            signature.inputs[name] = read
    for name, one in signature.inputs.items():
        if signature.takes_lists and one.wire.receive:
            raise TypeError(f"{class_type}: parameter '{name}' changes its sockets, which a node of lists cannot.")
    return signature


def asking(
    function: Callable[..., Names | Awaitable[Names]], receive: Callable[[Mapping[str, Any]], Mapping[str, Any]]
) -> Callable[..., tuple[str, ...] | Awaitable[tuple[str, ...]]]:
    """The function, given of all arguments those that it names; None where there is none."""
    parameters = inspect.signature(function).parameters.values()
    takes_all = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters)
    named = {one.name: one.default for one in parameters if one.kind is not one.VAR_KEYWORD}

    def ask(**given: Any) -> tuple[str, ...] | Awaitable[tuple[str, ...]]:
        known = receive(given)
        arguments = {name: known.get(name, None if default is _NONE else default) for name, default in named.items()}
        if takes_all:
            arguments = {name: value for name, value in known.items() if name != "input_types"} | arguments
        answer = function(**arguments)
        return _later(answer) if isinstance(answer, Awaitable) else tuple(answer)

    return ask


def _injected(hint: Any) -> str | None:
    annotation = read_annotation(hint, ())
    if annotation.note(Inject) is None:
        return None
    hidden = annotation.note(Hidden)
    return hidden.word if hidden else str(annotation.kind.__name__)


async def _later(answer: Awaitable[Names]) -> tuple[str, ...]:
    return tuple(await answer)
