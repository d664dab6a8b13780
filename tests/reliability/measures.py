"""What the release gate prints, measured on a server that runs. It judges nothing."""

import asyncio
import math
import statistics
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tests.reliability.corpus import GRAPH, HANDSHAKE, HOSTILE, HOSTILE_SOCKETS, MALFORMED, PATHS, nested
from tests.reliability.listening import deaf, listening
from tests.reliability.stand import ENDED, Stand, hostile, node, saving
from tests.reliability.standing import StandingError, canary


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that is not below this share of all."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, math.ceil(share * len(ordered)) - 1)]


def chain(length: int, seed: int) -> dict[str, Any]:
    """Nodes that each take the number of the one before; an output at the end."""
    graph: dict[str, Any] = {"n0": node("PrimitiveInt", value=seed)}
    for i in range(1, length - 1):
        graph[f"n{i}"] = node("PrimitiveInt", value=[f"n{i - 1}", 0])
    graph["out"] = node("PreviewAny", source=[f"n{length - 2}", 0])
    return graph


def hostile_corpus(stand: Stand) -> tuple[int, list[str]]:
    """Send every malformed body, path and depth; how many requests that were, and those that got a 5xx."""
    from urllib.parse import quote

    began = len(stand.answers)
    for _, body, _ in MALFORMED:
        stand.post("/prompt", body)
    for path in PATHS:
        quoted = quote(path, safe="")
        for route in (
            f"/view?filename={quoted}",
            f"/userdata/{quoted}",
            f"/userdata?dir={quoted}",
            f"/models/{quoted}",
        ):
            stand.get(route)
        stand.ask("POST", f"/userdata/{quoted}", b"written")
    for depth in (64, 500, 10_000):
        for name in ("prompt", "client_id", "extra_data", "number"):
            stand.post("/prompt", b'{"prompt": {}, "%s": %s}' % (name.encode(), nested(depth)))
    for name in ("client_id", "prompt_id", "number", "extra_data", "partial_execution_targets", "front"):
        for value in (None, True, -1, 1.5, "", "../x", "x" * 10_000, [], ["a"], {}, {"a": 1}):
            stand.prompt(GRAPH, **{name: value})
    sent = stand.answers[began:]
    return len(sent), [f"{it.method} {it.path[:60]} {it.status}" for it in sent if it.status >= 500]


TRIGGERS: list[tuple[str, Callable[[Stand], Any]]] = [
    ("an unused node without inputs", lambda it: it.prompt(saving(1) | {"u": {"class_type": "EmptyImage"}})),
    ("JSON nested 500 deep", lambda it: it.post("/prompt", b'{"prompt": %s}' % nested(500))),
    ("client_id an object", lambda it: it.prompt(saving(2), client_id={"a": 1})),
    ("one prompt_id three times", lambda it: [it.prompt(saving(3), prompt_id="thrice", number=1) for _ in range(3)]),
    *((f"a node raises {way}", lambda it, way=way: it.run(hostile("HostileRaise", way))) for way in (
        "SystemExit", "KeyboardInterrupt", "GeneratorExit", "BaseException", "unprintable",
    )),
    ("SystemExit in IS_CHANGED", lambda it: it.run(hostile("HostileFingerprint", "SystemExit"))),
    *((f"ui holds {way}", lambda it, way=way: it.run({"7": node("HostileUi", way=way)})) for way in (
        "bytes", "set", "cyclic", "broken",
    )),
    ("segfault", lambda it: it.run(hostile("HostileDeath", "segfault later"))),
    ("abort", lambda it: it.run(hostile("HostileDeath", "abort later"))),
    ("_exit", lambda it: it.run(hostile("HostileDeath", "exit later"))),
]  # fmt: skip
"""What stopped the peer's worker or its server for good."""


def deadly(stand: Stand) -> list[str]:
    """The triggers after which no further job runs, or another server process is there."""
    found = []
    for name, trigger in TRIGGERS:
        pid = stand.server.pid
        trigger(stand)
        try:
            stand.until_ready()
            canary(stand)
        except (StandingError, AssertionError, OSError):
            found.append(name)
        if stand.process is None or stand.process.poll() is not None or stand.server.pid != pid:
            found.append(f"{name} (the server ended)")
            stand.start()
    return found


def accepted_from_elsewhere(stand: Stand) -> tuple[int, list[str]]:
    """Of how many hostile origins and hosts which had an effect or read something."""
    found = [
        name
        for name, headers in HOSTILE
        if stand.ask("POST", "/prompt", {"prompt": saving(4)}, headers).status not in (400, 403)
    ]
    for name, headers in HOSTILE_SOCKETS:
        if stand.ask("GET", "/ws", headers=HANDSHAKE | headers).status not in (400, 403):
            found.append(f"socket: {name}")
    return len(HOSTILE) + len(HOSTILE_SOCKETS), found


@dataclass(frozen=True, slots=True)
class Behind:
    """What clients noticed of one that never reads."""

    lost: int
    events: int
    p99: float
    """Seconds from when something happened until the others heard of it."""
    growth: int
    """Bytes that the server took meanwhile."""


def behind_a_deaf_client(stand: Stand, jobs: int = 4, nodes: int = 250) -> Behind:
    """One client never reads while large jobs of its own run, and others listen to theirs."""

    async def measure() -> Behind:
        rss = stand.server.memory_info().rss
        silent = deaf(stand, "deaf")
        try:
            async with listening(stand, "clientId=other&since=0") as heard:
                ids = []
                for number in range(jobs):
                    seed = time.time_ns() % 10**9
                    await asyncio.to_thread(stand.submit, chain(nodes, seed), client_id="deaf")
                    graph = chain(nodes, seed + 1 + number)
                    ids.append(await asyncio.to_thread(stand.submit, graph, client_id="other"))
                await heard.until_ended(*ids)
                numbers = [it["seq"] for it in heard.messages if "seq" in it]
                missing = numbers[-1] - numbers[0] + 1 - len(numbers)
                growth = stand.server.memory_info().rss - rss
                return Behind(missing, len(numbers), percentile(heard.delays(), 0.99), growth)
        finally:
            silent.close()

    return asyncio.run(measure())


def cancelling(stand: Stand, way: str, settle: float = 0.5) -> float:
    """Seconds from the wish to the end of a node that runs: "600" sleeps, "loop" computes, "asks" asks now and then."""
    graph = hostile("HostileSleep", way)
    job = stand.submit(graph)
    stand.until(job, "in_progress")
    time.sleep(settle)
    began = time.monotonic()
    stand.post("/interrupt", {"prompt_id": job})
    stand.until(job, *ENDED)
    return time.monotonic() - began


def large_graph(stand: Stand, nodes: int) -> tuple[float, float]:
    """Seconds to validate a chain that is new, and to run it to its end."""

    async def measure() -> tuple[float, float]:
        async with listening(stand, "clientId=large") as heard:  # asking again and again would itself be work
            graph = chain(nodes, time.time_ns() % 10**9)
            began = time.monotonic()
            answer = await asyncio.to_thread(stand.prompt, graph, client_id="large")
            assert answer.status == 200, answer.text[:300]
            await heard.until_ended(answer.json()["prompt_id"])
            return answer.seconds, time.monotonic() - began

    return asyncio.run(measure())


def submit_to_success(stand: Stand, count: int) -> list[float]:
    """Seconds from POST to `execution_success`, one job after the other, each with a node that is new."""

    async def measure() -> list[float]:
        seconds = []
        async with listening(stand, "clientId=one") as heard:
            for number in range(count):
                graph = {"1": node("PreviewAny", source=f"{time.time_ns()} {number}")}
                began = time.time()
                job = await asyncio.to_thread(stand.submit, graph, client_id="one")
                await heard.until_ended(job)
                at = next(
                    when
                    for it, when in zip(heard.messages, heard.times, strict=True)
                    if it["type"] == "execution_success" and it["data"]["prompt_id"] == job
                )
                seconds.append(at - began)
        return seconds

    return asyncio.run(measure())


def slowest_answer(stand: Stand, during: Callable[[], Any]) -> float:
    """The longest that /health takes in the while; seconds."""
    slowest, over = [0.0], threading.Event()

    def ask() -> None:
        while not over.is_set():
            slowest.append(stand.get("/health").seconds)
            time.sleep(0.01)

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        during()
    finally:
        over.set()
        asking.join()
    return max(slowest)


def median(values: Sequence[float]) -> float:
    """The middle one."""
    return statistics.median(values)
