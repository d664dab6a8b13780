"""The inputs of one wire node: links checked against what they lead to, literals against their sockets.

Part of `prompt`, which knows the rest of the graph. Errors have the shapes that clients of the protocol parse.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from executor.folders import Folders, PathError
from executor.graph import Link, NodeId
from executor.literal import SHOWN_CHOICES, Refusal, parse_literal, unwrap
from executor.object_info import input_info
from executor.schema import MISSING, FolderChoices, InputSocket, NodeDefinition
from executor.worker import PromptError

LITERAL_TYPES = frozenset({"INT", "FLOAT", "STRING", "BOOLEAN", "COMBO", "*"})


def as_link(value: Any) -> Link | None:
    """The link that a wire value is, or None. Some clients send a whole number as id, or 0.0 as output."""
    match value:
        case [str() | int() as source, int() | float() as output] if not isinstance(value, tuple):
            plain = not isinstance(source, bool) and not isinstance(output, bool)
            if plain and output == output // 1 and 0 <= output < 2**31:
                return Link(NodeId(str(source)), int(output))
    return None


def types_fit(offered: str, wanted: str) -> bool:
    """Whether a link may carry `offered` to `wanted`: equal names, a wildcard, or unions (`A,B`) that overlap."""
    offered, wanted = offered.upper(), wanted.upper()
    if offered == wanted:
        return True
    if any(kind in ("*", "") or kind.startswith("COMFY_") for kind in (offered, wanted)):
        return True
    return not {part.strip() for part in offered.split(",")}.isdisjoint(part.strip() for part in wanted.split(","))


class InputParser:
    """Parses the inputs of the nodes of one prompt. Lists each folder at most once."""

    def __init__(
        self,
        nodes: Mapping[NodeId, NodeDefinition | None],
        definitions: Mapping[str, NodeDefinition],
        folders: Folders,
    ) -> None:
        self._nodes = nodes
        self._ids = {node_id: node_id for node_id in nodes}
        self._definitions = definitions
        self._folders = folders
        self._listed: dict[str, tuple[str, ...]] = {}
        self._link_types: frozenset[str] | None = None

    def parse(self, definition: NodeDefinition, raw: Mapping[str, Any]) -> tuple[dict[str, Any], list[PromptError]]:
        """The node's inputs in the order of its sockets (a bad literal left out), and all that is wrong with them.

        Literals on names that no socket has are dropped: saved prompts carry the values of buttons and the like.
        """
        inputs: dict[str, Any] = {}
        errors: list[PromptError] = []
        for socket in definition.inputs:
            value = raw.get(socket.name)
            if value is None:
                if socket.required and socket.default is not MISSING:
                    inputs[socket.name] = socket.default
                elif socket.required and not self._grows(socket, raw):
                    extra = {"input_name": socket.name}
                    errors.append(
                        PromptError("required_input_missing", "Required input is missing", socket.name, extra)
                    )
                continue
            outcome = self._link(socket, value) if isinstance(value, list) else self._literal(socket, unwrap(value))
            if isinstance(outcome, PromptError):
                errors.append(outcome)
                if (link := as_link(value)) is not None:
                    inputs[socket.name] = link  # keeps the way to the nodes above, which may have errors of their own
            else:
                inputs[socket.name] = outcome
        declared = {socket.name for socket in definition.inputs}
        for name, value in raw.items():
            if name not in declared:
                self._undeclared(definition, name, value, inputs, errors)
        return inputs, errors

    def _undeclared(
        self,
        definition: NodeDefinition,
        name: str,
        value: Any,
        inputs: dict[str, Any],
        errors: list[PromptError],
    ) -> None:
        parent = definition.input(name.partition(".")[0]) if "." in name else None
        link = as_link(value)
        if parent is not None:  # a socket that its parent has grown
            if link is None or link.source in self._nodes:
                inputs[name] = unwrap(value) if link is None else link
                return
        elif link is None:
            return
        reason = f"{definition.class_type} has no input of this name" if parent is None else self._dangling(link)
        errors.append(_bad_link(name, None, value, f"{name}: {reason}; remove the link or connect it again."))

    def _grows(self, socket: InputSocket, raw: Mapping[str, Any]) -> bool:
        return any(name.startswith(f"{socket.name}.") for name in raw)

    def _dangling(self, link: Link | None) -> str:
        return f"there is no node '{link.source}'" if link else "it is not a link"

    def _link(self, socket: InputSocket, value: list[Any]) -> Link | PromptError:
        link = as_link(value)
        config = self._config(socket)
        if link is None:
            return _bad_link(socket.name, config, value, socket.name)
        if link.source not in self._nodes:
            reason = f"{self._dangling(link)}; connect the input again."
            return _bad_link(socket.name, config, value, f"{socket.name}: {reason}")
        source = self._nodes[link.source]
        if source is None:
            return link
        if link.output >= len(source.outputs):
            count = len(source.outputs)
            reason = f"node '{link.source}' ({source.class_type}) has {count} outputs, so there is no [{link.output}]."
            return _bad_link(socket.name, config, value, f"{socket.name}: {reason}")
        link = Link(self._ids[link.source], link.output)  # the same text object everywhere: lookups by id are quicker
        offered = source.outputs[link.output].type
        if not types_fit(offered, socket.type):
            return PromptError(
                "return_type_mismatch",
                "Return type mismatch between linked nodes",
                f"{socket.name}, received_type({offered}) mismatch input_type({socket.type})",
                {
                    "input_name": socket.name,
                    "input_config": config,
                    "received_type": offered,
                    "linked_node": [link.source, link.output],
                },
            )
        return link

    def _literal(self, socket: InputSocket, value: Any) -> Any | PromptError:
        if socket.widget is None and self._needs_link(socket):
            details = f"{socket.name}: {socket.type} comes only from another node, so connect one."
            return _bad_link(socket.name, self._config(socket), value, details)
        outcome = parse_literal(socket, value, self._choices(socket, value))
        if not isinstance(outcome, Refusal):
            return outcome
        extra = {"input_name": socket.name, "input_config": self._config(socket), "received_value": value}
        if outcome.reason is not None:
            extra["exception_message"] = outcome.reason
        return PromptError(outcome.type, outcome.message, outcome.details, extra)

    def _needs_link(self, socket: InputSocket) -> bool:
        """Whether some node makes values of this type. If none does, only a widget can, so a literal is fine."""
        if self._link_types is None:
            self._link_types = frozenset(
                output.type.upper() for definition in self._definitions.values() for output in definition.outputs
            )
        kinds = {kind.strip().upper() for kind in socket.type.split(",")}
        return kinds.isdisjoint(LITERAL_TYPES) and not kinds.isdisjoint(self._link_types)

    def _choices(self, socket: InputSocket, value: Any) -> Sequence[str | int | float] | None:
        """The choices at hand now; None where any value will do."""
        choices = socket.widget.choices if socket.widget else ()
        if not isinstance(choices, FolderChoices):
            return choices or None
        if choices.folder == "input" and isinstance(value, str) and self._is_picture(value):
            return None
        return self._list(choices.folder)

    def _list(self, folder: str) -> tuple[str, ...]:
        if folder not in self._listed:
            self._listed[folder] = tuple(self._folders.list(folder))
        return self._listed[folder]

    def _is_picture(self, name: str) -> bool:
        """Names that no list offers: "x.png [output]", and files in subfolders."""
        try:
            return self._folders.annotated(name).is_file()
        except (PathError, OSError):
            return False

    def _config(self, socket: InputSocket) -> list[Any] | None:
        choices = socket.widget.choices if socket.widget else ()
        if isinstance(choices, FolderChoices):
            choices = self._list(choices.folder)
        if len(choices) > SHOWN_CHOICES:
            return None
        return input_info(socket, choices)


def _bad_link(name: str, config: list[Any] | None, value: Any, details: str) -> PromptError:
    return PromptError(
        "bad_linked_input",
        "Bad linked input, must be a length-2 list of [node_id, slot_index]",
        details,
        {"input_name": name, "input_config": config, "received_value": value},
    )
