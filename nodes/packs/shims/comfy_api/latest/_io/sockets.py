"""What inputs, outputs and their types are made of, and how an input reads in `/object_info`. Knows no single type."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar, TypeVar

Wire = dict[str, Any]
T = TypeVar("T", bound="ComfyType")


class ComfyType:
    """A type of values on links. `io_type` is its name on the wire, `Type` the Python type of the values."""

    Type: Any = Any
    io_type: str = "*"


class Input:
    """An input that only a link can feed."""

    Parent: ClassVar[type[ComfyType]] = ComfyType

    def __init__(
        self,
        id: str,
        display_name: str | None = None,
        optional: bool = False,
        tooltip: str | None = None,
        lazy: bool | None = None,
        extra_dict: Mapping[str, Any] | None = None,
        raw_link: bool | None = None,
        advanced: bool | None = None,
    ) -> None:
        self.id = id
        self.display_name = display_name
        self.optional = optional
        self.tooltip = tooltip
        self.lazy = lazy
        self.extra_dict = dict(extra_dict or {})
        self.rawLink = raw_link
        self.advanced = advanced

    @property
    def io_type(self) -> str:
        """The type's name on the wire."""
        return self.get_io_type()

    def get_io_type(self) -> str:
        """The type's name on the wire."""
        return self.Parent.io_type

    def as_dict(self) -> Wire:
        """The options of this input in `/object_info`."""
        told = {
            "display_name": self.display_name,
            "tooltip": self.tooltip,
            "lazy": self.lazy,
            "rawLink": self.rawLink,
            "advanced": self.advanced,
        }
        return said(told) | self.extra_dict

    def get_all(self) -> "list[Input]":
        """This input, and those that it brings with it."""
        return [self]

    def validate(self) -> None:
        """Raise ValueError if the declaration makes no sense."""
        if not isinstance(self.id, str) or not self.id:
            raise ValueError(f"An input of type {self.io_type} has no id.")


class WidgetInput(Input):
    """An input that has a value of its own where no link feeds it."""

    def __init__(
        self,
        id: str,
        display_name: str | None = None,
        optional: bool = False,
        tooltip: str | None = None,
        lazy: bool | None = None,
        default: Any = None,
        socketless: bool | None = None,
        widget_type: str | None = None,
        force_input: bool | None = None,
        extra_dict: Mapping[str, Any] | None = None,
        raw_link: bool | None = None,
        advanced: bool | None = None,
    ) -> None:
        super().__init__(id, display_name, optional, tooltip, lazy, extra_dict, raw_link, advanced)
        self.default = default
        self.socketless = socketless
        self.widget_type = widget_type
        self.force_input = force_input

    def as_dict(self) -> Wire:
        """The options of this input in `/object_info`."""
        told = {
            "default": self.default,
            "socketless": self.socketless,
            "widgetType": self.widget_type,
            "forceInput": self.force_input,
        }
        return super().as_dict() | said(told) | self.extra_dict


class Output:
    """An output. Without an id it gets one from its place and type."""

    Parent: ClassVar[type[ComfyType]] = ComfyType

    def __init__(
        self,
        id: str | None = None,
        display_name: str | None = None,
        tooltip: str | None = None,
        is_output_list: bool = False,
    ) -> None:
        self.id = id
        self.display_name = display_name
        self.tooltip = tooltip
        self.is_output_list = is_output_list

    @property
    def io_type(self) -> str:
        """The type's name on the wire."""
        return self.get_io_type()

    def get_io_type(self) -> str:
        """The type's name on the wire."""
        return self.Parent.io_type


class ComfyTypeI(ComfyType):
    """A type that only inputs have."""

    Input: ClassVar[type[Any]] = Input


class ComfyTypeIO(ComfyTypeI):
    """A type that inputs and outputs have."""

    Output: ClassVar[type[Any]] = Output


def comfytype(io_type: str) -> Callable[[type[T]], type[T]]:
    """Name the decorated type on the wire, and tell its `Input` and `Output` whose they are."""

    def named(cls: type[T]) -> type[T]:
        cls.io_type = io_type
        for name in ("Input", "Output"):
            socket = getattr(cls, name, None)
            if not isinstance(socket, type):
                continue
            if name not in vars(cls) or "Parent" in vars(socket):  # another type's, which must stay that one's
                socket = type(name, (socket,), {"__module__": cls.__module__, "__doc__": socket.__doc__})
            socket.Parent = cls  # type: ignore[attr-defined]
            setattr(cls, name, socket)
        return cls

    return named


def carried(name: str, io_type: str, python_type: Any = Any) -> type[ComfyTypeIO]:
    """A type without a widget, called `name` in Python."""
    return comfytype(io_type)(type(name, (ComfyTypeIO,), {"Type": python_type, "__module__": __name__}))


def Custom(io_type: str) -> type[ComfyTypeIO]:  # noqa: N802 - reads as a type where packs use it
    """The type of that name on the wire, for values that only the pack knows."""
    return carried(io_type, io_type)


def described(inputs: Iterable[Input]) -> dict[str, Wire]:
    """The inputs in the groups of `/object_info`: {"required": {id: [type, options]}, "optional": ...}."""
    groups: dict[str, Wire] = {"required": {}}
    for one in inputs:
        group = groups.setdefault("optional" if one.optional else "required", {})
        group[one.id] = [one.get_io_type(), one.as_dict()]
    return groups


def said(options: Mapping[str, Any]) -> Wire:
    """Without what was left unsaid."""
    return {name: value for name, value in options.items() if value is not None}
