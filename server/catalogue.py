"""The node definitions, from the moment a worker has them.

The server is up long before its workers have imported torch; whoever needs definitions waits here, with a deadline.
"""

import asyncio
import logging
from collections.abc import Mapping
from typing import Final

from executor.schema import NodeDefinition
from executor.worker import WorkerLost
from server.errors import ApiError
from server.pool import WorkerPool

log = logging.getLogger(__name__)

_REFRESH_SECONDS: Final = 5.0


class Catalogue:
    """The definitions that the workers of `pool` have."""

    def __init__(self, pool: WorkerPool, deadline: float) -> None:
        self._pool = pool
        self._deadline = deadline

    @property
    def state(self) -> str:
        """ "ready", "starting", or why no worker starts."""
        return "ready" if self._pool.definitions is not None else self._pool.failure or "starting"

    async def definitions(self) -> Mapping[str, NodeDefinition]:
        """All node types by class_type. Raises ApiError 503 after the deadline, or at once if no worker starts."""
        pool = self._pool
        try:
            settled = pool.until(lambda: pool.definitions is not None or pool.failure is not None)
            await asyncio.wait_for(settled, self._deadline)
        except TimeoutError:
            message = f"The worker is still loading the nodes after {self._deadline:g} s; try again."
            raise ApiError(503, "worker_starting", message) from None
        if pool.definitions is None:
            raise ApiError(503, "worker_unavailable", f"The worker process cannot start: {pool.failure}")
        return pool.definitions

    async def refreshed(self) -> Mapping[str, NodeDefinition]:
        """The same as they are now, for an editor that asks again.

        Definitions of our own nodes never change (their folders are listed by us, at each request), so a worker is
        asked only if it has packs, whose choices may come from anywhere. If it does not answer soon, the last ones do.
        """
        known = await self.definitions()
        services = self._pool.services
        if services is None or not any(pack.node_types for pack in services.packs):
            return known
        try:
            asked = self._pool.ask(lambda worker: worker.definitions())
            self._pool.definitions = await asyncio.wait_for(asked, _REFRESH_SECONDS)
        except (WorkerLost, RuntimeError, TimeoutError) as error:
            log.warning("The nodes are described as they were before; the worker did not answer: %s", error)
        return self._pool.definitions or known
