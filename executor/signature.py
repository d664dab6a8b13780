"""The one recipe of a node's Signature: a Merkle hash of how its outputs come about.

A signature is made from the derivation, never from values, so a plan is known before anything runs and no tensor is
ever hashed. Ids, titles, injected resources and `RunInfo` are deliberately absent: they must not change a result.
"""

import hashlib
import struct
from collections.abc import Iterable, Mapping
from typing import Any, NewType

from executor.graph import Graph, Link, Node, NodeId
from executor.schema import NodeDefinition

Signature = NewType("Signature", str)

RECIPE = "heddle node signature 1"
"""Changed whenever the pre-image changes, so that memos made by another recipe are never taken for ours."""


def signatures(
    graph: Graph,
    order: Iterable[NodeId],
    definitions: Mapping[str, NodeDefinition],
    fingerprints: Mapping[NodeId, str],
) -> dict[NodeId, Signature]:
    """The signature of every node of `order` (sources first, see `Graph.order`), in that order; O(nodes + links).

    `fingerprints` holds the digests of outside state, for the nodes that read any.
    """
    made: dict[NodeId, Signature] = {}
    heads: dict[str, bytes] = {}
    for node_id in order:
        node = graph.nodes[node_id]
        head = heads.get(node.class_type)
        if head is None:
            head = encode([RECIPE, node.class_type, definitions[node.class_type].version])
            heads[node.class_type] = head
        pre_image = head + encode(fingerprints.get(node_id)) + _inputs(node, made)
        made[node_id] = Signature(hashlib.sha256(pre_image).hexdigest())
    return made


def _inputs(node: Node, made: Mapping[NodeId, Signature]) -> bytes:
    pieces: list[bytes] = []
    for name, value in sorted(node.inputs.items()):
        pieces.append(encode(name))
        if isinstance(value, Link):
            pieces.append(b"link %b %d;" % (made[value.source].encode(), value.output))
        else:
            pieces.append(encode(value))
    return b"".join(pieces)


def encode(value: Any) -> bytes:
    """The canonical bytes of a JSON-like value: equal bytes if and only if the same value of the same types.

    1, 1.0, True and "1" all differ; the order of an object's keys does not matter; a tuple is a list. No encoding is
    the beginning of another one. Raises TypeError for anything that JSON cannot say.
    """
    if not isinstance(value, list | tuple | Mapping):
        return _scalar(value)
    pieces: list[bytes] = []
    waiting: list[Any] = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, list | tuple):
            pieces.append(b"[%d:" % len(item))
            waiting.extend(reversed(item))
        elif isinstance(item, Mapping):
            pieces.append(b"{%d:" % len(item))
            for key in sorted(item, reverse=True):
                waiting.extend((item[key], key))
        else:
            pieces.append(_scalar(item))
    return b"".join(pieces)


def _scalar(value: object) -> bytes:
    if isinstance(value, str):
        text = value.encode("utf-8", "surrogatepass")
        return b"s%d:%b" % (len(text), text)
    if isinstance(value, bool):  # before int: True is an int too
        return b"true;" if value else b"false;"
    if isinstance(value, int):
        return b"i%x;" % value
    if isinstance(value, float):
        return b"d" + struct.pack(">d", value)
    if value is None:
        return b"null;"
    raise TypeError(f"A literal of type {type(value).__name__} cannot be signed.")
