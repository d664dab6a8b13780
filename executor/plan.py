"""What runs and what is reused, decided backwards from the wanted outputs before anything runs.

Reads the cache and changes nothing. It decides by signatures alone, so nodes that would do the same work, in whatever
part of the graph and under whatever id, are one piece of work. Links that are lazy are not followed: when a node asks
for such an input, or expands into others, `demand` decides on those.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from executor.cache import Cache, Memo
from executor.graph import Graph, Node, NodeId
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

    The dict of memos belongs to the caller, who drops each one as soon as nobody needs it any more.
    """
    run, memos = demand(graph.nodes, targets, signatures, cache)
    running = {signatures[node_id] for node_id in run}
    runs = set(run)
    reused = [
        node_id
        for node_id, signature in signatures.items()
        if node_id not in runs and (signature in running or signature in memos or cache.has(signature))
    ]
    return Plan(tuple(run), tuple(reused), tuple(targets), signatures), memos


def demand(
    nodes: Mapping[NodeId, Node],
    targets: Sequence[NodeId],
    signatures: Mapping[NodeId, Signature],
    cache: Cache,
    stands: Callable[[Signature], bool] = lambda _: False,
) -> tuple[list[NodeId], dict[Signature, Memo]]:
    """The nodes that must run for `targets`, sources before consumers, and the memos that they and the targets rely on.

    A node is asked for only if one that must run reads it. A memo therefore hides everything above it: when the
    sampler's memo is there, the loader's need not be, and is not even looked at. `stands` tells of what the caller has
    seen to already.
    """
    memos: dict[Signature, Memo] = {}
    run: list[NodeId] = []
    opened: set[Signature] = set()
    settled: set[Signature] = set()
    waiting = list(reversed(targets))
    while waiting:
        node_id = waiting[-1]
        signature = signatures[node_id]
        if signature in settled or (signature not in opened and stands(signature)):
            waiting.pop()
        elif signature in opened:  # whatever was above it on the stack was one of its sources
            waiting.pop()
            settled.add(signature)
            run.append(node_id)
        elif (memo := cache.get(signature)) is not None:
            waiting.pop()
            settled.add(signature)
            memos[signature] = memo
        else:
            opened.add(signature)
            sources = [link.source for link in nodes[node_id].needed_links()]
            waiting.extend(source for source in reversed(sources) if signatures[source] not in opened)
    return run, memos
