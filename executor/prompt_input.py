"""The inputs of one node: links checked against what they lead to, literals against their sockets.

Part of `prompt`, which knows the rest of the graph. Errors have the shapes that clients of the protocol parse.
"""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from executor.dynamic import Fault, Unfolded, is_dynamic, unfold
from executor.folders import Folders, PathError
from executor.graph import Link, NodeId
from executor.link_types import LinkTypes, RawNode, as_link, types_fit, wanted_type
from executor.literal import SHOWN_CHOICES, Refusal, parse_literal, unwrap
from executor.object_info import input_info
from executor.schema import MISSING, FolderChoices, InputSocket, NodeDefinition
from executor.worker import PromptError

_ALIKE = 0.75
"""From this likeness on (difflib's ratio) an unknown name stands for the input that is not there."""

LITERAL_TYPES = frozenset({"INT", "FLOAT", "STRING", "BOOLEAN", "COMBO", "*"})


class InputParser:
    """Parses the inputs of the nodes of one prompt. Lists each folder at most once."""

    def __init__(
        self,
        nodes: Mapping[NodeId, RawNode],
        definitions: Mapping[str, NodeDefinition],
        folders: Folders,
    ) -> None:
        self.raw_links: dict[NodeId, list[str]] = {}
        """Of the nodes parsed so far: the inputs that are links now and are to be handed over as literals."""
        self._nodes = nodes
        self._ids = {node_id: node_id for node_id in nodes}
        self._definitions = definitions
        self._folders = folders
        self._listed: dict[str, tuple[str, ...]] = {}
        self._link_types: frozenset[str] | None = None
        self._dynamic: dict[str, bool] = {}
        self._unfolded: dict[NodeId, Unfolded] = {}
        self._types = LinkTypes(nodes, self._sockets_of)

    def parse(
        self, node_id: NodeId, definition: NodeDefinition
    ) -> tuple[dict[str, Any], frozenset[str], list[PromptError]]:
        """The node's inputs in the order of its sockets (a bad literal left out), the names of those that are lazy
        links, and all that is wrong with them.

        Literals on names that no socket has are dropped, unless the node accepts any: saved prompts carry the values of
        buttons and the like.
        """
        raw = self._nodes[node_id].inputs
        inputs: dict[str, Any] = {}
        lazy: list[str] = []
        errors: list[PromptError] = []
        unfolded = self._unfold(node_id, definition)
        sockets = definition.inputs if unfolded is None else unfolded.sockets
        if unfolded is not None:
            errors += [_fault_error(fault) for fault in unfolded.faults]
        outcome: Any
        taken = 0
        for socket in sockets:
            name = socket.name
            value = raw.get(name)
            taken += name in raw
            if value is None:
                if socket.required and socket.default is not MISSING:
                    inputs[name] = socket.default
                elif socket.required:
                    errors.append(_missing(name))
                continue
            if isinstance(value, list):
                outcome = self._link(node_id, definition, socket, value)
                if socket.lazy:
                    lazy.append(name)
            else:
                outcome = self._literal(definition, socket, unwrap(value), unfolded)
            if isinstance(outcome, PromptError):
                errors.append(outcome)
                outcome = as_link(value)  # keeps the way to the nodes above, which may have errors of their own
                if outcome is None:
                    continue
            inputs[name] = outcome
        if taken < len(raw):
            self._undeclared(definition, raw, unfolded, inputs, errors)
        return inputs, frozenset(lazy), errors

    def type_of(self, link: Link) -> str:
        """The type that an output may have; the pack's own object where the pack made one. A union is `A,B`."""
        types = self._types.offered(link)
        return getattr(types[0], "original", types[0]) if len(types) == 1 else ",".join(types)

    def _unfold(self, node_id: NodeId, definition: NodeDefinition) -> Unfolded | None:
        """None for a node whose inputs do not depend on each other."""
        dynamic = self._dynamic.get(definition.class_type)
        if dynamic is None:
            dynamic = self._dynamic[definition.class_type] = is_dynamic(definition)
        if not dynamic:
            return None
        unfolded = self._unfolded.get(node_id)
        if unfolded is None:
            given = {name: value for name, value in self._nodes[node_id].inputs.items() if value is not None}
            unfolded = self._unfolded[node_id] = unfold(definition.inputs, given)
        return unfolded

    def _sockets_of(self, node_id: NodeId) -> Sequence[InputSocket]:
        definition = self._nodes[node_id].definition
        assert definition is not None
        unfolded = self._unfold(node_id, definition)
        return definition.inputs if unfolded is None else unfolded.sockets

    def _undeclared(
        self,
        definition: NodeDefinition,
        raw: Mapping[str, Any],
        unfolded: Unfolded | None,
        inputs: dict[str, Any],
        errors: list[PromptError],
    ) -> None:
        sockets = definition.inputs if unfolded is None else unfolded.sockets
        declared = {socket.name for socket in sockets}
        absent = [socket.name for socket in sockets if socket.required and raw.get(socket.name) is None]
        unsettled = unfolded.unsettled if unfolded is not None else ()
        for name, value in raw.items():
            if name in declared or not isinstance(name, str):
                continue
            link = as_link(value)
            if any(name == parent or name.startswith(f"{parent}.") for parent in unsettled):
                if link is not None:
                    inputs[name] = link  # what is wrong has been said; this keeps the way to the nodes above
            elif link is None:
                if definition.accepts == "any" and value is not None:
                    inputs[name] = unwrap(value)
                elif meant := get_close_matches(name, absent, 1, _ALIKE):
                    # Not dropped like the rest: the node would run with a default in place of what was meant.
                    errors[:] = [error for error in errors if error != _missing(meant[0])]
                    errors.append(_misspelt(definition.class_type, name, meant[0]))
            elif definition.accepts != "declared":
                outcome = self._existing(name, None, link, value)
                inputs[name] = link
                if isinstance(outcome, PromptError):
                    errors.append(outcome)
            else:
                reason = f"{definition.class_type} has no input of this name; remove the link or connect it again."
                errors.append(_bad_link(name, None, value, f"{name}: {reason}"))

    def _existing(self, name: str, socket: InputSocket | None, link: Link, value: list[Any]) -> Link | PromptError:
        """The link, if there is such an output."""
        reason = None
        if link.source not in self._nodes:
            reason = f"there is no node '{link.source}'; connect the input again."
        elif (source := self._nodes[link.source].definition) is not None and source.output(link.output) is None:
            count = len(source.outputs)
            reason = f"node '{link.source}' ({source.class_type}) has {count} outputs, so there is no [{link.output}]."
        if reason is not None:
            config = self._config(socket) if socket is not None else None
            return _bad_link(name, config, value, f"{name}: {reason}")
        return Link(self._ids[link.source], link.output)  # the same text object everywhere: lookups by id are quicker

    def _link(
        self, node_id: NodeId, definition: NodeDefinition, socket: InputSocket, value: list[Any]
    ) -> Link | PromptError:
        link = as_link(value)
        if link is None:
            hint = 'it is no link; connect the input again, or send a list as {"__value__": [...]}.'
            return _bad_link(socket.name, self._config(socket), value, f"{socket.name}: {hint}")
        existing = self._existing(socket.name, socket, link, value)
        if socket.raw_link:
            self.raw_links.setdefault(node_id, []).append(socket.name)
        if isinstance(existing, PromptError) or definition.checks_types:
            return existing
        offered, wanted = self._types.offered(existing), wanted_type(socket)
        if any(types_fit(kind, wanted) for kind in offered):
            return existing
        received = ",".join(offered)
        return PromptError(
            "return_type_mismatch",
            "Return type mismatch between linked nodes",
            f"{socket.name}, received_type({received}) mismatch input_type({wanted})",
            {
                "input_name": socket.name,
                "input_config": self._config(socket),
                "received_type": received,
                "linked_node": [link.source, link.output],
            },
        )

    def _literal(
        self, definition: NodeDefinition, socket: InputSocket, value: Any, unfolded: Unfolded | None
    ) -> Any | PromptError:
        if socket.widget is None and self._needs_link(socket):
            details = f"{socket.name}: {wanted_type(socket)} comes only from another node, so connect one."
            return _bad_link(socket.name, self._config(socket), value, details)
        free = definition.checks and _is_checked(definition, socket.name)
        if free and (unfolded is None or socket.name not in unfolded.unsettled):
            outcome = parse_literal(socket, value, None, bounded=False)
        else:
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
        kinds = {kind.strip().upper() for kind in wanted_type(socket).split(",")}
        return kinds.isdisjoint(LITERAL_TYPES) and not kinds.isdisjoint(self._link_types)

    def _choices(self, socket: InputSocket, value: Any) -> Sequence[str | int | float] | None:
        """The choices at hand now; None where any value will do."""
        choices = socket.widget.choices if socket.widget else ()
        if not isinstance(choices, FolderChoices):
            return choices or None
        if choices.folder == "input" and isinstance(value, str) and self._is_picture(value):
            return None
        return self._list(choices.listed_by)

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
            choices = self._list(choices.listed_by)
        if len(choices) > SHOWN_CHOICES:
            return None
        return input_info(socket, choices)


def _is_checked(definition: NodeDefinition, name: str) -> bool:
    """Whether the node's own `validate` looks at this input, or at the dynamic input that brings it."""
    return definition.checks == "all" or name in definition.checks or name.partition(".")[0] in definition.checks


def _missing(name: str) -> PromptError:
    return PromptError(
        "required_input_missing", "Required input is missing", name.rpartition(".")[2], {"input_name": name}
    )


def _misspelt(class_type: str, name: str, meant: str) -> PromptError:
    details = f"{meant}: {class_type} has no input '{name}'; did you mean '{meant}'?"
    return PromptError("required_input_missing", "Required input is missing", details, {"input_name": meant})


def _fault_error(fault: Fault) -> PromptError:
    if fault.kind == "missing":
        return _missing(fault.name)
    details = f"{fault.name}: {fault.sentence}"
    return PromptError(
        "invalid_dynamic_input", "Dynamic input cannot be used as it is given", details, {"input_name": fault.name}
    )


def _bad_link(name: str, config: list[Any] | None, value: Any, details: str) -> PromptError:
    return PromptError(
        "bad_linked_input",
        "Bad linked input, must be a length-2 list of [node_id, slot_index]",
        details,
        {"input_name": name, "input_config": config, "received_value": value},
    )
