"""`execution`: the names that packs import from the engine. Jobs are run by `executor`, whose queue is the server's."""

import asyncio
import enum
import threading
from collections.abc import Sequence
from typing import Any, NoReturn

from pack_surroundings import here

from executor.prompt import parse_prompt
from executor.schema import ExecutionBlocker

__all__ = [
    "CacheType",
    "ExecutionBlocker",
    "ExecutionResult",
    "PromptExecutor",
    "PromptQueue",
    "full_type_name",
    "validate_prompt",
]

MAXIMUM_HISTORY_SIZE = 10000


class ExecutionResult(enum.Enum):
    """How a step of a run ended."""

    SUCCESS = 0
    FAILURE = 1
    PENDING = 2


class CacheType(enum.Enum):
    """What is remembered between runs."""

    CLASSIC = 0
    LRU = 1
    NONE = 2
    RAM_PRESSURE = 3


class PromptExecutor:
    """A name to import and to patch. Nothing here runs it, so a patch changes nothing."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        _refuse_to_run()

    def reset(self) -> None:
        """Raises RuntimeError."""
        _refuse_to_run()

    def execute(self, prompt: Any, prompt_id: str, extra_data: Any = None, execute_outputs: Any = ()) -> None:
        """Raises RuntimeError."""
        _refuse_to_run()

    async def execute_async(
        self, prompt: Any, prompt_id: str, extra_data: Any = None, execute_outputs: Any = ()
    ) -> None:
        """Raises RuntimeError."""
        _refuse_to_run()


class PromptQueue:
    """The jobs that this worker runs. Those that wait are known to the server only."""

    def __init__(self, server: Any) -> None:
        self.server = server
        self.mutex = threading.RLock()
        self.history: dict[str, Any] = {}

    @property
    def currently_running(self) -> dict[int, tuple[Any, ...]]:
        """Place -> (number, job id, prompt, extra data, outputs); the worker tells packs no prompt."""
        jobs = here().host.jobs.items()
        return {
            place: (place, job, {}, {"client_id": client} if client else {}, [])
            for place, (job, client) in enumerate(jobs)
        }

    def get_tasks_remaining(self) -> int:
        """How many jobs run here."""
        return len(self.currently_running)

    def get_current_queue(self) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
        """(running, waiting)."""
        return list(self.currently_running.values()), []

    def get_current_queue_volatile(self) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
        """(running, waiting)."""
        return self.get_current_queue()

    def get_history(self, prompt_id: str | None = None, max_items: int | None = None, **_: Any) -> dict[str, Any]:
        """Raises RuntimeError: finished jobs are the server's."""
        raise RuntimeError("Finished jobs are kept by Heddle's server: ask its route /history.")

    def put(self, item: Any) -> None:
        """Raises RuntimeError: the queue is the server's."""
        raise RuntimeError("The queue is in Heddle's server: post the prompt to its route /prompt.")


def full_type_name(klass: type) -> str:
    """The name of a class with its module, as failures carry it."""
    module = klass.__module__
    return klass.__qualname__ if module == "builtins" else f"{module}.{klass.__qualname__}"


async def validate_prompt(
    prompt_id: str, prompt: dict[str, Any], partial_execution_list: Sequence[str] | None = None
) -> tuple[bool, dict[str, Any] | None, list[str], dict[str, Any]]:
    """Check a prompt: (whether some of it may run, the first error, the outputs that may run, errors by node)."""
    node_types = dict(here().node_types)
    definitions = {name: node_type.definition for name, node_type in node_types.items()}
    validators = {name: node_type.validate for name, node_type in node_types.items() if node_type.validate is not None}
    # On a thread: it lists folders, and asks nodes.
    parsed = await asyncio.to_thread(
        parse_prompt, prompt, definitions, here().folders, partial_execution_list, validators
    )
    verdict = parsed.validation
    errors: dict[str, Any] = {}
    for error in verdict.errors:
        if error.node_id is not None:
            outputs = list(error.dependent_outputs)
            entry = {"errors": [], "dependent_outputs": outputs, "class_type": error.class_type}
            errors.setdefault(error.node_id, entry)["errors"].append(_described(error))
    first = None if verdict.outputs or not verdict.errors else _described(verdict.errors[0])
    return bool(verdict.outputs), first, list(verdict.outputs), errors


def _refuse_to_run() -> NoReturn:
    raise RuntimeError("Heddle runs prompts in its own executor: post the prompt to /prompt instead.")


def _described(error: Any) -> dict[str, Any]:
    return {
        "type": error.type,
        "message": error.message,
        "details": error.details,
        "extra_info": dict(error.extra_info),
    }
