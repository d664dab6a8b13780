"""NodeDefinition -> the entry of `/object_info` that editors and clients build their nodes from.

In the V1 shape (a combo is a list of its choices), because clients index into that list; V3 nodes of packs in theirs.
Sockets that grow with their values (COMFY_AUTOGROW_V3, COMFY_DYNAMICCOMBO_V3, ...) are no combos and keep their options
as they are.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from executor.object_info import input_info
from executor.schema import HIDDEN, FolderChoices, InputSocket, NodeDefinition

ChoicesOf = Callable[[str], Sequence[str]]
"""Folder key -> the names of its files at this moment."""

_ALWAYS_SAID: Final = ("deprecated", "experimental", "api_node", "output_matchtypes")
"""Marks that the entry of a V3 node has whether it is marked or not."""
_HIDDEN_OF_RESOURCE: Final = {"RunInfo": {"prompt": "PROMPT", "extra_pnginfo": "EXTRA_PNGINFO"}}


def object_info(definitions: Mapping[str, NodeDefinition], choices_of: ChoicesOf) -> dict[str, Any]:
    """class_type -> entry for all `definitions`; each folder is listed once."""
    listed: dict[str, Sequence[str]] = {}

    def choices(folder: str) -> Sequence[str]:
        if folder not in listed:
            listed[folder] = choices_of(folder)
        return listed[folder]

    return {class_type: entry(definition, choices) for class_type, definition in definitions.items()}


def entry(definition: NodeDefinition, choices_of: ChoicesOf) -> dict[str, Any]:
    """One node type as clients know it."""
    inputs: dict[str, dict[str, Any]] = {"required": {}}
    for socket in definition.inputs:
        section = inputs.setdefault("required" if socket.required else "optional", {})
        section[socket.name] = input_info(socket, _choices(socket, choices_of))
    hidden = _hidden(definition)
    if hidden:
        inputs["hidden"] = hidden
    described: dict[str, Any] = {
        "input": inputs,
        "input_order": {section: list(names) for section, names in inputs.items()},
        "output": [output.type for output in definition.outputs],
        "output_is_list": [output.is_list for output in definition.outputs],
        "output_name": [output.name for output in definition.outputs],
        "name": definition.class_type,
        "display_name": definition.display_name,
        "description": definition.description,
        "python_module": definition.python_module,
        "category": definition.category,
        "output_node": definition.is_output,
    }
    marks: dict[str, Any] = {
        "is_input_list": definition.input_is_list,
        "deprecated": definition.deprecated,
        "experimental": definition.experimental,
        "api_node": definition.api_node,
        "search_aliases": list(definition.search_aliases),
        "output_tooltips": _unless_empty([output.tooltip for output in definition.outputs]),
        "output_matchtypes": _unless_empty([output.matches for output in definition.outputs]) or None,
    }
    said = _ALWAYS_SAID if definition.wording == "V3" else ()
    return described | {name: mark for name, mark in marks.items() if mark or name in said}


def _hidden(definition: NodeDefinition) -> dict[str, Any]:
    if definition.wording == "V3":
        return {resource.lower(): [resource] for resource in definition.injected.values() if resource in HIDDEN}
    hidden: dict[str, Any] = {}
    for name, resource in definition.injected.items():
        hidden |= _HIDDEN_OF_RESOURCE.get(resource, {})
        if resource in HIDDEN:
            hidden[name] = resource
    return hidden


def _unless_empty(facts: list[str | None]) -> list[str | None]:
    """One fact for each output, null where it has none; nothing if none of them has any."""
    return facts if any(facts) else []


def _choices(socket: InputSocket, choices_of: ChoicesOf) -> Sequence[str | int | float]:
    choices = socket.widget.choices if socket.widget is not None else ()
    return choices_of(choices.listed_by) if isinstance(choices, FolderChoices) else choices
