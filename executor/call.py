"""One execution of one node: its inputs as lists, the calls that they make, and the memo that comes of them.

Knows neither the graph around the node nor events; `run` gives it values and takes the memo.
"""

import asyncio
import inspect
import json
from collections.abc import Awaitable, Callable, Mapping, MutableSet, Sequence
from concurrent.futures import Executor
from typing import Any

from executor.cache import Memo
from executor.schema import InputError, NodeDefinition, NodeType, Result

Values = Mapping[str, tuple[Any, ...]]
"""Input name -> the list of its values; a literal is a list of one."""


class BadResult(Exception):
    """A node broke its own promise: what it returned does not fit its definition. The text is for its developer."""


async def call_node(
    node_type: NodeType,
    inputs: Values,
    injected: Mapping[str, object],
    executor: Executor | None,
    cancellable: MutableSet["asyncio.Future[Any]"],
) -> Memo:
    """Call the node once for each element of its lists, on `executor` or (None) on the event loop.

    Calls that answer with an awaitable are awaited on the loop, all at once; what is being awaited is in `cancellable`
    meanwhile. Whatever the node raises comes out, as does BadResult.
    """
    definition = node_type.definition
    arguments = calls(definition, inputs)

    def bodies() -> list[Result | Awaitable[Result]]:
        return [node_type.call(**given, **injected) for given in arguments]

    results: list[Any] = bodies() if executor is None else await _in_thread(executor, bodies)
    waiting = {i: asyncio.ensure_future(answer) for i, answer in enumerate(results) if inspect.isawaitable(answer)}
    if waiting:
        together = asyncio.gather(*waiting.values())
        cancellable.add(together)
        try:
            for i, result in zip(waiting, await together, strict=True):
                results[i] = result
        finally:
            cancellable.discard(together)
            for answer in waiting.values():
                answer.cancel()
            await asyncio.wait(waiting.values())
    return make_memo(definition, results)


def calls(definition: NodeDefinition, inputs: Values) -> list[dict[str, Any]]:
    """The keyword arguments of each call. Shorter lists repeat their last element; without inputs there is one call.

    Raises InputError for an empty list, unless the node takes whole lists.
    """
    if definition.input_is_list:
        return [{name: list(values) for name, values in inputs.items()}]
    for name, values in inputs.items():
        if not values:
            raise InputError(name, f"The list at input '{name}' is empty, so there is nothing to run the node on.")
    count = max((len(values) for values in inputs.values()), default=1)
    return [{name: values[min(i, len(values) - 1)] for name, values in inputs.items()} for i in range(count)]


def make_memo(definition: NodeDefinition, results: Sequence[Any]) -> Memo:
    """The results of all calls as one memo: for each output a list with one value a call, or all lists joined."""
    for result in results:
        if not isinstance(result, Result) or len(result.outputs) != len(definition.outputs):
            told = f"{len(result.outputs)} outputs" if isinstance(result, Result) else f"a {type(result).__name__}"
            raise BadResult(f"{definition.class_type} returned {told} but declares {len(definition.outputs)} outputs.")
    outputs: list[tuple[Any, ...]] = []
    for index, socket in enumerate(definition.outputs):
        values = [result.outputs[index] for result in results]
        if not socket.is_list:
            outputs.append(tuple(values))
        elif all(isinstance(value, list | tuple) for value in values):
            outputs.append(tuple(item for value in values for item in value))
        else:
            raise BadResult(f"{definition.class_type} declares '{socket.name}' as a list but returned something else.")
    return Memo(tuple(outputs), _merge_ui(definition, [result.ui for result in results if result.ui is not None]))


def _merge_ui(definition: NodeDefinition, shown: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """One ui for all calls: lists are joined key by key, and the first call decides which keys there are."""
    if not shown:
        return None
    merged = dict(shown[0])
    for key, value in merged.items():
        if isinstance(value, list | tuple):
            merged[key] = [item for ui in shown for item in ui.get(key, ())]
    try:
        json.dumps(merged)
    except (TypeError, ValueError) as error:
        raise BadResult(f"{definition.class_type} wants to show something that is not JSON: {error}.") from None
    return merged


async def _in_thread(executor: Executor, bodies: Callable[[], list[Any]]) -> list[Any]:
    def guarded() -> list[Any]:
        try:
            return bodies()
        except (SystemExit, KeyboardInterrupt, StopIteration) as error:
            # None of the three survives the way to the event loop: it would end the loop, or be refused by a future.
            raise RuntimeError(f"The node raised {type(error).__name__}.") from error

    return await asyncio.get_running_loop().run_in_executor(executor, guarded)
