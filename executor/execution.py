"""One node's turn: what it needs is handed to it, it is called, and what it gave is put into one of a few outcomes.

Changes nothing of the run around it, which takes the outcome in.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, MutableSet
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from typing import Any

from executor.cache import Memo
from executor.call import Place, Values, as_results, ask_needs, call_each, calls
from executor.dynamic_prompt import DynamicPrompt
from executor.expansion import Expansion, expand
from executor.failure import Failure, describe
from executor.fingerprint import fingerprints
from executor.graph import Node, NodeId
from executor.host import Host
from executor.progress import Interrupted
from executor.reporter import Reporter
from executor.results import check_results, make_memo
from executor.schema import ExecutionBlocker, InputError, NodeDefinition, RunInfo
from executor.worker import Job


@dataclass(frozen=True, slots=True)
class Made:
    """The node has its result."""

    memo: Memo
    keep: bool = True
    """False: it is not worth remembering, or must be told again in the next run."""
    blocked: str | None = None
    """The message of a blocker that reached it."""


@dataclass(frozen=True, slots=True)
class Asked:
    """The node cannot go on without these lazy inputs."""

    names: frozenset[str]


@dataclass(frozen=True, slots=True)
class Expanded:
    """Other nodes are to run in its place."""

    expansion: Expansion
    fingerprints: Mapping[NodeId, str]
    seconds: float


Outcome = Made | Asked | Expanded | Failure | None
"""None is an interruption."""


@dataclass(frozen=True, slots=True)
class Turn:
    """What the run gives to one turn of one node."""

    node: Node
    inputs: Values
    """For a lazy input that was not asked for, a list of one None."""
    asked: frozenset[str]
    """Lazy inputs that the node asked for at an earlier turn."""
    job: Job
    prompt: DynamicPrompt
    known: Mapping[NodeId, Node]
    reporter: Reporter
    executor: Executor | None
    cancellable: MutableSet["asyncio.Future[Any]"]
    started: Callable[[], None]
    """To be called right before the node's own code runs, from wherever that is."""


async def take_turn(host: Host, turn: Turn) -> Outcome:
    """Let the node have its turn. Nothing that its code raises comes out."""
    inputs = turn.inputs
    try:
        return await _turn(host, turn)
    except (Interrupted, asyncio.CancelledError):
        return None
    except BaseException as error:  # noqa: BLE001 - the node's own code; what it raises is reported as the node's
        return describe(error, {name: values[0] if len(values) == 1 else values for name, values in inputs.items()})
    finally:
        turn.reporter.close()


async def _turn(host: Host, turn: Turn) -> Outcome:
    node, node_type = turn.node, host.node_types[turn.node.class_type]
    definition = host.definitions[node.class_type]
    arguments = calls(definition, turn.inputs)
    if not node.lazy and all(isinstance(given, ExecutionBlocker) for given in arguments):
        results, message = as_results(definition, arguments, arguments)
        return Made(make_memo(definition, results), keep=False, blocked=message)
    began = time.monotonic()

    def begin() -> None:
        nonlocal began
        turn.reporter.check()
        turn.started()
        began = time.monotonic()  # it may have waited for its thread a long time

    place = Place(
        turn.job.job_id, node.id, turn.reporter, turn.executor, turn.cancellable, begin, turn.job.preview_method
    )
    injected = _injected(host, turn, definition)
    if node.lazy and node_type.needs is not None:
        names = await ask_needs(node_type.needs, definition, turn.inputs, injected, place)
        missing = _lazy_ones(node, names) - turn.asked
        if missing:
            return Asked(turn.asked | missing)
        place = replace(place, begin=turn.reporter.check)  # it has begun
    answers = await call_each(node_type.call, arguments, injected, place)
    results, message = as_results(definition, arguments, answers)
    check_results(definition, results)
    seconds = time.monotonic() - began
    if any(result.expand for result in results):
        expansion = expand(node.id, turn.prompt, results, turn.known, host.definitions)
        return Expanded(expansion, await _fingerprints(host, expansion), seconds)
    memo = make_memo(definition, results)
    return Made(Memo(memo.outputs, memo.ui, seconds), keep=message is None, blocked=message)


def _lazy_ones(node: Node, names: set[str]) -> frozenset[str]:
    """Those of the names that are lazy links; a literal is known already. Raises InputError for one that is neither."""
    for name in sorted(names):
        if name not in node.inputs:
            text = f"{node.class_type} asks for its input '{name}', to which nothing is linked; connect it."
            raise InputError(name, text)
    return node.lazy & names


async def _fingerprints(host: Host, expansion: Expansion) -> Mapping[NodeId, str]:
    if not any(host.node_types[node.class_type].fingerprint for node in expansion.graph.nodes.values()):
        return {}
    taken, failed = await asyncio.to_thread(fingerprints, expansion.graph, host.node_types, host.resources)
    for node_id, failure in failed.items():
        raise ValueError(f"Node {node_id}, which it expands into, cannot run: {failure.message}")
    return taken


def _injected(host: Host, turn: Turn, definition: NodeDefinition) -> dict[str, object]:
    if not definition.injected:
        return {}
    offered = {**host.resources, **_of_the_turn(turn)}
    missing = next((resource for resource in definition.injected.values() if resource not in offered), None)
    if missing is not None:
        raise LookupError(f"{definition.class_type} needs the resource '{missing}', which is not here.")
    return {parameter: offered[resource] for parameter, resource in definition.injected.items()}


def _of_the_turn(turn: Turn) -> dict[str, object]:
    job, node_id = turn.job, turn.node.id
    return {
        "Progress": turn.reporter,
        "RunInfo": RunInfo(job.prompt, job.extra_pnginfo, node_id, job.saves_metadata),
        "DynamicPrompt": turn.prompt,
        "PROMPT": job.prompt,
        "DYNPROMPT": turn.prompt,
        "EXTRA_PNGINFO": job.extra_pnginfo,
        "UNIQUE_ID": node_id,
        "AUTH_TOKEN_COMFY_ORG": job.credentials.get("AUTH_TOKEN_COMFY_ORG"),
        "API_KEY_COMFY_ORG": job.credentials.get("API_KEY_COMFY_ORG"),
    }
