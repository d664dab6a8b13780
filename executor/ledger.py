"""Who of a run waits for which results, and which results are still to be read. Bookkeeping only: it runs nothing.

Results go by signature and nodes by id. Nothing here recurses, and every call is linear in what it changes.
"""

from collections.abc import Iterable, Mapping

from executor.cache import Memo
from executor.graph import NodeId
from executor.signature import Signature


class Ledger:
    """The open nodes of one run: those that are to run and have no result yet.

    Invariant: `values` holds a result exactly as long as an open node may read it.
    """

    def __init__(self) -> None:
        self.values: dict[Signature, Memo] = {}
        self.lost: set[Signature] = set()
        """Results that there will never be."""
        self._open: dict[NodeId, Signature] = {}
        self._makers: dict[Signature, NodeId] = {}
        self._reads: dict[NodeId, list[Signature]] = {}
        self._missing: dict[NodeId, set[Signature]] = {}
        self._waiting: dict[Signature, list[NodeId]] = {}
        self._unread: dict[Signature, int] = {}

    def __len__(self) -> int:
        """How many nodes are open."""
        return len(self._open)

    def stands(self, signature: Signature) -> bool:
        """Whether the result is here, on its way, or lost for good; otherwise someone has yet to see to it."""
        return signature in self.values or signature in self._makers or signature in self.lost

    def open(self, node_id: NodeId, signature: Signature) -> None:
        """The node is to run."""
        self._open[node_id] = signature
        self._makers[signature] = node_id
        self._reads[node_id] = []
        self._missing[node_id] = set()

    def will_read(self, node_id: NodeId, signatures: Iterable[Signature]) -> None:
        """The open node may read these results; they are held for it."""
        for signature in signatures:
            self._reads[node_id].append(signature)
            self._unread[signature] = self._unread.get(signature, 0) + 1

    def wait(self, node_id: NodeId, signatures: Iterable[Signature]) -> bool:
        """The open node cannot go on without these results. True if they are all here."""
        missing = self._missing[node_id]
        for signature in signatures:
            if signature not in self.values and signature not in missing:
                missing.add(signature)
                self._waiting.setdefault(signature, []).append(node_id)
        return not missing

    def offer(self, results: Mapping[Signature, Memo]) -> None:
        """Results that were found; those that someone may read are held."""
        for signature, memo in results.items():
            if self._unread.get(signature):
                self.values[signature] = memo

    def settle(self, node_id: NodeId, memo: Memo) -> list[NodeId]:
        """The open node has its result and is closed. Returns the nodes that now have all they wait for."""
        signature = self._open[node_id]
        self.offer({signature: memo})
        self._close(node_id)
        complete: list[NodeId] = []
        for reader in self._waiting.pop(signature, ()):
            missing = self._missing.get(reader)
            if missing is not None:
                missing.discard(signature)
                if not missing:
                    complete.append(reader)
        return complete

    def lose(self, node_id: NodeId) -> list[NodeId]:
        """The open node will have no result; it is closed, and so are all that wait for it. Returns all of them."""
        lost: list[NodeId] = []
        losing = [node_id]
        while losing:
            signature = self._open.get(losing[-1])
            lost_id = losing.pop()
            if signature is not None:
                lost.append(lost_id)
                self.lost.add(signature)
                self._close(lost_id)
                losing.extend(self._waiting.pop(signature, ()))
        return lost

    def waits(self) -> dict[NodeId, list[NodeId]]:
        """Each open node that waits, with the open nodes that it waits for."""
        return {
            node_id: [self._makers[signature] for signature in missing if signature in self._makers]
            for node_id, missing in self._missing.items()
            if missing
        }

    def _close(self, node_id: NodeId) -> None:
        del self._makers[self._open.pop(node_id)]
        del self._missing[node_id]
        for signature in self._reads.pop(node_id):
            self._unread[signature] -= 1
            if not self._unread[signature]:
                del self._unread[signature]
                self.values.pop(signature, None)
