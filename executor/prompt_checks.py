"""Asks nodes for their own opinion of their inputs (VALIDATE_INPUTS), and makes errors of what they say.

Apart from `prompt_input`, which knows only what a definition says: this runs the nodes' code.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Container, Mapping, Sequence
from contextlib import ExitStack
from contextvars import copy_context
from typing import Any

from executor.context import asking
from executor.dynamic import nest
from executor.failure import describe
from executor.graph import Graph, Link, Node, NodeId
from executor.schema import NodeDefinition
from executor.worker import PromptError

log = logging.getLogger(__name__)

Validator = Callable[..., Sequence[str] | Awaitable[Sequence[str]]]
"""See `NodeType.validate`."""


def custom_errors(
    graph: Graph,
    broken: Container[NodeId],
    definitions: Mapping[str, NodeDefinition],
    validators: Mapping[str, Validator],
    type_of: Callable[[Link], str],
) -> list[PromptError]:
    """What the nodes that have a validator complain of; those in `broken` are not asked.

    A validator gets the literal inputs, nested like the arguments of the node, and `input_types`; it may learn the
    node's id from `executor.context`. One that answers with an awaitable is awaited here, so this must not be called on
    an event loop's thread.
    """
    errors: list[PromptError] = []
    with ExitStack() as stack:
        runner: asyncio.Runner | None = None
        for node in graph.nodes.values():
            validator = validators.get(node.class_type)
            if validator is None or node.id in broken:
                continue
            literals = {name: value for name, value in node.inputs.items() if not isinstance(value, Link)}
            types = {name: type_of(value) for name, value in node.inputs.items() if isinstance(value, Link)}
            try:
                with asking(node.id):
                    answer = validator(**nest(definitions[node.class_type], literals), input_types=types)
                    if isinstance(answer, Awaitable):
                        runner = runner or stack.enter_context(asyncio.Runner())
                        answer = runner.run(_awaited(answer), context=copy_context())
                errors += _complaints(node, answer)
            except Exception as error:  # noqa: BLE001 - the node's own code; what it raises is reported as the node's
                errors.append(_failure(node, error))
    return errors


async def _awaited(answer: Awaitable[Sequence[str]]) -> Sequence[str]:
    return await answer


def _complaints(node: Node, answer: Sequence[str]) -> list[PromptError]:
    """One error for each bad input, however often it is complained of."""
    told: dict[str, PromptError] = {}
    for complaint in [answer] if isinstance(answer, str) else answer:
        name = complaint.partition(" - ")[0]
        error = PromptError(
            "custom_validation_failed",
            "Custom validation failed for node",
            complaint,
            {"input_name": name},
            node_id=node.id,
            class_type=node.class_type,
        )
        told.setdefault(name, error)
    return list(told.values())


def _failure(node: Node, error: Exception) -> PromptError:
    failure = describe(error, {})
    log.warning("%s could not check its inputs:\n%s", node.class_type, "\n".join(failure.traceback))
    # Clients of the protocol look for the key; the traceback itself is the author's, who has the log.
    extra: dict[str, Any] = {"exception_type": failure.exception_type, "traceback": []}
    if failure.input_name is not None:
        extra["input_name"] = failure.input_name
    return PromptError(
        "exception_during_validation",
        "Exception when validating node",
        f"{node.class_type} could not check its inputs: {failure.message.rstrip('.')} ({failure.exception_type});"
        " change them, or tell the author of the node.",
        extra,
        node_id=node.id,
        class_type=node.class_type,
    )
