"""A saved graph from a file, and values set from the command line: what running without an editor needs.

It prints nothing and starts no worker; the caller does both.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from executor.file_metadata import MetadataError, read_metadata
from executor.object_info import definition_from_object_info
from executor.schema import NodeDefinition
from executor.workflow import is_api_prompt, is_workflow, to_prompt


class WorkflowFileError(ValueError):
    """A file holds no graph that can run, or a value cannot be set in it. The text is one sentence for the user."""


@dataclass(frozen=True, slots=True)
class SavedGraph:
    """A graph ready to run."""

    prompt: dict[str, Any]
    """Wire form: node id -> {"class_type", "inputs"}."""
    workflow: Mapping[str, Any] | None
    """The editor document it came from, if it was one; saved pictures carry it."""
    warnings: tuple[str, ...] = ()


def read_graph(path: Path, definitions: Mapping[str, NodeDefinition]) -> SavedGraph:
    """The graph in a JSON file (editor or API format) or in a picture that Heddle or ComfyUI saved.

    Raises WorkflowFileError.
    """
    document = _read_document(path)
    if is_api_prompt(document):
        return SavedGraph({str(node_id): dict(node) for node_id, node in document.items()}, None)
    if not is_workflow(document):
        raise WorkflowFileError(
            f"{path} is JSON, but neither an editor document (with 'nodes') nor a prompt (node ids with 'class_type')."
        )
    converted = to_prompt(document, definitions)
    return SavedGraph(converted.prompt, document, converted.warnings)


def read_definitions(path: Path) -> dict[str, NodeDefinition]:
    """The node types in a file that holds a server's answer to `/object_info`. Raises WorkflowFileError."""
    document = _read_document(path)
    is_answer = isinstance(document, Mapping) and all(
        isinstance(entry, Mapping) and "input" in entry for entry in document.values()
    )
    if not is_answer or not document:
        raise WorkflowFileError(f"{path} is no answer of a server to /object_info; save that answer as JSON.")
    return {name: definition_from_object_info(name, entry) for name, entry in document.items()}


def set_values(graph: SavedGraph, assignments: Iterable[str], definitions: Mapping[str, NodeDefinition]) -> None:
    """Apply `NODE.INPUT=VALUE` assignments to the prompt in place.

    NODE is an id, a title or a class name that names one node only. VALUE is read as the input's type: text as it
    stands, numbers and booleans as JSON. Raises WorkflowFileError naming what there is to choose from.
    """
    for assignment in assignments:
        target, equals, text = assignment.partition("=")
        node_name, dot, input_name = target.rpartition(".")
        if not (equals and dot and node_name and input_name):
            raise WorkflowFileError(f"'{assignment}' is not of the form NODE.INPUT=VALUE, for example 3.seed=7.")
        node_id, definition = _find(graph, node_name, definitions)
        socket = definition.input(input_name) if definition else None
        if definition and (socket is None or socket.widget is None):
            names = ", ".join(socket.name for socket in definition.inputs if socket.widget) or "none"
            raise WorkflowFileError(
                f"Node {node_id} ({definition.class_type}) has no value '{input_name}' to set; its values are: {names}."
            )
        is_text = socket is not None and socket.type in ("STRING", "COMBO")
        graph.prompt[node_id].setdefault("inputs", {})[input_name] = text if is_text else _parsed(text)


def _find(graph: SavedGraph, name: str, definitions: Mapping[str, NodeDefinition]) -> tuple[str, NodeDefinition | None]:
    matches = [name] if name in graph.prompt else []
    for attribute in (_title, lambda node: node.get("class_type")):
        matches = matches or [node_id for node_id, node in graph.prompt.items() if attribute(node) == name]
    if len(matches) != 1:
        known = ", ".join(f"{node_id} ({node.get('class_type')})" for node_id, node in graph.prompt.items())
        found = "names several nodes" if matches else "names no node"
        raise WorkflowFileError(f"'{name}' {found} of the workflow; use one of the ids {known}.")
    return matches[0], definitions.get(str(graph.prompt[matches[0]].get("class_type")))


def _title(node: Mapping[str, Any]) -> Any:
    meta = node.get("_meta")
    return meta.get("title") if isinstance(meta, dict) else None


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def _read_document(path: Path) -> Any:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise WorkflowFileError(f"{path} cannot be read: {error.strerror}.") from error
    if content[:1] in (b"\x89", b"\xff", b"R", b"G") or content[8:10] == b'{"':
        content = _from_metadata(path)
    try:
        return json.loads(content)
    except UnicodeDecodeError as error:
        raise WorkflowFileError(f"{path} is neither JSON text nor a picture with a workflow in it.") from error
    except json.JSONDecodeError as error:
        whole = error.doc.rstrip()
        if not whole:
            raise WorkflowFileError(f"{path} is empty.") from error
        if error.pos >= len(whole) or error.msg.startswith("Unterminated string"):
            raise WorkflowFileError(f"{path} ends too early: it is only the beginning of a JSON document.") from error
        raise WorkflowFileError(
            f"{path} is not valid JSON: {error.msg} in line {error.lineno}, column {error.colno}."
        ) from error
    except RecursionError as error:
        raise WorkflowFileError(f"{path} is nested too deeply to be a workflow.") from error


def _from_metadata(path: Path) -> bytes:
    try:
        found = read_metadata(path)
    except MetadataError as error:
        raise WorkflowFileError(f"{path} is neither JSON text nor a readable picture or safetensors file.") from error
    for key in ("workflow", "prompt"):
        if key in found.texts:
            return found.texts[key].encode()
    raise WorkflowFileError(f"{path} is a {found.kind} that carries no workflow.")
