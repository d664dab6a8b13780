"""What runs and what is reused, decided backwards from the wanted outputs before anything runs.

Reads the cache and changes nothing. It decides by signatures alone, so nodes that would do the same work, in whatever
part of the graph and under whatever id, are one piece of work.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from executor.cache import Cache, Memo
from executor.graph import Graph, NodeId
from executor.signature import Signature


@dataclass(frozen=True, slots=True)
class Plan:
    """A decision. Invariant: whatever a node in `run` needs is in `run` before it, or was found in the cache."""

    run: tuple[NodeId, ...]
    """Sources before consumers; of several nodes with the same signature only one."""
    reused: tuple[NodeId, ...]
    """Nodes whose result stands already, or will be that of a node in `run` with the same signature."""
    targets: tuple[NodeId, ...]
    signatures: Mapping[NodeId, Signature]


def make_plan(
    graph: Graph, targets: Sequence[NodeId], signatures: Mapping[NodeId, Signature], cache: Cache
) -> tuple[Plan, dict[Signature, Memo]]:
    """The plan for `targets`, and the memos it relies on, taken from the cache so that no eviction can undo it.

    A node is asked for only if one that must run reads it. A memo therefore hides everything above it: when the
    sampler's memo is there, the loader's need not be, and is not even looked at.
    `signatures` lists sources before their consumers; the plan keeps that order.
    The dict of memos belongs to the caller, who drops each one as soon as nobody needs it any more.
    """
    memos: dict[Signature, Memo] = {}
    needed: set[Signature] = set()
    waiting = list(targets)
    while waiting:
        node_id = waiting.pop()
        signature = signatures[node_id]
        if signature in memos or signature in needed:
            continue
        memo = cache.get(signature)
        if memo is not None:
            memos[signature] = memo
            continue
        needed.add(signature)
        waiting.extend(link.source for link in graph.nodes[node_id].links())
    run: dict[Signature, NodeId] = {}
    reused: list[NodeId] = []
    for node_id, signature in signatures.items():
        if signature in needed and signature not in run:
            run[signature] = node_id  # the first of equal ones, which is before whatever reads any of them
        elif signature in needed or signature in memos or cache.has(signature):
            reused.append(node_id)
    return Plan(tuple(run.values()), tuple(reused), tuple(targets), signatures), memos
