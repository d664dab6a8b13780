"""The types that have a widget: truth values, numbers, texts, choices and colours."""

from collections.abc import Sequence
from enum import Enum
from typing import Any

from comfy_api.latest._io.choices import ControlAfterGenerate, FolderType, NumberDisplay, RemoteOptions, UploadType
from comfy_api.latest._io.sockets import (
    ComfyTypeI,
    ComfyTypeIO,
    WidgetInput,
    Wire,
    comfytype,
    said,
)
from comfy_api.latest._io.sockets import (
    Output as PlainOutput,
)


@comfytype("BOOLEAN")
class Boolean(ComfyTypeIO):
    """True or false."""

    Type = bool

    class Input(WidgetInput):
        """A toggle."""

        def __init__(
            self,
            id: str,
            display_name: str | None = None,
            optional: bool = False,
            tooltip: str | None = None,
            lazy: bool | None = None,
            default: bool | None = None,
            label_on: str | None = None,
            label_off: str | None = None,
            **more: Any,
        ) -> None:
            super().__init__(id, display_name, optional, tooltip, lazy, default, **more)
            self.label_on = label_on
            self.label_off = label_off

        def as_dict(self) -> Wire:
            """The options of this input in `/object_info`."""
            return super().as_dict() | said({"label_on": self.label_on, "label_off": self.label_off}) | self.extra_dict


class NumberInput(WidgetInput):
    """A number within bounds."""

    def __init__(
        self,
        id: str,
        display_name: str | None = None,
        optional: bool = False,
        tooltip: str | None = None,
        lazy: bool | None = None,
        default: float | None = None,
        min: float | None = None,
        max: float | None = None,
        step: float | None = None,
        display_mode: NumberDisplay | str | None = None,
        **more: Any,
    ) -> None:
        super().__init__(id, display_name, optional, tooltip, lazy, default, **more)
        self.min = min
        self.max = max
        self.step = step
        self.display_mode = display_mode

    def as_dict(self) -> Wire:
        """The options of this input in `/object_info`."""
        display = self.display_mode.value if isinstance(self.display_mode, Enum) else self.display_mode
        told = {"min": self.min, "max": self.max, "step": self.step, "display": display}
        return super().as_dict() | said(told) | self.extra_dict


@comfytype("INT")
class Int(ComfyTypeIO):
    """A whole number."""

    Type = int

    class Input(NumberInput):
        """A number field without a fraction."""

        def __init__(
            self,
            id: str,
            display_name: str | None = None,
            optional: bool = False,
            tooltip: str | None = None,
            lazy: bool | None = None,
            default: int | None = None,
            min: int | None = None,
            max: int | None = None,
            step: int | None = None,
            control_after_generate: bool | ControlAfterGenerate | None = None,
            display_mode: NumberDisplay | str | None = None,
            **more: Any,
        ) -> None:
            super().__init__(id, display_name, optional, tooltip, lazy, default, min, max, step, display_mode, **more)
            self.control_after_generate = control_after_generate

        def as_dict(self) -> Wire:
            """The options of this input in `/object_info`."""
            control = {"control_after_generate": worded(self.control_after_generate)}
            return super().as_dict() | said(control) | self.extra_dict


@comfytype("FLOAT")
class Float(ComfyTypeIO):
    """A number."""

    Type = float

    class Input(NumberInput):
        """A number field with a fraction."""

        def __init__(
            self,
            id: str,
            display_name: str | None = None,
            optional: bool = False,
            tooltip: str | None = None,
            lazy: bool | None = None,
            default: float | None = None,
            min: float | None = None,
            max: float | None = None,
            step: float | None = None,
            round: float | bool | None = None,
            display_mode: NumberDisplay | str | None = None,
            **more: Any,
        ) -> None:
            super().__init__(id, display_name, optional, tooltip, lazy, default, min, max, step, display_mode, **more)
            self.round = round

        def as_dict(self) -> Wire:
            """The options of this input in `/object_info`."""
            return super().as_dict() | said({"round": self.round}) | self.extra_dict


@comfytype("STRING")
class String(ComfyTypeIO):
    """A text."""

    Type = str

    class Input(WidgetInput):
        """A text field."""

        def __init__(
            self,
            id: str,
            display_name: str | None = None,
            optional: bool = False,
            tooltip: str | None = None,
            lazy: bool | None = None,
            multiline: bool = False,
            placeholder: str | None = None,
            default: str | None = None,
            dynamic_prompts: bool | None = None,
            **more: Any,
        ) -> None:
            super().__init__(id, display_name, optional, tooltip, lazy, default, **more)
            self.multiline = multiline
            self.placeholder = placeholder
            self.dynamic_prompts = dynamic_prompts

        def as_dict(self) -> Wire:
            """The options of this input in `/object_info`."""
            told = {
                "multiline": self.multiline,
                "placeholder": self.placeholder,
                "dynamicPrompts": self.dynamic_prompts,
            }
            return super().as_dict() | said(told) | self.extra_dict


@comfytype("COMBO")
class Combo(ComfyTypeIO):
    """One of several choices."""

    Type = str

    class Input(WidgetInput):
        """A list to choose from. The choices may be those of an Enum, whose values they are then."""

        multiselect = False

        def __init__(
            self,
            id: str,
            options: Sequence[Any] | type[Enum] | None = None,
            display_name: str | None = None,
            optional: bool = False,
            tooltip: str | None = None,
            lazy: bool | None = None,
            default: Any = None,
            control_after_generate: bool | ControlAfterGenerate | None = None,
            upload: UploadType | None = None,
            image_folder: FolderType | None = None,
            remote: RemoteOptions | None = None,
            **more: Any,
        ) -> None:
            super().__init__(id, display_name, optional, tooltip, lazy, worded(default), **more)
            self.options = None if options is None else [worded(option) for option in options]
            self.control_after_generate = control_after_generate
            self.upload = upload
            self.image_folder = image_folder
            self.remote = remote

        def as_dict(self) -> Wire:
            """The options of this input in `/object_info`."""
            told = {
                "multiselect": self.multiselect,
                "options": self.options,
                "control_after_generate": worded(self.control_after_generate),
                "image_folder": worded(self.image_folder),
                "remote": self.remote.as_dict() if self.remote else None,
            }
            upload = {worded(self.upload): True} if self.upload else {}
            return super().as_dict() | said(told) | upload | self.extra_dict

    class Output(PlainOutput):
        """An output whose values fit combos with these choices."""

        def __init__(
            self,
            id: str | None = None,
            display_name: str | None = None,
            options: Sequence[Any] | type[Enum] | None = None,
            tooltip: str | None = None,
            is_output_list: bool = False,
        ) -> None:
            super().__init__(id, display_name, tooltip, is_output_list)
            self.options = [worded(option) for option in options or ()]


@comfytype("COMBO")
class MultiCombo(ComfyTypeI):
    """Any number of several choices."""

    Type = list[str]

    class Input(Combo.Input):
        """A list of which several may be chosen."""

        multiselect = True

        def __init__(
            self,
            id: str,
            options: Sequence[Any] | type[Enum],
            display_name: str | None = None,
            optional: bool = False,
            tooltip: str | None = None,
            lazy: bool | None = None,
            default: Sequence[Any] | None = None,
            placeholder: str | None = None,
            chip: bool | None = None,
            control_after_generate: bool | ControlAfterGenerate | None = None,
            **more: Any,
        ) -> None:
            chosen = None if default is None else [worded(choice) for choice in default]
            super().__init__(id, options, display_name, optional, tooltip, lazy, chosen, control_after_generate, **more)
            self.placeholder = placeholder
            self.chip = chip

        def as_dict(self) -> Wire:
            """The options of this input in `/object_info`."""
            several = {"multi_select": said({"placeholder": self.placeholder, "chip": self.chip})}
            return super().as_dict() | several | self.extra_dict


@comfytype("COLOR")
class Color(ComfyTypeIO):
    """A colour as `#rrggbb`."""

    Type = str

    class Input(WidgetInput):
        """A colour field."""

        def __init__(
            self,
            id: str,
            display_name: str | None = None,
            optional: bool = False,
            tooltip: str | None = None,
            default: str = "#ffffff",
            socketless: bool | None = None,
            **more: Any,
        ) -> None:
            super().__init__(id, display_name, optional, tooltip, None, default, socketless, **more)


def worded(value: Any) -> Any:
    """The value of an Enum's member; others as they are."""
    return value.value if isinstance(value, Enum) else value
