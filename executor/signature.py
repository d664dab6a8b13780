"""The one recipe of a node's Signature: a Merkle hash of how its outputs come about.

A signature is made from the derivation, never from values, so a plan is known before anything runs and no tensor is
ever hashed. Ids, titles, injected resources and `RunInfo` are deliberately absent: they must not change a result.
"""

import hashlib
import struct
from collections.abc import Iterator, Mapping
from typing import Any, NewType

from executor.graph import Graph, Link, Node, NodeId
from executor.schema import NodeDefinition

Signature = NewType("Signature", str)

RECIPE = "heddle node signature 1"
"""Changed whenever the pre-image changes, so that memos made by another recipe are never taken for ours."""


def signatures(
    graph: Graph,
    definitions: Mapping[str, NodeDefinition],
    fingerprints: Mapping[NodeId, str],
) -> dict[NodeId, Signature]:
    """The signature of every node, in O(nodes + links).

    `fingerprints` holds the digests of outside state, for the nodes that read any. Raises CycleError.
    """
    made: dict[NodeId, Signature] = {}
    for node_id in graph.order():
        node = graph.nodes[node_id]
        digest = hashlib.sha256()
        for piece in _pre_image(node, definitions[node.class_type].version, fingerprints.get(node_id), made):
            digest.update(piece)
        made[node_id] = Signature(digest.hexdigest())
    return made


def _pre_image(node: Node, version: int, fingerprint: str | None, made: Mapping[NodeId, Signature]) -> Iterator[bytes]:
    yield from encode([RECIPE, node.class_type, version, fingerprint, len(node.inputs)])
    for name in sorted(node.inputs):
        value = node.inputs[name]
        if isinstance(value, Link):
            yield b"link"
            yield from encode([name, made[value.source], value.output])
        else:
            yield b"literal"
            yield from encode([name, value])


def encode(value: Any) -> Iterator[bytes]:
    """The canonical bytes of a JSON-like value: equal bytes if and only if the same value of the same types.

    1, 1.0, True and "1" all differ; the order of an object's keys does not matter; a tuple is a list.
    Raises TypeError for anything that JSON cannot say.
    """
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, list | tuple):
            yield b"[%d:" % len(item)
            waiting.extend(reversed(item))
        elif isinstance(item, Mapping):
            yield b"{%d:" % len(item)
            for key in sorted(item, reverse=True):
                waiting.extend((item[key], key))
        else:
            yield _scalar(item)


def _scalar(value: object) -> bytes:
    match value:
        case None:
            return b"null;"
        case bool():  # before int: True is an int too
            return b"true;" if value else b"false;"
        case int():
            return b"i%x;" % value
        case float():
            return b"f" + struct.pack(">d", value)
        case str():
            text = value.encode("utf-8", "surrogatepass")
            return b"s%d:" % len(text) + text
    raise TypeError(f"A literal of type {type(value).__name__} cannot be signed.")
