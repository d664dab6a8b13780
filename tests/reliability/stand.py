"""A real server in a process of its own, with the built-in nodes and the hostile pack, and every answer that it gave.

It asks over plain sockets, so that a request may be as malformed as a case wants. It judges nothing: `standing` does.
"""

import contextlib
import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).resolve().parents[2]
PACK = Path(__file__).parent / "hostile_pack"
EMBEDDED = ROOT / "models" / "checkpoints" / "heddle_scenes.safetensors"
ENDED = ("completed", "failed", "cancelled")


def patience() -> float:
    """By how much deadlines of the page are stretched.

    In the ordinary run a shared machine must not fail a case: it stalls for moments that no load average shows, so they
    find what hangs and what grows, not what is slow. HEDDLE_STRICT_DEADLINES=1 measures: 1 on an idle machine.
    """
    busy = max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))
    return busy if os.environ.get("HEDDLE_STRICT_DEADLINES") == "1" else 5 * busy


def deadline(seconds: float) -> float:
    """A deadline of the page where deadlines are asked for; else so long that only what hangs misses it."""
    return seconds * patience() if os.environ.get("HEDDLE_STRICT_DEADLINES") == "1" else 60.0


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer of the server."""

    method: str
    path: str
    status: int
    headers: Mapping[str, str]
    body: bytes
    seconds: float

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def text(self) -> str:
        return self.body.decode(errors="replace")


@dataclass
class Stand:
    """One installation (`base`) and the server that runs on it, if one does."""

    base: Path
    flags: tuple[str, ...] = ()
    light: bool = False
    """Its worker has the nodes of `light_nodes` and no torch."""
    watched: bool = True
    """Its event loop is watched for stalls, which makes it slower."""
    port: int = 0
    process: subprocess.Popen[str] | None = None
    announced: str = ""
    """The line in which the server said where it is."""
    answers: list[Answer] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    """What every request brings unless it says otherwise: the access token where one is asked for."""
    accepted: list[str] = field(default_factory=list)
    """Ids of all jobs that were ever answered 2xx."""

    def __post_init__(self) -> None:
        for name in ("input", "output", "temp", "user", "models/checkpoints", "models/loras", "custom_nodes"):
            (self.base / name).mkdir(parents=True, exist_ok=True)

    # -- the process -------------------------------------------------------------------------------------------------

    def start(self, *, ready: float = 60.0, environment: Mapping[str, str] | None = None) -> float:
        """Start the server; the seconds until it answered."""
        line = self._line()
        began = time.monotonic()
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                line,
                cwd=ROOT,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=self._environment() | dict(environment or {}),
            )
        guard = threading.Timer(ready, self.process.kill)
        guard.start()
        try:
            assert self.process.stdout is not None
            self.announced = self.process.stdout.readline()
            found = re.search(r"http://\S+?:(\d+)", self.announced)
        finally:
            guard.cancel()
        assert found, f"the server did not start:\n{self.log.read_text()[-3000:]}"
        self.port = int(found[1])
        if self.token is not None:
            self.headers["X-Heddle-Token"] = self.token
        return time.monotonic() - began

    def _line(self) -> list[str]:
        line = [sys.executable, str(Path(__file__).with_name("launch.py")), "--cpu", "--port", str(self.port)]
        return [*line, "--base-directory", str(self.base), *self.flags]

    def _environment(self) -> dict[str, str]:
        light = {"HEDDLE_LIGHT": "1"} if self.light else {}
        unwatched = {} if self.watched else {"HEDDLE_UNWATCHED": "1"}
        return {**os.environ, "HF_HUB_OFFLINE": "1", **light, **unwatched}

    def start_fails(self, seconds: float = 60.0) -> str:
        """Start a server that must refuse to; what it says."""
        done = subprocess.run(
            self._line(),
            cwd=ROOT,
            env=self._environment(),
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        assert done.returncode == 1, done.stderr[-3000:]
        assert "Traceback" not in done.stderr, done.stderr
        return done.stderr

    def until_ready(self, seconds: float = 90.0) -> float:
        """Wait until the worker is ready; how long that took."""
        began = time.monotonic()
        while self.health().get("worker") != "ready":
            assert time.monotonic() < began + seconds, f"the worker is not ready:\n{self.log.read_text()[-3000:]}"
            time.sleep(0.05)
        return time.monotonic() - began

    def kill(self) -> None:
        """kill -9 the server; its worker follows by itself."""
        assert self.process is not None
        worker = self.worker
        self.process.kill()
        self.process.wait()
        self._close_pipe()
        if worker is not None:
            with contextlib.suppress(psutil.Error):
                psutil.wait_procs([worker], timeout=20)
        self.process = None

    def stop(self, number: int = signal.SIGTERM, seconds: float = 20.0) -> int:
        """Ask the server to stop; its exit status."""
        assert self.process is not None
        self.process.send_signal(number)
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"the server did not stop within {seconds} s") from None
        self._close_pipe()
        self.process = None
        return status

    def _close_pipe(self) -> None:
        if self.process is not None and self.process.stdout is not None:
            self.process.stdout.close()

    @property
    def server(self) -> psutil.Process:
        """The server's process."""
        assert self.process is not None
        return psutil.Process(self.process.pid)

    @property
    def worker(self) -> psutil.Process | None:
        """The worker's process, the child with the torch in it; None while there is none."""
        with contextlib.suppress(psutil.Error):
            for child in self.server.children():
                if "spawn_main" in " ".join(child.cmdline()):
                    return child
        return None

    @property
    def token(self) -> str | None:
        """The access token, where the server asks for one."""
        file = self.base / "user" / "heddle.token"
        return file.read_text().strip() if file.exists() else None

    @property
    def log(self) -> Path:
        return self.base / "server.log"

    # -- requests ----------------------------------------------------------------------------------------------------

    def ask(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None, timeout: float = 60
    ) -> Answer:
        """One request on a connection of its own. `body`: bytes as they are, anything else as JSON. An empty header is
        not sent."""
        given = {name: value for name, value in (self.headers | dict(headers or {})).items() if value}
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            given.setdefault("Content-Type", "application/json")
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        began = time.monotonic()
        try:
            connection.putrequest(method, path, skip_host="Host" in given, skip_accept_encoding=True)
            for name, value in given.items():
                connection.putheader(name, value)
            if body is not None:
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        got = Answer(method, path, answer.status, dict(answer.getheaders()), content, seconds=time.monotonic() - began)
        self.answers.append(got)
        if method == "POST" and path.endswith("/prompt") and got.status == 200:
            self.accepted.append(got.json()["prompt_id"])
        return got

    def get(self, path: str, **headers: str) -> Answer:
        return self.ask("GET", path, headers=headers)

    def post(self, path: str, body: Any) -> Answer:
        return self.ask("POST", path, body)

    def prompt(self, nodes: Mapping[str, Any], **envelope: Any) -> Answer:
        """Post a graph."""
        return self.post("/prompt", {"prompt": nodes, **envelope})

    def health(self) -> dict[str, Any]:
        return self.get("/health").json()

    def submit(self, nodes: Mapping[str, Any], **envelope: Any) -> str:
        """Post a graph that must be accepted; its id."""
        answer = self.prompt(nodes, **envelope)
        assert answer.status == 200, answer.text
        return answer.json()["prompt_id"]

    def state(self, job_id: str) -> str:
        answer = self.get(f"/jobs/{job_id}")
        return answer.json()["status"] if answer.status == 200 else "lost"

    def until(self, job_id: str, *states: str, seconds: float = 60.0) -> dict[str, Any]:
        """The job once it is in one of these states."""
        deadline = time.monotonic() + seconds * patience()
        while time.monotonic() < deadline:
            answer = self.get(f"/jobs/{job_id}")
            if answer.status == 200 and answer.json()["status"] in states:
                return answer.json()
            time.sleep(0.03)
        raise AssertionError(f"{job_id} is {self.state(job_id)}, not {states}, after {seconds} s")

    def run(self, nodes: Mapping[str, Any], **envelope: Any) -> dict[str, Any]:
        """Run a graph that is accepted to its end; the job."""
        return self.until(self.submit(nodes, **envelope), *ENDED)

    def failure(self, nodes: Mapping[str, Any]) -> dict[str, Any]:
        """Run a graph that must fail; what is told of it."""
        job = self.run(nodes)
        assert job["status"] == "failed", job
        return job["execution_error"]


def install_pack(base: Path) -> None:
    """Put the hostile pack where a user would."""
    shutil.copytree(PACK, base / "custom_nodes" / "hostile_pack", ignore=shutil.ignore_patterns("__pycache__"))


@contextlib.contextmanager
def standing_server(
    base: Path, *flags: str, pack: bool = True, light: bool = False, watched: bool = True
) -> Iterator[Stand]:
    """A server that is ready, and is ended with the block. `pack`: with the hostile one, which a light server cannot
    have."""
    stand = Stand(base, flags, light, watched)
    if pack and not light:
        install_pack(base)
    stand.start()
    try:
        stand.until_ready()
        yield stand
    finally:
        if stand.process is not None:
            stand.kill()


def node(class_type: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": class_type, "inputs": inputs}


def saving(color: int, prefix: str = "canary", size: int = 16) -> dict[str, Any]:
    """A picture of one colour, saved: the smallest real job."""
    return {
        "1": node("EmptyImage", width=size, height=size, batch_size=1, color=color),
        "2": node("SaveImage", images=["1", 0], filename_prefix=prefix),
    }


def hostile(kind: str, way: str = "") -> dict[str, Any]:
    """A node of the hostile pack that does `way`, and an output that needs it."""
    return {"7": node(kind, **({"way": way} if way else {})), "8": node("HostileShow", value=["7", 0])}
