"""The standing assertions S1 to S5: what must hold after every case, whatever it did.

Deadlines are those of the page, stretched by how busy the machine is (`stand.patience`). Two parts of S1 and S4 have
nothing to look at yet: results carry no recorded hash, so each is opened and decoded instead; and sockets are counted
among the file descriptors.
"""

import io
import itertools
import re
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import psutil
from PIL import Image

from tests.reliability.stand import ENDED, ROOT, Answer, Stand, patience, saving

MEBIBYTE = 2**20
STATES = ("pending", "in_progress", *ENDED)
FORBIDDEN = ("Traceback (most recent call last)", "weights_only=False", "tests/reliability", "\x1b[", str(ROOT))
"""What no refusal may hold: a stack trace, advice to weaken safety, escape codes, a path of the installation."""

_colors = itertools.count(1)


class StandingError(Exception):
    """An assertion that holds after every case did not hold. Not an AssertionError, which a known gap may raise."""


@dataclass(frozen=True, slots=True)
class Before:
    """The server as it was before a case."""

    pid: int
    rss: int
    descriptors: int
    threads: int
    answers: int
    log: int
    """How much of the log there was."""


def before(stand: Stand) -> Before:
    """Look at the server before a case."""
    server = stand.server
    return Before(
        server.pid,
        server.memory_info().rss,
        server.num_fds(),
        server.num_threads(),
        len(stand.answers),
        stand.log.stat().st_size,
    )


def check_standing(stand: Stand, was: Before, *, restarts: bool = False, allowed: Collection[int] = ()) -> None:
    """S1 to S5. `restarts`: the case starts the server anew, so it is another process. `allowed`: server errors that
    the case's own text asks for, such as 507 for a full disk. Raises StandingError."""
    told = stand.answers[was.answers :]
    _no_server_error(told, allowed)  # S5
    _clear(told)  # S2
    _alive(stand, None if restarts else was.pid)  # S3
    _nothing_lost(stand)  # S1
    if not restarts:
        _bounded(stand, was)  # S4


def _no_server_error(answers: Collection[Answer], allowed: Collection[int]) -> None:
    for answer in answers:
        if answer.status >= 500 and answer.status not in allowed:
            raise StandingError(f"S5: {answer.method} {answer.path[:80]} -> {answer.status} {answer.text[:300]}")


def _clear(answers: Collection[Answer]) -> None:
    for answer in answers:
        if not 400 <= answer.status < 500 or answer.method in ("HEAD", "OPTIONS"):
            continue
        where = f"S2: {answer.method} {answer.path[:80]} -> {answer.status}"
        try:
            body = answer.json()
            error = body["error"]
        except (ValueError, KeyError, TypeError):
            # What is no HTTP at all is refused by the parser, before there is a request that JSON could answer.
            if answer.status in (400, 431) and answer.headers.get("Content-Type", "").startswith("text/plain"):
                continue
            raise StandingError(f"{where} is no JSON error: {answer.text[:300]}") from None
        message = error if isinstance(error, str) else error.get("message")
        if not isinstance(message, str) or len(message) < 8:
            raise StandingError(f"{where} has no sentence: {answer.text[:300]}")
        if any(word in answer.text for word in FORBIDDEN):
            raise StandingError(f"{where} tells too much: {answer.text[:600]}")


def _alive(stand: Stand, pid: int | None) -> None:
    if stand.process is None or stand.process.poll() is not None:
        raise StandingError("S3: the server ended")
    if pid is not None and stand.process.pid != pid:
        raise StandingError("S3: the server is another process")
    stand.until_ready()  # a worker that died in the case is started again, which has a case of its own
    limit = patience()
    health = stand.get("/health")
    if health.status != 200 or health.seconds > limit:
        raise StandingError(f"S3: /health took {health.seconds:.2f} s: {health.text[:200]}")
    canary(stand)


def canary(stand: Stand) -> float:
    """A new picture is made and saved; the seconds it took. Raises StandingError if that is more than two."""
    began = time.monotonic()
    answer = stand.prompt(saving(next(_colors)), number=-1e9)
    if answer.status != 200:
        raise StandingError(f"S3: the canary was refused: {answer.text[:500]}")
    job_id = answer.json()["prompt_id"]
    try:
        job = stand.until(job_id, *ENDED, seconds=30)
    except AssertionError as error:
        raise StandingError(f"S3: the canary does not end: {error}") from None
    taken = time.monotonic() - began
    if job["status"] != "completed":
        raise StandingError(f"S3: the canary failed: {job.get('execution_error')}")
    if taken > 2.0 * patience():
        raise StandingError(f"S3: the canary took {taken:.1f} s")
    return taken


def _nothing_lost(stand: Stand) -> None:
    check_jobs(stand.accepted, {job["id"]: job["status"] for job in stand.get("/jobs").json()["jobs"]})
    queue = stand.get("/queue").json()
    unfinished = [item[1] for item in (*queue["queue_running"], *queue["queue_pending"])]
    if len(unfinished) != len(set(unfinished)):
        raise StandingError("S1: a job is in the queue twice")
    for file in (stand.base / "output").rglob("*.png"):
        if not file.name.startswith("."):
            whole(file.read_bytes(), file.name)
    for folder in ("input", "output", "temp", "user"):
        for file in (stand.base / folder).rglob("*"):
            if re.search(r"\.(tmp|partial|heddle-tmp)$", file.name) and file.stat().st_mtime < time.time() - 60:
                raise StandingError(f"S1: {file.name} was left behind in {folder}")


def check_jobs(accepted: Collection[str], listed: Mapping[str, str]) -> None:
    """Every accepted job is in a state. Raises StandingError."""
    for job_id in accepted:
        if listed.get(job_id) not in STATES:
            raise StandingError(f"S1: the accepted job {job_id} is {listed.get(job_id, 'lost')}")


def whole(content: bytes, name: str) -> None:
    """The picture opens and can be decoded to its end. Raises StandingError."""
    try:
        Image.open(io.BytesIO(content)).load()
    except (OSError, SyntaxError) as error:
        raise StandingError(f"S1: {name} is torn: {error}") from None


def _bounded(stand: Stand, was: Before) -> None:
    server = stand.server
    deadline = time.monotonic() + 30 * patience()
    while (grown := _growth(server, was)) is not None:
        if time.monotonic() > deadline:
            raise StandingError(f"S4: {grown}")
        time.sleep(0.2)
    stalls = stalled(stand, was.log)
    if stalls and max(stalls) > 0.1 * patience():
        raise StandingError(f"S4: the event loop was blocked for {max(stalls):.3f} s")


def _growth(server: psutil.Process, was: Before) -> str | None:
    rss, descriptors, threads = server.memory_info().rss, server.num_fds(), server.num_threads()
    if rss > was.rss * 1.15 + 8 * MEBIBYTE * min(
        patience(), 5
    ):  # a young interpreter still imports and fills its free lists
        return f"RSS {was.rss / MEBIBYTE:.0f} -> {rss / MEBIBYTE:.0f} MiB"
    if descriptors > was.descriptors + 8:
        return f"{was.descriptors} -> {descriptors} file descriptors"
    if threads > max(was.threads + 4, 48):  # asyncio's pool of threads fills up once
        return f"{was.threads} -> {threads} threads"
    return None


def stalled(stand: Stand, since: int) -> list[float]:
    """The seconds for which single callbacks held the server's loop, since this place in its log."""
    with stand.log.open(errors="replace") as log:
        log.seek(since)
        return [float(found) for found in re.findall(r"asyncio: Executing .* took ([\d.]+) seconds", log.read())]
