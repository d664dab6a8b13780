"""What a worker tells of the node packs that it loaded, and what they want of the server: the contract between the two.

Packs live in the worker process. Their routes answer on a socket of that process, to which the server forwards; their
messages are carried by the worker's `messages`. Loads nothing itself.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from executor.folders import ModelFolder


@dataclass(frozen=True, slots=True)
class PackReport:
    """How one pack was loaded."""

    name: str
    """Of its folder or file, without `.py`."""
    path: str
    module: str
    """What object_info calls it, for example "custom_nodes.my_pack"."""
    node_types: tuple[str, ...] = ()
    seconds: float = 0.0
    error: str | None = None
    """One sentence, if it could not be loaded; then the rest may be empty."""
    traceback: tuple[str, ...] = ()
    web_directories: Mapping[str, str] | None = None
    """Name under `/extensions/` -> folder with the JavaScript that the pack gives the editor."""


@dataclass(frozen=True, slots=True)
class PackServices:
    """All packs of a worker, and where they answer."""

    packs: tuple[PackReport, ...] = ()
    routes: tuple[tuple[str, str], ...] = ()
    """(method, path pattern of aiohttp) of every route that packs registered, for example ("GET", "/my/{name}")."""
    address: str | None = None
    """Path of the Unix socket on which the worker serves these routes over HTTP; None if there are none."""
    model_folders: Mapping[str, ModelFolder] = field(default_factory=dict[str, ModelFolder])
    """Every folder of model files as the packs left them, for `Folders.adopt`: some add folders, roots or suffixes."""
    owners: Mapping[str, str] = field(default_factory=dict[str, str])
    """Path pattern of a route -> name of the pack that registered it, where that is known."""
    rewrites_prompts: bool = False
    """Some pack wants to see every request to `/prompt` first; see `Worker.rewrite_prompt`."""


@dataclass(frozen=True, slots=True)
class PackMessage:
    """What a pack sends to clients: JSON data, or bytes for a binary frame."""

    event: str | int
    """Message type, or the number of a binary event."""
    data: Any
    client_id: str | None = None
    """None: everyone."""


class PackHost(Protocol):
    """What a worker needs of the packs that live in it."""

    async def start(self, hear: Callable[[PackMessage], None]) -> None:
        """Serve routes from now on; messages go to `hear`, which may be called from any thread."""
        ...

    def services(self) -> PackServices:
        """What there is."""
        ...

    def rewrite_prompt(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """The body of a request to `/prompt` after every handler has seen it; one that fails is logged and skipped."""
        ...

    def job_began(self, job_id: str, client_id: str | None) -> None:
        """A job begins to run."""
        ...

    def job_ended(self, job_id: str) -> None:
        """It has ended."""
        ...

    async def close(self) -> None:
        """Stop serving."""
        ...
