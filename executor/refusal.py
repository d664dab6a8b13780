"""What is wrong with a prompt, for a person who reads it in a terminal: a sentence for each error, with its remedy.

The wire's own words (`PromptError.message` and `details`) are for clients that parse them, and stay as they are.
"""

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

from executor.schema import FolderChoices, InputSocket, NodeDefinition
from executor.worker import PromptError


def refusal_lines(errors: Sequence[PromptError], definitions: Mapping[str, NodeDefinition]) -> list[str]:
    """A sentence for each error. The summary of the whole prompt is left out where its nodes say what is wrong."""
    of_nodes = [error for error in errors if error.node_id is not None]
    return [_sentence(error, definitions) for error in of_nodes or errors]


def _sentence(error: PromptError, definitions: Mapping[str, NodeDefinition]) -> str:
    said: Mapping[str, Any] = error.extra_info
    name, value = said.get("input_name"), said.get("received_value")
    node = f"node {error.node_id} ({error.class_type})"
    field = f"{node}, input '{name}'"
    socket = _socket(error, definitions)
    match error.type:
        case "required_input_missing":
            return f"{field} is missing: connect it, or give it a value."
        case "return_type_mismatch":
            source = _output(said.get("linked_node"))
            wanted = socket.type if socket else "another type"
            return f"{field} takes {wanted}, but {source} gives {said.get('received_type')}: connect another output."
        case "value_not_in_list":
            return f"{field}: {value!r} is not one of its choices{_near(error, socket)}"
        case "value_smaller_than_min" | "value_bigger_than_max":
            widget = socket.widget if socket else None
            limits = f" {widget.min} to {widget.max}" if widget else ""
            return f"{field}: {value!r} is outside its range{limits}."
        case "invalid_input_type":
            return f"{field}: {said.get('exception_message') or error.details}."
        case "bad_linked_input":
            return f"{node}, input {error.details}"
        case _:
            text = error.message if error.type == "missing_node_type" else f"{error.message}: {error.details}"
            return f"{node}: {text}" if error.node_id is not None else text


def _output(linked: Any) -> str:
    return f"output {linked[1]} of node {linked[0]}" if isinstance(linked, list) and len(linked) == 2 else "its source"


def _socket(error: PromptError, definitions: Mapping[str, NodeDefinition]) -> InputSocket | None:
    definition = definitions.get(error.class_type or "")
    return definition.input(str(error.extra_info.get("input_name"))) if definition else None


def _near(error: PromptError, socket: InputSocket | None) -> str:
    """The choices most like what was given, or where they come from."""
    if socket is None or socket.widget is None:
        return "."
    widget = socket.widget
    if isinstance(widget.choices, FolderChoices):
        config = error.extra_info.get("input_config")
        files = config[0] if isinstance(config, list) and isinstance(config[0], list) else []
        known = f"; the folder holds {', '.join(map(str, files))}" if files else ""
        return f", which are the files of the folder '{widget.choices.folder}'{known}."
    near = difflib.get_close_matches(str(error.extra_info.get("received_value")), list(map(str, widget.choices)))
    return f"; did you mean {' or '.join(near)}?" if near else f": {', '.join(map(str, widget.choices))}."
