"""The results of a node's calls as one memo. Pure; what a node broke of its own promise is told to its developer."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from executor.cache import Memo
from executor.graph import Link
from executor.schema import ExecutionBlocker, NodeDefinition, Result


class BadResult(Exception):
    """A node broke its own promise: what it returned does not fit its definition. The text is for its developer."""


def check_results(definition: NodeDefinition, results: Sequence[Any]) -> None:
    """Raise BadResult unless every call gave as many outputs as there are sockets, or more where there may be."""
    least = len(definition.outputs)
    for result in results:
        count = len(result.outputs) if isinstance(result, Result) else -1
        if count < least or (count > least and not definition.further_outputs):
            told = f"{len(result.outputs)} outputs" if isinstance(result, Result) else f"a {type(result).__name__}"
            raise BadResult(f"{definition.class_type} returned {told} but declares {len(definition.outputs)} outputs.")


def make_memo(
    definition: NodeDefinition,
    results: Sequence[Result],
    values_of: Callable[[Link], Sequence[Any]] = lambda _: (),
) -> Memo:
    """The results of all calls as one memo: for each output a list with one value a call, or all lists joined.

    An output that is a `Link`, into what the node expanded into, stands for all values of that socket (`values_of`),
    each an element of this output's list.
    """
    outputs: list[tuple[Any, ...]] = []
    for index in range(max((len(result.outputs) for result in results), default=len(definition.outputs))):
        socket = definition.output(index)
        if socket is None:
            break
        values: list[Any] = []
        for result in results:
            value = result.outputs[index] if index < len(result.outputs) else None
            if isinstance(value, Link):
                values.extend(values_of(value))
            elif not socket.is_list or isinstance(value, ExecutionBlocker):
                values.append(value)
            elif isinstance(value, list | tuple):
                values.extend(value)
            else:
                text = f"{definition.class_type} declares '{socket.name}' as a list but returned something else."
                raise BadResult(text)
        outputs.append(tuple(values))
    return Memo(tuple(outputs), _merge_ui(definition, [result.ui for result in results if result.ui is not None]))


def _merge_ui(definition: NodeDefinition, shown: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """One ui for all calls: lists are joined key by key, and the first call decides which keys there are.

    It becomes plain JSON values, because it crosses to processes that know no class of a pack.
    """
    if not shown:
        return None
    merged = dict(shown[0])
    for key, value in merged.items():
        if isinstance(value, list | tuple):
            merged[key] = [item for ui in shown for item in ui.get(key, ())]
    try:
        plain: dict[str, Any] = json.loads(json.dumps(merged))
    except (TypeError, ValueError) as error:
        raise BadResult(f"{definition.class_type} wants to show something that is not JSON: {error}.") from None
    return plain
