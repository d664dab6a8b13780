"""Runs code of packs as its authors expect: without gradients, and on the loop as well as on a thread.

What would end the worker (`sys.exit()` in a node) becomes an ordinary error here. Knows no node.
"""

import inspect
from asyncio import CancelledError
from collections.abc import Awaitable, Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

import torch

R = TypeVar("R")


def call_code(function: Callable[..., Any], arguments: Mapping[str, Any], then: Callable[[Any], R]) -> R | Awaitable[R]:
    """`then` of what the function answers; if it answers with an awaitable, an awaitable of that."""
    with pack_code():
        answer = function(**arguments)
        if not inspect.isawaitable(answer):
            return then(answer)
    return _later(answer, then)


@contextmanager
def pack_code() -> Iterator[None]:
    """Around synchronous code of a pack."""
    with torch.inference_mode():
        try:
            yield
        except (
            Exception,
            CancelledError,
        ):  # an ordinary error; a cancellation, of which the executor knows whose it is
            raise
        except BaseException as error:
            code = f" ({error.code})" if isinstance(error, SystemExit) else ""
            raise RuntimeError(f"The node's code raised {type(error).__name__}{code}.") from error


async def _later(answer: Awaitable[Any], then: Callable[[Any], R]) -> R:
    value = await _Guarded(answer)
    with pack_code():
        return then(value)


class _Guarded:
    """Awaits in steps, each of them under `pack_code`: inference mode belongs to the thread, so it must not stay on
    while other coroutines have their turn."""

    def __init__(self, awaitable: Awaitable[Any]) -> None:
        self._awaitable = awaitable

    def __await__(self) -> Generator[Any, Any, Any]:
        steps = _awaiting(self._awaitable)
        step: Callable[[Any], Any] = steps.send
        given: Any = None
        while True:
            with pack_code():
                try:
                    waited_for = step(given)
                except StopIteration as end:
                    return end.value
            try:
                given = yield waited_for
                step = steps.send
            except BaseException as error:  # noqa: BLE001 - a cancellation, which is for the pack's code to see
                given, step = error, steps.throw


async def _awaiting(awaitable: Awaitable[Any]) -> Any:
    return await awaitable
