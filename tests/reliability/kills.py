"""kill -9 at random moments, again and again: of a server with jobs on their way, and of a process that saves pictures.

It collects what it finds and judges nothing: the cases and the release gate do.
"""

import contextlib
import io
import json
import math
import multiprocessing
import os
import random
import signal
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from http.client import HTTPException
from pathlib import Path

from PIL import Image

from tests.reliability.stand import ENDED, Stand, saving


@dataclass
class Evidence:
    """What was found after a number of kills."""

    kills: int = 0
    accepted: list[str] = field(default_factory=list)
    """Ids of jobs that were answered 200, in the order of the answers."""
    lost: list[str] = field(default_factory=list)
    """Of these, what did not end as completed."""
    disordered: list[str] = field(default_factory=list)
    """Jobs that ended before one that was accepted earlier."""
    overwritten: int = 0
    """Workflows and settings that were written over."""
    between: list[str] = field(default_factory=list)
    """Files that were neither the old one nor the new one."""
    torn: list[str] = field(default_factory=list)
    """Pictures that cannot be decoded to their end."""
    written: int = 0
    """Pictures that are there."""
    integrity: str = ""
    longest_start: float = 0.0


def kill_again_and_again(base: Path, *, rounds: int, seed: int, light: bool, seconds: float = math.inf) -> Evidence:
    """Kill the server `rounds` times, or as often as `seconds` allow, while clients submit, save workflows and change
    settings; then let it finish."""
    until = time.monotonic() + seconds
    chance, found, stand = random.Random(seed), Evidence(), Stand(base, light=light)
    for turn in range(rounds):
        if time.monotonic() > until:
            break
        found.longest_start = max(found.longest_start, stand.start())
        ends = threading.Event()
        clients = [
            threading.Thread(target=_keep_on, args=(ends, work))
            for work in (partial(_submit, stand, found, turn), partial(_overwrite, stand, found))
        ]
        for client in clients:
            client.start()
        accepted = len(found.accepted)
        ends.wait(chance.uniform(0.0, 0.3))
        while len(found.accepted) < accepted + 3 and stand.process is not None and stand.process.poll() is None:
            ends.wait(chance.uniform(0.05, 0.4))  # until its worker has told its nodes, nothing is accepted
        stand.kill()
        ends.set()
        for client in clients:
            client.join()
        found.kills += 1
        _look(base, found)
    stand.start()
    try:
        stand.until_ready()
        for job_id in found.accepted:
            if stand.until(job_id, *ENDED, seconds=120)["status"] != "completed":
                found.lost.append(job_id)
        ran = [job_id for job_id in stand.get("/history").json() if job_id in set(found.accepted)]
        found.disordered = [job_id for job_id, expected in zip(ran, found.accepted, strict=False) if job_id != expected]
        found.lost += sorted(set(found.accepted) - set(ran))
    finally:
        stand.kill()
    _look(base, found)
    with contextlib.closing(sqlite3.connect(base / "user" / "heddle.db")) as database:
        found.integrity = database.execute("PRAGMA integrity_check").fetchone()[0]
    return found


def kill_two_servers(base: Path, *, rounds: int, seed: int, light: bool, seconds: float = math.inf) -> Evidence:
    """The same with two servers at once, each on an installation of its own, which takes half the time."""
    with ThreadPoolExecutor(2) as both:
        halves = [
            both.submit(
                kill_again_and_again,
                base / str(part),
                rounds=(rounds + part) // 2,
                seed=seed + part,
                light=light,
                seconds=seconds,
            )
            for part in range(2)
        ]
        one, other = (half.result() for half in halves)
    return Evidence(
        kills=one.kills + other.kills,
        accepted=one.accepted + other.accepted,
        lost=one.lost + other.lost,
        disordered=one.disordered + other.disordered,
        overwritten=one.overwritten + other.overwritten,
        between=one.between + other.between,
        torn=one.torn + other.torn,
        written=one.written + other.written,
        integrity=one.integrity if other.integrity == "ok" else other.integrity,
        longest_start=max(one.longest_start, other.longest_start),
    )


def _keep_on(ends: threading.Event, work: Callable[[], None]) -> None:
    with contextlib.suppress(OSError, HTTPException):  # the server is gone
        while not ends.is_set():
            work()


def _submit(stand: Stand, found: Evidence, turn: int) -> None:
    if len(found.accepted) >= 20 * (turn + 1):
        time.sleep(0.02)
        return
    answer = stand.prompt(saving(len(found.accepted) % 2**24, f"kill{len(found.accepted)}"))
    if answer.status == 200:
        found.accepted.append(answer.json()["prompt_id"])


_LONG = "x" * 200_000


def _overwrite(stand: Stand, found: Evidence) -> None:
    content = json.dumps({"number": found.overwritten, "text": _LONG, "end": found.overwritten}).encode()
    for answer in (
        stand.ask("POST", "/userdata/workflows%2Fmine.json", content),
        stand.post("/settings", {"a": found.overwritten, "text": _LONG, "b": found.overwritten}),
    ):
        found.overwritten += answer.status == 200


def _look(base: Path, found: Evidence) -> None:
    """At the files as they lie after a kill."""
    user = base / "user" / "default"
    for file, one, other in (
        (user / "workflows" / "mine.json", "number", "end"),
        (user / "comfy.settings.json", "a", "b"),
    ):
        if file.exists():
            try:
                content = json.loads(file.read_bytes())
                whole = content[one] == content[other] and content["text"] == _LONG
            except (ValueError, KeyError):
                whole = False
            if not whole:
                found.between.append(file.name)
    _look_at_pictures(base / "output", found)


def _look_at_pictures(folder: Path, found: Evidence) -> None:
    pictures = list(folder.glob("[!.]*.png"))
    found.written = len(pictures)
    for file in pictures:
        try:
            Image.open(io.BytesIO(file.read_bytes())).load()
        except (OSError, SyntaxError):
            found.torn.append(file.name)


def kill_while_saving(base: Path, *, kills: int, seed: int, seconds: float = math.inf) -> Evidence:
    """Kill a process that saves pictures one after the other, by the node's own code, `kills` times, or as often as
    `seconds` allow."""
    until = time.monotonic() + seconds
    found, chance = Evidence(), random.Random(seed)
    for name in ("input", "output", "temp", "user"):
        (base / name).mkdir(parents=True)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["nodes.image"])  # so that each process begins with everything imported
    for _ in range(kills):
        if time.monotonic() > until:
            break
        begun = context.Event()
        process = context.Process(target=_save_for_ever, args=(str(base), begun), daemon=True)
        process.start()
        assert begun.wait(120), "the process that saves does not begin"
        time.sleep(chance.uniform(0.0, 0.03))
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        found.kills += 1
    _look_at_pictures(base / "output", found)
    return found


def _save_for_ever(base: str, begun: threading.Event) -> None:
    """The child's whole life."""
    import torch

    from executor.folders import Folders
    from nodes.diffusion.pictures import encode_png
    from nodes.output_files import OutputSeries

    torch.set_num_threads(1)
    folders = Folders(**{name: Path(base, name) for name in ("input", "output", "temp", "user")}, models={})
    content = encode_png(torch.rand(128, 128, 3), {}, 0)
    series = OutputSeries(folders, "output", f"saved{os.getpid()}")
    series.save(".png", content)
    begun.set()
    while True:
        series.save(".png", content)
