"""What the server is told at its start. Knows no command line: `main.py` builds it from flags."""

from dataclasses import dataclass
from pathlib import Path

from executor.worker import PreviewMethod

MEBIBYTE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """Where the server listens, what it accepts and where it keeps things. Sizes in bytes, times in seconds."""

    listen: tuple[str, ...] = ("127.0.0.1",)
    """Addresses to bind. Anything but loopback also admits IP literals and this machine's name as Host."""
    port: int = 8188
    """0 lets the system choose; the announced address carries the choice."""
    editor: Path | None = None
    """The built editor, usually `frontend/dist`; a page that explains how to build it stands in for a missing one."""
    database: Path | None = None
    """The job store; None means `heddle.db` in the user folder."""
    max_upload_size: int = 100 * MEBIBYTE
    max_json_size: int = 16 * MEBIBYTE
    compress: bool = False
    """Compress JSON and texts for clients that take it."""
    cors_origin: str | None = None
    """Foreign origins that may use the API: "*", or a comma list such as "https://a.example,http://localhost:5173"."""
    allowed_hosts: tuple[str, ...] = ()
    """Further host names under which the server is reached, for example behind a reverse proxy."""
    tls_cert: Path | None = None
    tls_key: Path | None = None
    require_token: bool = False
    """Ask for the access token on loopback as well; beyond it always."""
    plain_http: bool = False
    """Listen beyond loopback without TLS, too."""
    preview_method: PreviewMethod = "auto"
    """For jobs that ask for none of their own."""
    saves_metadata: bool = True
    """Whether files that nodes save carry the prompt and the workflow."""
    state_interval: float = 0.125
    """Between two messages that tell the state of a run's nodes: with the last one never more than ten in a second."""
    uuid_prompt_ids: bool = False
    """Refuse a `prompt_id` that a client chose unless it is a UUID, as newer ComfyUI servers do."""
    max_queue: int = 20_000
    """Unfinished jobs; one more is answered 429."""
    max_history: int = 10_000
    """Finished jobs that are kept; the oldest go first."""
    jobs_per_worker: int = 1
    """Jobs that one worker runs at once; what they have in common is executed once."""
    worker_deadline: float = 120.0
    """How long a request waits for the worker's node definitions before it is answered 503."""
    pack_deadline: float = 300.0
    """How long a request for a node pack's route waits for the answer, and for each further part of it."""
    version: str = "0"
    argv: tuple[str, ...] = ()
    """The command line, as `/system_stats` reports it."""
