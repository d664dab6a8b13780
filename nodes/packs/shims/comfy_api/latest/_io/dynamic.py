"""Types whose inputs depend on values or links: unions, types that follow a link, growing lists, unfolding choices.

How a prompt names what is inside of them is the executor's business (`mode.width`, `images.image0`).
"""

import copy
from collections.abc import Sequence
from typing import Any

from comfy_api.latest._io.plain import AnyType
from comfy_api.latest._io.sockets import (
    ComfyType,
    ComfyTypeI,
    ComfyTypeIO,
    WidgetInput,
    Wire,
    comfytype,
    described,
)
from comfy_api.latest._io.sockets import Input as PlainInput
from comfy_api.latest._io.sockets import Output as PlainOutput


class DynamicInput(PlainInput):
    """An input that brings others with it."""

    def inside(self) -> list[PlainInput]:
        """Those that it may bring, of which a prompt has some under dotted names."""
        return []

    def get_all(self) -> list[PlainInput]:
        """This input, and those that it may bring."""
        return [self, *(one for inner in self.inside() for one in inner.get_all())]

    def validate(self) -> None:
        """Raise ValueError if the declaration, or one inside, makes no sense."""
        super().validate()
        for inner in self.inside():
            inner.validate()


@comfytype("COMFY_MULTITYPED_V3")
class MultiType(ComfyTypeI):
    """Any of several types."""

    class Input(PlainInput):
        """Takes each of `types`. With an input in place of the id, that one's widget and type too."""

        def __init__(
            self,
            id: str | PlainInput,
            types: Sequence[type[ComfyType]],
            display_name: str | None = None,
            optional: bool = False,
            tooltip: str | None = None,
            lazy: bool | None = None,
            **more: Any,
        ) -> None:
            self.own = None if isinstance(id, str) else copy.copy(id)
            if isinstance(self.own, WidgetInput):
                self.own.widget_type = self.own.get_io_type()
            if self.own is not None:
                optional = optional or self.own.optional
            super().__init__(self.own.id if self.own else str(id), display_name, optional, tooltip, lazy, **more)
            self.types = list(types)

        @property
        def io_types(self) -> list[type[ComfyType]]:
            """The types, the widget's first."""
            return [*([self.own.Parent] if self.own else []), *self.types]

        def get_io_type(self) -> str:
            """All of them with commas, each once."""
            return union_of(self.io_types)

        def as_dict(self) -> Wire:
            """The options of this input in `/object_info`."""
            return (self.own.as_dict() if self.own else {}) | super().as_dict()


@comfytype("COMFY_MATCHTYPE_V3")
class MatchType(ComfyTypeIO):
    """The type of whatever is linked: the same for all inputs and outputs with one template."""

    class Template:
        """A type to be found out, by name."""

        def __init__(
            self, template_id: str, allowed_types: Sequence[type[ComfyType]] | type[ComfyType] = AnyType
        ) -> None:
            self.template_id = template_id
            allowed = [allowed_types] if isinstance(allowed_types, type) else list(allowed_types)
            if not template_id or not allowed:
                raise ValueError("A MatchType template needs an id and at least one allowed type.")
            self.allowed_types = allowed

        def as_dict(self) -> Wire:
            """As on the wire."""
            return {"template_id": self.template_id, "allowed_types": union_of(self.allowed_types)}

    class Input(DynamicInput):
        """Takes any allowed type, but the same as its fellows."""

        def __init__(
            self,
            id: str,
            template: "MatchType.Template",
            display_name: str | None = None,
            optional: bool = False,
            tooltip: str | None = None,
            lazy: bool | None = None,
            **more: Any,
        ) -> None:
            super().__init__(id, display_name, optional, tooltip, lazy, **more)
            self.template = template

        def as_dict(self) -> Wire:
            """The options of this input in `/object_info`."""
            return super().as_dict() | {"template": self.template.as_dict()}

    class Output(PlainOutput):
        """Has the type that its inputs have."""

        def __init__(
            self,
            template: "MatchType.Template",
            id: str | None = None,
            display_name: str | None = None,
            tooltip: str | None = None,
            is_output_list: bool = False,
        ) -> None:
            super().__init__(id, display_name, tooltip, is_output_list)
            self.template = template


@comfytype("COMFY_AUTOGROW_V3")
class Autogrow(ComfyTypeI):
    """Inputs that there is always one more of. The node gets a dictionary of those that were given."""

    Type = dict[str, Any]

    class Template:
        """What grows; one of the two below."""

        def __init__(self, input: PlainInput, min: int) -> None:
            if isinstance(input, DynamicInput):
                raise ValueError(f"'{input.id}' cannot grow: a {input.io_type} input has inputs of its own.")
            self.input = copy.copy(input)
            self.min = min

        def as_dict(self) -> Wire:
            """As on the wire."""
            return {"input": described([self.input])}

        def names(self) -> list[str]:
            """All names that there may be, in order."""
            return []

    class TemplatePrefix(Template):
        """Inputs called by a prefix and a number from 0."""

        def __init__(self, input: PlainInput, prefix: str, min: int = 1, max: int = 10) -> None:
            super().__init__(input, min)
            if not prefix or not 0 <= min <= max or not 1 <= max <= MOST_GROWN:
                raise ValueError(
                    f"Growing inputs '{prefix}' need a prefix and 0 <= min <= max, from 1 to {MOST_GROWN} at most."
                )
            self.prefix = prefix
            self.max = max

        def as_dict(self) -> Wire:
            """As on the wire."""
            return super().as_dict() | {"prefix": self.prefix, "min": self.min, "max": self.max}

        def names(self) -> list[str]:
            """All names that there may be, in order."""
            return [f"{self.prefix}{number}" for number in range(self.max)]

    class TemplateNames(Template):
        """Inputs called by the names of a list."""

        def __init__(self, input: PlainInput, names: Sequence[str], min: int = 1) -> None:
            super().__init__(input, min)
            if not 1 <= len(names) <= MOST_GROWN or len(set(names)) < len(names):
                raise ValueError(f"Growing inputs need 1 to {MOST_GROWN} different names.")
            self.listed = list(names)

        def as_dict(self) -> Wire:
            """As on the wire."""
            return super().as_dict() | {"names": self.listed, "min": self.min}

        def names(self) -> list[str]:
            """All names that there may be, in order."""
            return self.listed

    class Input(DynamicInput):
        """The place where they grow."""

        def __init__(
            self,
            id: str,
            template: "Autogrow.Template",
            display_name: str | None = None,
            optional: bool = False,
            tooltip: str | None = None,
            lazy: bool | None = None,
            **more: Any,
        ) -> None:
            super().__init__(id, display_name, optional, tooltip, lazy, **more)
            self.template = template

        def inside(self) -> list[PlainInput]:
            """What grows."""
            return [self.template.input]

        def as_dict(self) -> Wire:
            """The options of this input in `/object_info`."""
            return super().as_dict() | {"template": self.template.as_dict()}


@comfytype("COMFY_DYNAMICCOMBO_V3")
class DynamicCombo(ComfyTypeI):
    """A choice, each with inputs of its own. The node gets a dictionary of the choice and their values."""

    Type = dict[str, Any]

    class Option:
        """One choice and its inputs."""

        def __init__(self, key: str, inputs: Sequence[PlainInput]) -> None:
            self.key = key
            self.inputs = list(inputs)

        def as_dict(self) -> Wire:
            """As on the wire."""
            return {"key": self.key, "inputs": described(self.inputs)}

    class Input(DynamicInput):
        """The list to choose from."""

        def __init__(
            self,
            id: str,
            options: "Sequence[DynamicCombo.Option]",
            display_name: str | None = None,
            optional: bool = False,
            tooltip: str | None = None,
            lazy: bool | None = None,
            **more: Any,
        ) -> None:
            super().__init__(id, display_name, optional, tooltip, lazy, **more)
            self.options = list(options)

        def inside(self) -> list[PlainInput]:
            """Those of all choices."""
            return [one for option in self.options for one in option.inputs]

        def as_dict(self) -> Wire:
            """The options of this input in `/object_info`."""
            return super().as_dict() | {"options": [option.as_dict() for option in self.options]}


@comfytype("COMFY_DYNAMICSLOT_V3")
class DynamicSlot(ComfyTypeI):
    """A link that brings inputs with it. The node gets a dictionary of its value and theirs."""

    Type = dict[str, Any]

    class Input(DynamicInput):
        """The socket for the link; it is called as `slot` is."""

        def __init__(
            self,
            slot: PlainInput,
            inputs: Sequence[PlainInput],
            display_name: str | None = None,
            tooltip: str | None = None,
            lazy: bool | None = None,
            **more: Any,
        ) -> None:
            if isinstance(slot, DynamicInput):
                raise ValueError(f"'{slot.id}' cannot be a slot: a {slot.io_type} input has inputs of its own.")
            super().__init__(slot.id, display_name or slot.display_name, True, tooltip or slot.tooltip, lazy, **more)
            self.slot = copy.copy(slot)
            self.inputs = list(inputs)

        def inside(self) -> list[PlainInput]:
            """What a link brings."""
            return self.inputs

        def as_dict(self) -> Wire:
            """The options of this input in `/object_info`."""
            forced = {"forceInput": True} if isinstance(self.slot, WidgetInput) else {}
            slot = {"slotType": self.slot.get_io_type(), "inputs": described(self.inputs)}
            return super().as_dict() | slot | forced


MOST_GROWN = 100
"""As many inputs as one list may have."""


def union_of(types: Sequence[type[ComfyType]]) -> str:
    """Their names with commas, each once, in order."""
    return ",".join(dict.fromkeys(one.io_type for one in types))
