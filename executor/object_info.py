"""`/object_info`: the wire's description of a node type, read into a `NodeDefinition`; and one input written back.

Reads both shapes, V1 (choices in place of the type) and V3 ("COMBO" with options). Sockets that grow with their values
(COMFY_DYNAMICCOMBO_V3, COMFY_AUTOGROW_V3, ...) stay as they are in `InputSocket.options`, for `dynamic` to unfold.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from executor.schema import (
    MISSING,
    Choices,
    InputSocket,
    NodeDefinition,
    OutputSocket,
    Widget,
    WidgetKind,
)

_KINDS: Mapping[str, WidgetKind] = {
    "INT": "number",
    "FLOAT": "number",
    "STRING": "text",
    "BOOLEAN": "toggle",
    "COMBO": "combo",
    "COLOR": "color",
}

_OWN_FIELDS = ("default", "tooltip", "lazy", "rawLink")
"""Wire options that are fields of an `InputSocket`."""


def definition_from_object_info(class_type: str, info: Mapping[str, Any]) -> NodeDefinition:
    """The definition that one entry of `/object_info` describes."""
    inputs: Mapping[str, Any] = info.get("input") or {}
    order: Mapping[str, Any] = info.get("input_order") or {}
    sockets: list[InputSocket] = []
    for group in ("required", "optional"):
        described: Mapping[str, Any] = inputs.get(group) or {}
        names = [name for name in order.get(group, ()) if name in described]
        names += [name for name in described if name not in names]
        sockets += [input_from_info(name, described[name], required=group == "required") for name in names]
    types: Sequence[Any] = info.get("output") or ()
    names_out: Sequence[str] = info.get("output_name") or ()
    lists: Sequence[bool] = info.get("output_is_list") or ()
    matches: Sequence[str | None] = info.get("output_matchtypes") or ()
    return NodeDefinition(
        class_type=class_type,
        inputs=tuple(sockets),
        outputs=tuple(
            OutputSocket(
                name=str(names_out[i]) if i < len(names_out) else wire_type(kind),
                type=wire_type(kind),
                is_list=bool(lists[i]) if i < len(lists) else False,
                matches=matches[i] if i < len(matches) else None,
            )
            for i, kind in enumerate(types)
        ),
        category=info.get("category") or "",
        display_name=info.get("display_name") or class_type,
        description=info.get("description") or "",
        is_output=bool(info.get("output_node")),
        input_is_list=bool(info.get("is_input_list")),
        python_module=info.get("python_module") or "nodes",
        deprecated=bool(info.get("deprecated")),
        experimental=bool(info.get("experimental")),
    )


def input_from_info(name: str, entry: Any, *, required: bool) -> InputSocket:
    """One input: `[type, options]` or `[[choices], options]`, with the options possibly absent."""
    parts: Sequence[Any] = entry if isinstance(entry, list | tuple) else [entry]
    options: Mapping[str, Any] = parts[1] if len(parts) > 1 and isinstance(parts[1], dict) else {}
    kind = wire_type(parts[0])
    choices = parts[0] if isinstance(parts[0], list | tuple) else options.get("options", ())
    return InputSocket(
        name=name,
        type=kind,
        widget=_widget(name, kind, options, _plain_choices(choices) if kind == "COMBO" else ()),
        default=options.get("default", MISSING),
        required=required,
        lazy=bool(options.get("lazy")),
        raw_link=bool(options.get("rawLink")),
        tooltip=options.get("tooltip"),
        options={key: value for key, value in options.items() if key not in _OWN_FIELDS},
    )


def wire_type(kind: Any) -> str:
    """The type's name; a list of choices in its place is a COMBO."""
    return "COMBO" if isinstance(kind, list | tuple) else str(kind)


def input_info(socket: InputSocket, choices: Sequence[str | int | float]) -> list[Any]:
    """An input as `/object_info` lists it: `[type, options]`, or `[choices, options]` for a combo, unless its choices
    were declared among its options, as those of V3 nodes are, or come from elsewhere.

    `choices` are those at hand now; only a combo has any.
    """
    options = dict(_options(socket))
    if socket.widget is None or socket.widget.kind != "combo":
        return [socket.type, options]
    if "options" in options or "remote" in options:
        return [socket.type, options | ({"options": list(choices)} if choices or "options" in options else {})]
    if choices and options.get("default") == choices[0]:
        del options["default"]  # the first choice is the default already
    return [list(choices), options]


def _options(socket: InputSocket) -> Iterator[tuple[str, Any]]:
    if socket.default is not MISSING:
        yield "default", float(socket.default) if socket.type == "FLOAT" else socket.default
    if socket.widget is not None:
        yield from _widget_options(socket.widget, whole=socket.type != "FLOAT")
        if socket.widget.kind == "color" and socket.type == "INT":
            yield "display", "color"
    elif socket.type in ("INT", "FLOAT", "STRING", "BOOLEAN"):
        yield "forceInput", True  # without it, clients would give this type a widget
    if socket.lazy:
        yield "lazy", True
    if socket.raw_link:
        yield "rawLink", True
    if socket.tooltip:
        yield "tooltip", socket.tooltip
    yield from socket.options.items()


def _widget_options(widget: Widget, *, whole: bool) -> Iterator[tuple[str, Any]]:
    bounds = {"min": widget.min, "max": widget.max, "step": widget.step, "round": widget.round}
    for name, bound in bounds.items():
        if bound is not None:
            yield name, bound if whole or float(bound) != bound else float(bound)
    flags = {
        "multiline": widget.multiline,
        "dynamicPrompts": widget.dynamic_prompts,
        "control_after_generate": widget.control_after_generate or widget.kind == "seed",
        "image_upload": widget.upload is not None,
    }
    yield from ((name, True) for name, flag in flags.items() if flag)
    if widget.kind == "slider":
        yield "display", "slider"


def _plain_choices(choices: Any) -> Choices:
    if not isinstance(choices, list | tuple):
        return ()
    return tuple(choice for choice in choices if isinstance(choice, str | int | float))


def _widget(name: str, kind: str, options: Mapping[str, Any], choices: Choices) -> Widget | None:
    widget_kind = _KINDS.get(str(options.get("widgetType") or kind))
    if widget_kind is None or options.get("forceInput"):
        return None
    control = options.get("control_after_generate")
    if kind == "INT" and control is not False and (control or name in ("seed", "noise_seed")):
        widget_kind = "seed"
    elif widget_kind == "number" and options.get("display") == "slider":
        widget_kind = "slider"
    elif widget_kind == "number" and options.get("display") == "color":
        widget_kind = "color"
    return Widget(
        kind=widget_kind,
        min=options.get("min"),
        max=options.get("max"),
        step=options.get("step"),
        round=options.get("round") or None,
        choices=choices,
        multiline=bool(options.get("multiline")),
        dynamic_prompts=bool(options.get("dynamicPrompts")),
        control_after_generate=bool(control) or widget_kind == "seed",
        upload="image" if options.get("image_upload") else None,
    )
