"""The one recipe of a node's Signature: a Merkle hash of how its outputs come about.

A signature is made from the derivation, never from values, so a plan is known before anything runs and no tensor is
ever hashed. Ids, titles, injected resources and `RunInfo` are deliberately absent: they must not change a result.
"""

import hashlib
import struct
from collections.abc import Iterable, Mapping
from types import MappingProxyType
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
    outside: Mapping[NodeId, Signature] = MappingProxyType({}),
    origins: Mapping[NodeId, str] = MappingProxyType({}),
) -> dict[NodeId, Signature]:
    """The signature of every node of `order` (sources first, see `Graph.order`), in that order; O(nodes + links).

    `fingerprints` holds the digests of outside state, for the nodes that read any. `outside` has the signatures of
    nodes that links lead to and that are not in `order`. `origins` tells of nodes that a run made itself how they came
    about: their literals may be values that cannot be signed; these are known by their origin and the input's name.
    """
    made: dict[NodeId, Signature] = {}
    heads: dict[str, bytes] = {}
    for node_id in order:
        node = graph.nodes[node_id]
        definition = definitions[node.class_type]
        head = heads.get(node.class_type)
        if head is None:
            head = encode([RECIPE, node.class_type, definition.version])
            heads[node.class_type] = head
        own = encode(node_id) if definition.per_id else b""
        inputs = _inputs(node, made, outside, origins.get(node_id))
        made[node_id] = Signature(hashlib.sha256(head + own + encode(fingerprints.get(node_id)) + inputs).hexdigest())
    return made


def _inputs(
    node: Node, made: Mapping[NodeId, Signature], outside: Mapping[NodeId, Signature], origin: str | None
) -> bytes:
    pieces: list[bytes] = []
    for name, value in sorted(node.inputs.items()):
        pieces.append(encode(name))
        if isinstance(value, Link):
            source = made.get(value.source) or outside[value.source]
            pieces.append(b"link %b %d;" % (source.encode(), value.output))
            if name in node.raw:
                pieces.append(encode(value.source))  # the node sees the id itself
        elif origin is None:
            pieces.append(encode(value))
        else:
            try:
                pieces.append(encode(value))
            except TypeError:
                pieces.append(b"of " + encode([origin, name]))
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
