"""Several caches as one, the fastest first, and the rule that a memo stands only while the files it shows do.

What a tier keeps, and for how long, is its own matter. What a shown file is, the caller knows.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from executor.cache import Cache, Memo
from executor.signature import Signature


class TieredCache:
    """Implements `Cache`. A memo found in a slower tier is given to the faster ones.

    `shown_state` digests the outside state (files) that a node's `ui` names. It is taken when a memo is put and again
    when one is asked for; where the two differ, the memo no longer tells the truth, and its node must run again.
    """

    def __init__(self, tiers: Sequence[Cache], shown_state: Callable[[Mapping[str, Any]], str]) -> None:
        self._tiers = tuple(tiers)
        self._shown_state = shown_state

    def has(self, signature: Signature) -> bool:
        """Whether a tier holds the memo. Files are not looked at, which would not be cheap."""
        return any(tier.has(signature) for tier in self._tiers)

    def get(self, signature: Signature) -> Memo | None:
        """The memo of the fastest tier that has one that stands."""
        for position, tier in enumerate(self._tiers):
            memo = tier.get(signature)
            if memo is not None and (memo.ui is None or self._shown_state(memo.ui) == memo.shown_state):
                for faster in self._tiers[:position]:
                    faster.put(signature, memo)
                return memo
        return None

    def put(self, signature: Signature, memo: Memo) -> None:
        """Give the memo to every tier."""
        if memo.ui is not None:
            memo = replace(memo, shown_state=self._shown_state(memo.ui))
        for tier in self._tiers:
            tier.put(signature, memo)

    def retain(self, signatures: Collection[Signature]) -> None:
        """Tell every tier what the run consists of."""
        for tier in self._tiers:
            tier.retain(signatures)

    def clear(self) -> None:
        """Forget everything that takes memory."""
        for tier in self._tiers:
            tier.clear()

    def close(self) -> None:
        """Finish what is under way."""
        for tier in self._tiers:
            tier.close()
