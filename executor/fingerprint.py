"""Asks nodes for the state of the outside world (file contents) that their inputs name.

Apart from `signature`, which is pure, because this reads files. Every failure belongs to a node; none escapes.
"""

import asyncio
import inspect
import uuid
from collections.abc import Awaitable, Mapping
from functools import partial
from typing import Any, get_type_hints

from executor.call import contained
from executor.context import asking
from executor.dynamic import nest
from executor.failure import Failure, describe
from executor.graph import Graph, Link, Node, NodeId
from executor.schema import Inject, NodeType


def fingerprints(
    graph: Graph, node_types: Mapping[str, NodeType], resources: Mapping[str, object]
) -> tuple[dict[NodeId, str], dict[NodeId, Failure]]:
    """The fingerprint of each node that takes one, asked once per node, and the nodes that could not answer."""
    taken: dict[NodeId, str] = {}
    failed: dict[NodeId, Failure] = {}
    for node in graph.nodes.values():
        node_type = node_types[node.class_type]
        if node_type.fingerprint is None:
            continue
        try:
            taken[node.id] = contained(partial(_fingerprint, node, node_type, resources))
        except Exception as error:  # noqa: BLE001 - the node's own code; what it raises is reported as the node's
            failed[node.id] = describe(error, node.inputs)
    return taken, failed


def _fingerprint(node: Node, node_type: NodeType, resources: Mapping[str, object]) -> str:
    assert node_type.fingerprint is not None
    parameters = inspect.signature(node_type.fingerprint).parameters
    literals = {name: value for name, value in node.inputs.items() if not isinstance(value, Link)}
    given = nest(node_type.definition, literals)
    arguments: dict[str, Any] = {}
    resource_of = {**_injected(node_type.fingerprint), **node_type.definition.injected}
    for name, parameter in parameters.items():
        if parameter.kind is parameter.VAR_KEYWORD:
            arguments |= given
        elif isinstance(node.inputs.get(name), Link):
            # What the file is will be known only when the source has run, so no earlier result can be trusted.
            return f"linked {uuid.uuid4().hex}"
        elif name in given:
            arguments[name] = given[name]
        elif resource_of.get(name) == "UNIQUE_ID":
            arguments[name] = node.id
        elif resource_of.get(name) in resources:
            arguments[name] = resources[resource_of[name]]
    with asking(node.id):
        answer = node_type.fingerprint(**arguments)
        return answer if isinstance(answer, str) else asyncio.run(_awaited(answer))


async def _awaited(answer: Awaitable[str]) -> str:
    return await answer


def _injected(function: Any) -> dict[str, str]:
    """Parameter -> resource, for those that are annotated `Injected[...]`."""
    return {
        name: hint.__origin__.__name__
        for name, hint in get_type_hints(function, include_extras=True).items()
        if any(isinstance(mark, Inject) for mark in getattr(hint, "__metadata__", ()))
    }
