"""What the function of a class may return, in all its forms, as a `Result`."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from executor.schema import ExecutionBlocker, NodeDefinition, Result

FromPack = Callable[[Any, str], Any]
"""(a pack's value, wire type) -> our value."""


def result_of(answer: Any, definition: NodeDefinition, from_pack: FromPack) -> Result:
    """The answer as a result with a value for each output. Raises TypeError for an answer that is no result.

    Values beyond the outputs are dropped and missing ones are None, which is what nodes get who read them.
    """
    if hasattr(answer, "block_execution"):
        answer = _told(answer)
    if not isinstance(answer, Mapping):
        return Result(_outputs(answer, definition, from_pack, expanded=False))
    expand = answer.get("expand")
    values = answer.get("result")
    outputs = _outputs(() if values is None else values, definition, from_pack, expanded=expand is not None)
    return Result(outputs, _shown(answer.get("ui")), None if expand is None else _expansion(expand, from_pack))


def _shown(ui: Any) -> Any:
    """What the node shows. A bare text becomes the list of its letters: clients get lists, and put them together."""
    if not isinstance(ui, Mapping):
        return ui
    return {key: list(value) if isinstance(value, str) else value for key, value in ui.items()}


def _told(output: Any) -> dict[str, Any]:
    """What V3's NodeOutput says, as V1 says it: classes of either kind may return one."""
    blocked = output.block_execution is not None
    return {
        "result": ExecutionBlocker(output.block_execution or None) if blocked else output.args,
        "ui": output.ui.as_dict() if hasattr(output.ui, "as_dict") else output.ui,
        "expand": output.expand,
    }


def _outputs(values: Any, definition: NodeDefinition, from_pack: FromPack, *, expanded: bool) -> tuple[Any, ...]:
    sockets = definition.outputs
    if isinstance(values, ExecutionBlocker):
        return (values,) * definition.most_outputs
    if not sockets and not definition.further_outputs:
        return ()
    if isinstance(values, str | bytes) or not isinstance(values, Sequence):
        told = "nothing" if values is None else f"a {type(values).__name__}"
        text = f"{definition.class_type} returned {told} instead of a tuple with its {len(sockets)} outputs."
        raise TypeError(f"{text} This is a mistake in {definition.python_module}.")
    outputs: list[Any] = []
    for index in range(max(len(sockets), len(values))):
        socket, value = definition.output(index), values[index] if index < len(values) else None
        if socket is None:
            break
        if isinstance(value, ExecutionBlocker) or (expanded and _is_link(value)):
            outputs.append(value)
        elif socket.is_list and isinstance(value, Iterable) and not isinstance(value, str | bytes | Mapping):
            outputs.append([from_pack(item, socket.type) for item in value])
        else:
            outputs.append([] if socket.is_list and value is None else from_pack(value, socket.type))
    return tuple(outputs)


def _expansion(expand: Mapping[str, Any], from_pack: FromPack) -> dict[str, Any]:
    """The new nodes; values that were put into their inputs go to nodes of any kind, so they are ours from here on."""
    return {
        str(node_id): {
            **node,
            "inputs": {
                name: value if _is_link(value) else from_pack(value, "*")
                for name, value in (node.get("inputs") or {}).items()
            },
        }
        for node_id, node in expand.items()
    }


def _is_link(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) == 2
        and isinstance(value[0], str)
        and isinstance(value[1], int | float)
        and not isinstance(value[1], bool)
    )
