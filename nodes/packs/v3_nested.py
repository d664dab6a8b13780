"""Inputs of V3 nodes whose values are dictionaries of what was given to the inputs inside of them.

The executor decides what is inside (`executor.dynamic`); this only finds the values again, because some of them are
dictionaries too.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from executor.schema import NodeDefinition

_COMBO, _SLOT, _GROWING = "COMFY_DYNAMICCOMBO_V3", "COMFY_DYNAMICSLOT_V3", "COMFY_AUTOGROW_V3"
NESTED: Final = frozenset({_COMBO, _SLOT, _GROWING})


@dataclass(frozen=True, slots=True)
class Nested:
    """One such input, as `/object_info` describes it."""

    name: str
    type: str
    options: Mapping[str, Any]

    def mapped(self, value: Any, change: Callable[[str, Any], Any], path: str | None = None) -> Any:
        """`value` with all that was given replaced by `change(dotted name, given)`."""
        path = path or self.name
        if not isinstance(value, Mapping):
            return change(path, value)
        inner = {nested.name: nested for nested in self._inside(value)}
        mapped = {}
        for name, given in value.items():
            if name == self.name and self.type != _GROWING:  # the choice, or the slot's own value
                mapped[name] = change(path, given)
            elif name in inner:
                mapped[name] = inner[name].mapped(given, change, f"{path}.{name}")
            else:
                mapped[name] = change(f"{path}.{name}", given)
        return mapped

    def _inside(self, value: Mapping[str, Any]) -> "Iterator[Nested]":
        """The inputs inside, given the choice, that have inputs of their own."""
        groups: Any = self.options.get("inputs")
        if self.type == _COMBO:
            chosen = value.get(self.name)
            key = str(chosen[0] if isinstance(chosen, list) and chosen else chosen)
            groups = next((one["inputs"] for one in self.options["options"] if str(one["key"]) == key), None)
        for group in (groups or {}).values():
            for name, (kind, *told) in group.items():
                if kind in NESTED:
                    yield Nested(name, kind, told[0] if told else {})


def nested_inputs(definition: NodeDefinition) -> dict[str, Nested]:
    """Those of a node, by name."""
    return {
        socket.name: Nested(socket.name, socket.type, socket.options)
        for socket in definition.inputs
        if socket.type in NESTED
    }
