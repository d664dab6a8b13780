"""The workers: which of them live, what each does now, and who should run the next job.

Every worker is started again when it is gone, each by itself, and questions go to any that lives. It knows neither the
job store nor the messages; what becomes of a job whose worker died is `dispatch`'s matter.
"""

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

from executor.packs import PackServices
from executor.schema import NodeDefinition
from executor.worker import Device, Worker, WorkerLost, WorkerReport
from server.affinity import Remembered, Traits, traits_of

log = logging.getLogger(__name__)
T = TypeVar("T")

_LONGEST_PAUSE: Final = 30.0
_SHORT_LIFE: Final = 10.0
_QUICK_DEATHS: Final = 4
"""Lives of less than so many seconds that a worker may have before it is started again more slowly."""
_PACKS_SECONDS: Final = 60.0
_REPORT_SECONDS: Final = 15.0
"""Generous, because a worker that has just started is still importing."""
_FRESH_SECONDS: Final = 2.0
"""How long what packs offer counts as known; they may change it at any time."""


def _ignore(_services: PackServices) -> None:
    """Nobody wants to hear it."""


class Station:
    """One worker and its work."""

    def __init__(self, number: int, worker: Worker, room: int) -> None:
        self.number = number
        self.worker = worker
        self.running: list[str] = []
        """Ids of its jobs, oldest first."""
        self.alone = False
        """Its job may have killed a worker, and must not take others with it."""
        self.ready = False
        """It lives and has loaded its nodes."""
        self.failure: str | None = None
        """Why it does not start."""
        self.services: PackServices | None = None
        """What its packs offer; while it starts again, what they offered before."""
        self.remembered = Remembered()
        self.used = 0
        """Rises with every job of the pool: the worker with the highest number was given the last one."""
        self.services_asked = -math.inf
        """When, on the loop's clock."""
        self.gone = asyncio.Event()
        self._room = room

    def has_room(self, *, alone: bool = False) -> bool:
        """It may be given a further job; `alone`: one that runs without others."""
        return not self.running if alone else not self.alone and len(self.running) < self._room

    @property
    def state(self) -> str:
        """ "ready", "starting", or why it does not start."""
        return "ready" if self.ready else self.failure or "starting"


class WorkerPool:
    """All workers of the server. `start` and `close` bracket its life."""

    def __init__(
        self, workers: Sequence[Worker], jobs_per_worker: int = 1, adopt: Callable[[PackServices], None] = _ignore
    ) -> None:
        """`adopt` hears what the packs offer, whenever a worker tells it."""
        self._adopt = adopt
        self.stations = tuple(Station(number, worker, jobs_per_worker) for number, worker in enumerate(workers))
        self.definitions: Mapping[str, NodeDefinition] | None = None
        """All node types, once any worker has told them."""
        self._uses = 0
        self._keepers: list[asyncio.Task[None]] = []
        self._changed = asyncio.Event()

    def start(self) -> None:
        """Have every worker load, now and after each loss."""
        self._keepers = [asyncio.create_task(self._keep(station), name="keep a worker") for station in self.stations]

    async def close(self) -> None:
        """Stop all workers."""
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)
        await asyncio.gather(*(station.worker.close() for station in self.stations))

    @property
    def failure(self) -> str | None:
        """Why no worker starts; None while one lives, or still may."""
        failures = [station.failure for station in self.stations if not station.ready]
        return failures[0] if len(failures) == len(self.stations) and all(failures) else None

    @property
    def pack_station(self) -> Station | None:
        """The worker that answers for the packs: the first that lives, so that what they keep in memory is in one
        place; while none does, one that told what they offer. None until one has."""
        told = [station for station in self.stations if station.services is not None]
        return min(told, key=lambda it: not it.ready, default=None)

    @property
    def services(self) -> PackServices | None:
        """What the packs offer; None until a worker has told it."""
        station = self.pack_station
        return station.services if station is not None else None

    async def renew_services(self) -> bool:
        """Ask again what the packs offer, unless that was asked just now; True if it is something else."""
        station, now = self.pack_station, asyncio.get_running_loop().time()
        known = station.services if station is not None else None
        if station is None or known is None or not known.packs or not station.ready:
            return False
        if now < station.services_asked + _FRESH_SECONDS:
            return False
        station.services_asked = now
        try:
            self._hear(station, await _services(station.worker))
        except WorkerLost:
            self.lost(station)
            return False
        return station.services != known

    async def until(self, holds: Callable[[], bool]) -> None:
        """Return as soon as `holds` after a change of what workers are or do."""
        while not holds():
            self._changed.clear()
            await self._changed.wait()

    async def room(self, *, alone: bool = False) -> None:
        """Return when some worker is ready for a job; `alone`: for one that runs without others."""
        await self.until(lambda: any(station.ready and station.has_room(alone=alone) for station in self.stations))

    async def take(self, job_id: str, prompt: Mapping[str, Any], *, alone: bool = False) -> Station:
        """The worker for a job, which counts as its from now on: of those with room the one that remembers most of it,
        else the one whose last job is longest ago. To be called after `room`, by one caller."""
        traits: Traits = {}
        if len(self.stations) > 1:
            traits = await asyncio.to_thread(traits_of, prompt, self.definitions or {})
        free = [station for station in self.stations if station.has_room(alone=alone)]
        free = [station for station in free if station.ready] or free
        # Where two remember as much, the one that did so last still has it; where none does, the others may soon.
        shares = {station.number: station.remembered.share(traits) for station in free}
        chosen = max(free, key=lambda it: (shares[it.number], it.used if shares[it.number] else -it.used))
        self._uses += 1
        chosen.used = self._uses
        chosen.remembered.add(traits)
        chosen.running.append(job_id)
        chosen.alone = alone
        return chosen

    def release(self, station: Station, job_id: str) -> None:
        """The job is no longer this worker's."""
        station.running.remove(job_id)
        station.alone = False
        self._changed.set()

    def lost(self, station: Station) -> None:
        """The process of this worker is gone: it gets no job until its successor is ready."""
        station.ready = False
        station.remembered.clear()
        station.gone.set()

    async def ask(self, question: Callable[[Worker], Awaitable[T]]) -> T:
        """The answer of a worker that lives, the idlest first. Raises WorkerLost if not even a successor answers."""
        living = (station for station in self.stations if station.ready)
        for station in sorted(living, key=lambda it: len(it.running)):
            try:
                return await question(station.worker)
            except WorkerLost:
                self.lost(station)
        return await question(self.stations[0].worker)

    async def free(self, *, unload_models: bool, free_memory: bool) -> None:
        """Have every worker drop models (and memos) once its jobs have ended."""

        async def free(station: Station) -> None:
            try:
                await station.worker.free(unload_models=unload_models, free_memory=free_memory)
            except WorkerLost as lost:
                log.warning("The worker had nothing left to free: %s", lost)
            if free_memory:
                station.remembered.clear()

        await asyncio.gather(*map(free, self.stations))

    async def report(self) -> WorkerReport:
        """The devices and versions of all workers that answer in time; a device that several share is told once."""
        ready = [station.worker for station in self.stations if station.ready]
        answers = await asyncio.gather(*(_report(worker) for worker in ready))
        devices: dict[tuple[str, int | None, str], Device] = {}
        for device in (device for answer in answers for device in answer.devices):
            devices.setdefault((device.type, device.index, device.name), device)
        versions = {name: version for answer in reversed(answers) for name, version in answer.versions.items()}
        return WorkerReport(tuple(devices.values()), versions)

    def _hear(self, station: Station, services: PackServices) -> None:
        if services != station.services:
            station.services = services
            self._adopt(services)

    async def _keep(self, station: Station) -> None:
        loop, failures = asyncio.get_running_loop(), 0
        while True:
            station.failure = await self._load(station)
            station.gone.clear()  # what was met until now was the loss of the one before
            if station.failure is None:
                began = loop.time()
                await self._until_gone(station)
                failures = 0 if loop.time() > began + _SHORT_LIFE else failures + 1
                what, pause = "dies again and again", 2.0 ** (failures - _QUICK_DEATHS)
            else:
                failures += 1
                what, pause = f"cannot start ({station.failure})", 2.0 ** (failures - 1)
            if pause >= 1:
                pause = min(pause, _LONGEST_PAUSE)
                log.error("A worker process %s; next try in %g s.", what, pause)
                await asyncio.sleep(pause)

    async def _until_gone(self, station: Station) -> None:
        """Wait until someone meets the loss of this worker, or the worker says it itself."""
        said = asyncio.ensure_future(station.worker.lost())
        met = asyncio.ensure_future(station.gone.wait())
        try:
            await asyncio.wait([said, met], return_when=asyncio.FIRST_COMPLETED)
        finally:
            said.cancel()
            met.cancel()
            await asyncio.gather(said, met, return_exceptions=True)
        self.lost(station)

    async def _load(self, station: Station) -> str | None:
        """Wait until the worker has loaded; why it cannot, if so."""
        failure = None
        try:
            definitions = await station.worker.definitions()
            self._hear(station, await _services(station.worker))
            self.definitions = definitions
            station.ready = True
        except WorkerLost as lost:
            failure = str(lost)
        except Exception as error:  # noqa: BLE001 - whatever keeps a worker from starting is told, and tried again
            failure = f"{type(error).__name__}: {error}"
        station.failure = failure
        self._changed.set()
        return failure


async def _services(worker: Worker) -> PackServices:
    """What the packs offer. Packs that cannot be served stop no job."""
    try:
        return await asyncio.wait_for(worker.packs(), _PACKS_SECONDS)
    except WorkerLost:
        raise
    except Exception as error:
        log.exception("The node packs of a worker cannot be served: %s", error)
        return PackServices()


async def _report(worker: Worker) -> WorkerReport:
    try:
        return await asyncio.wait_for(worker.report(), _REPORT_SECONDS)
    except (WorkerLost, TimeoutError):
        return WorkerReport((), {})
