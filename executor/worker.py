"""The Worker protocol: what a place that runs jobs must offer, wherever that place is.

Carriers: `InProcessWorker` (the command line, tests) in `executor/local.py`, and `ProcessWorker` (the server: one
spawned process per device) in `executor/process.py`. A carrier knows nothing of HTTP or of what nodes do.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from executor.events import Event
from executor.packs import PackMessage, PackServices
from executor.schema import NodeDefinition

PreviewMethod = Literal["none", "auto", "latent2rgb", "taesd"]


@dataclass(frozen=True, slots=True)
class Job:
    """One request to run a wire prompt."""

    job_id: str
    prompt: Mapping[str, Any]
    targets: tuple[str, ...] | None = None
    """Output nodes to run; None means all of them."""
    extra_pnginfo: Mapping[str, Any] = field(default_factory=dict[str, Any])
    preview_method: PreviewMethod = "auto"
    client_id: str | None = None
    """Whom the job's messages go to; packs ask for it."""
    saves_metadata: bool = True
    """Whether files that nodes save carry the prompt and `extra_pnginfo`."""
    credentials: Mapping[str, str] = field(default_factory=dict[str, str])
    """AUTH_TOKEN_COMFY_ORG and API_KEY_COMFY_ORG, for nodes that ask; kept nowhere."""


@dataclass(frozen=True, slots=True)
class PromptError:
    """One thing that is wrong with a prompt, with the names that clients parse (protocol, "Error object")."""

    type: str
    message: str
    details: str
    extra_info: Mapping[str, Any] = field(default_factory=dict[str, Any])
    node_id: str | None = None
    """None: the prompt as a whole."""
    class_type: str | None = None
    dependent_outputs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Validation:
    """The verdict on a prompt. It may run if `outputs` is not empty, even where other parts of it are wrong."""

    outputs: tuple[str, ...]
    errors: tuple[PromptError, ...] = ()


@dataclass(frozen=True, slots=True)
class Device:
    """A device that a worker computes on; memory in bytes."""

    name: str
    type: str
    index: int | None
    memory_total: int
    memory_free: int


@dataclass(frozen=True, slots=True)
class WorkerReport:
    """What a worker says of itself."""

    devices: tuple[Device, ...]
    versions: Mapping[str, str]
    """Package name -> version, for example {"torch": "2.13.0+cpu"}."""


class WorkerLost(Exception):
    """The worker process died. The text says how; the job it ran may be given to its successor."""


class Worker(Protocol):
    """All calls but `run` are answered also while a job runs. Every call may raise WorkerLost."""

    async def definitions(self) -> Mapping[str, NodeDefinition]:
        """All node types by class_type; waits until the worker has loaded them."""
        ...

    async def report(self) -> WorkerReport:
        """Devices and versions."""
        ...

    async def validate(self, prompt: object, targets: Sequence[str] | None = None) -> Validation:
        """Check parsed JSON as a wire prompt; collects every error and raises none."""
        ...

    async def packs(self) -> PackServices:
        """The node packs that were loaded or failed to, and where they answer."""
        ...

    async def rewrite_prompt(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """The body of a request to `/prompt` as the packs' handlers want it; see `PackServices.rewrites_prompts`."""
        ...

    def messages(self) -> AsyncIterator[PackMessage]:
        """What packs send to clients, for one listener; ends when the worker is closed."""
        ...

    def run(self, job: Job) -> AsyncIterator[Event]:
        """Run a job; the last event is RunFinished or RunInterrupted. Several jobs may run at once; what they have in
        common is executed once."""
        ...

    async def interrupt(self, job_id: str | None = None) -> bool:
        """Ask the running job `job_id`, or (None) all that run, to stop. True if there was one."""
        ...

    async def lost(self) -> None:
        """Wait until the process that lives now is gone, or return at once if none does; a worker that is no process
        of its own waits for ever."""
        ...

    def silent(self) -> float | None:
        """Seconds since its process was last heard of, which says something of itself every second while it is well;
        None while there is none."""
        ...

    async def free(self, *, unload_models: bool, free_memory: bool) -> None:
        """After the running job: drop loaded models, and (`free_memory`) every memo in memory too."""
        ...

    async def close(self) -> None:
        """Stop and release everything."""
        ...
