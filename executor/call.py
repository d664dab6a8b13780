"""One execution of one node: its inputs as lists, and the calls that they make.

Knows neither the graph around the node nor events; `run` gives it values and takes the results, which `results` joins.
"""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Coroutine, Mapping, MutableSet, Sequence
from concurrent.futures import Executor
from contextvars import Context, copy_context
from dataclasses import dataclass
from typing import Any, TypeVar

from executor.context import ExecutingContext, executing
from executor.dynamic import nest
from executor.progress import Progress
from executor.schema import ExecutionBlocker, InputError, NodeDefinition, Result

T = TypeVar("T")

Values = Mapping[str, tuple[Any, ...]]
"""Input name -> the list of its values; a literal is a list of one."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where and for whom a node's code runs."""

    job_id: str
    node_id: str
    progress: Progress
    executor: Executor | None
    """None: the event loop."""
    cancellable: MutableSet["asyncio.Future[Any]"]
    """Holds what is being awaited on the loop."""
    begin: Callable[[], None]
    """Called where the node's code runs, right before it; may raise Interrupted."""
    preview_method: str


async def call_each(
    function: Callable[..., Any],
    arguments: Sequence[Mapping[str, Any] | ExecutionBlocker],
    injected: Mapping[str, object],
    place: Place,
) -> list[Any]:
    """What `function` gives for each set of arguments; a blocker in place of one is its own answer.

    Calls that answer with an awaitable are awaited on the loop, all at once. Whatever the function raises comes out.
    """
    contexts = [_context(place, index) for index in range(len(arguments))]

    def bodies() -> list[Any]:
        place.begin()
        return [
            given if isinstance(given, ExecutionBlocker) else context.run(function, **given, **injected)
            for given, context in zip(arguments, contexts, strict=True)
        ]

    answers = await _in_thread(place.executor, bodies) if place.executor is not None else contained(bodies)
    waiting = {i: _begin(answer, contexts[i]) for i, answer in enumerate(answers) if inspect.isawaitable(answer)}
    if waiting:
        together = asyncio.gather(*waiting.values())
        place.cancellable.add(together)
        try:
            for i, result in zip(waiting, await together, strict=True):
                answers[i] = result
        finally:
            place.cancellable.discard(together)
            for answer in waiting.values():
                answer.cancel()
            await asyncio.wait(waiting.values())
    return answers


def calls(definition: NodeDefinition, inputs: Values) -> list[Mapping[str, Any] | ExecutionBlocker]:
    """The keyword arguments of each call, with dynamic inputs nested. Shorter lists repeat their last element; without
    inputs there is one call.

    A call that would get a blocker is that blocker; with whole lists, one anywhere blocks the one call. Raises
    InputError for an empty list, unless the node takes whole lists.
    """
    if definition.input_is_list:
        blocker = next((one for values in inputs.values() for one in values if type(one) is ExecutionBlocker), None)
        return [blocker or nest(definition, {name: list(values) for name, values in inputs.items()})]
    for name, values in inputs.items():
        if not values:
            raise InputError(name, f"The list at input '{name}' is empty, so there is nothing to run the node on.")
    count = max((len(values) for values in inputs.values()), default=1)
    every: list[Mapping[str, Any] | ExecutionBlocker] = []
    for i in range(count):
        given = {name: values[min(i, len(values) - 1)] for name, values in inputs.items()}
        blocker = next((one for one in given.values() if type(one) is ExecutionBlocker), None)
        every.append(blocker or nest(definition, given))
    return every


async def ask_needs(
    needs: Callable[..., Sequence[str] | Awaitable[Sequence[str]]],
    definition: NodeDefinition,
    inputs: Values,
    injected: Mapping[str, object],
    place: Place,
) -> set[str]:
    """The names of the lazy inputs that the node needs, of all its calls; a blocked call needs none."""
    answers = await call_each(needs, calls(definition, inputs), injected, place)
    asked = [answer for answer in answers if answer is not None and type(answer) is not ExecutionBlocker]
    return {str(name) for answer in asked for name in answer}


def as_results(
    definition: NodeDefinition, arguments: Sequence[Mapping[str, Any] | ExecutionBlocker], answers: Sequence[Any]
) -> tuple[list[Any], str | None]:
    """The answers as results, and the message of the first blocker that kept a call from being made.

    A call that was not made blocks every output, silently: only the first node that is stopped tells the message. A
    blocker that a node gave as its whole answer stands for every output as it is.
    """
    count = definition.most_outputs
    message = next((one.message for one in arguments if isinstance(one, ExecutionBlocker) and one.message), None)
    results = [
        ExecutionBlocker() if isinstance(given, ExecutionBlocker) else answer
        for given, answer in zip(arguments, answers, strict=True)
    ]
    return [Result((one,) * count) if isinstance(one, ExecutionBlocker) else one for one in results], message


def _context(place: Place, index: int) -> Context:
    context = copy_context()
    context.run(
        executing.set, ExecutingContext(place.job_id, place.node_id, index, place.progress, [], place.preview_method)
    )
    return context


def contained(code: Callable[[], T]) -> T:
    """What `code` of a node gives. What it raises and is no ordinary exception becomes a RuntimeError: it would end the
    loop, pass for a cancellation, or be refused by a future."""
    try:
        return code()
    except Exception as error:
        if isinstance(error, StopIteration | StopAsyncIteration):
            raise _uncommon(error) from error
        raise
    except BaseException as error:
        raise _uncommon(error) from error


def _uncommon(error: BaseException) -> RuntimeError:
    return RuntimeError(f"The node raised {type(error).__name__}.")


def _begin(answer: Awaitable[Any], context: Context) -> "asyncio.Task[Any]":
    task = asyncio.get_running_loop().create_task(_contained(answer), context=context)
    if isinstance(answer, Coroutine):
        task.add_done_callback(lambda _: answer.close())  # the task may be cancelled before it began
    return task


async def _contained(answer: Awaitable[Any]) -> Any:
    try:
        return await answer
    except (Exception, GeneratorExit):
        raise
    except BaseException as error:
        task = asyncio.current_task()
        if isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling():
            raise  # the run was asked to stop
        raise _uncommon(error) from error


async def _in_thread(executor: Executor, bodies: Callable[[], list[Any]]) -> list[Any]:
    return await asyncio.get_running_loop().run_in_executor(executor, contained, bodies)
