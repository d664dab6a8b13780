"""The node definitions, from the moment the worker has them.

The server is up long before its worker has imported torch; whoever needs definitions waits here, with a deadline.
"""

import asyncio
import logging
from collections.abc import Mapping
from typing import Final

from executor.schema import NodeDefinition
from executor.worker import Worker, WorkerLost
from server.errors import ApiError

log = logging.getLogger(__name__)

_LONGEST_PAUSE: Final = 30.0


class Catalogue:
    """Asks the worker for its definitions until it answers. `start` and `stop` bracket its life."""

    def __init__(self, worker: Worker, deadline: float) -> None:
        self._worker = worker
        self._deadline = deadline
        self._definitions: Mapping[str, NodeDefinition] | None = None
        self._failure: str | None = None
        self._settled = asyncio.Event()
        self._ready = asyncio.Event()
        self._loading: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to ask."""
        self._loading = asyncio.create_task(self._load(), name="load node definitions")

    async def stop(self) -> None:
        """Stop asking."""
        if self._loading is not None:
            self._loading.cancel()
            await asyncio.gather(self._loading, return_exceptions=True)

    @property
    def state(self) -> str:
        """ "ready", "starting", or why the worker does not start."""
        return "ready" if self._definitions is not None else self._failure or "starting"

    async def wait(self) -> None:
        """Return when there are definitions, however long that takes."""
        await self._ready.wait()

    async def definitions(self) -> Mapping[str, NodeDefinition]:
        """All node types by class_type. Raises ApiError 503 after the deadline, or at once if no worker starts."""
        try:
            await asyncio.wait_for(self._settled.wait(), self._deadline)
        except TimeoutError:
            message = f"The worker is still loading the nodes after {self._deadline:g} s; try again."
            raise ApiError(503, "worker_starting", message) from None
        if self._definitions is None:
            raise ApiError(503, "worker_unavailable", f"The worker process cannot start: {self._failure}")
        return self._definitions

    async def _load(self) -> None:
        pause = 1.0
        while True:
            try:
                self._definitions = await self._worker.definitions()
            except WorkerLost as lost:
                self._failure = str(lost)
            except Exception as error:  # noqa: BLE001 - whatever keeps the worker from starting is told, and tried again
                self._failure = f"{type(error).__name__}: {error}"
            self._settled.set()
            if self._definitions is not None:
                self._failure = None
                self._ready.set()
                return
            log.error("The worker process cannot start (%s); next try in %g s.", self._failure, pause)
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
