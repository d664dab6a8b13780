"""Prints what the executor costs by itself: signatures and plan, a fully cached run, and imports.

    python -m tests.benchmarks.executor

Best of several repetitions, because other work on the machine only ever adds to a time. The last column is the limit
that Heddle sets itself; the program ends with an error if one is missed.
"""

import asyncio
import gc
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from executor.cache import MemoryCache
from executor.graph import NodeId
from executor.plan import make_plan
from executor.prompt import Parsed, parse_prompt
from executor.signature import signatures
from tests.executor.toys import chain, definitions, folders, run, toy_worker

REPEATS = 15
FORBIDDEN = ("torch", "aiohttp", "diffusers", "transformers", "numpy")


def best(*works: Callable[[], object]) -> list[float]:
    """The shortest of several runs of each, in turns, in seconds of this process's own time.

    As in `timeit` the garbage collector stands still; what it does depends on all that the process holds.
    """
    times: list[list[float]] = [[] for _ in works]
    gc.disable()
    for _ in range(REPEATS):
        for work, taken in zip(works, times, strict=True):
            began = time.process_time()
            work()
            taken.append(time.process_time() - began)
    gc.enable()
    return [min(taken) for taken in times]


def sign_and_plan(length: int, root: Path) -> Callable[[], None]:
    """The order, the signatures and the plan of a chain of `length` nodes with nothing cached, ready to be timed."""
    wire, known, place = chain(length - 2), definitions(), folders(root)

    def parse() -> Parsed:
        return parse_prompt(wire, known, place)

    waiting = [parse() for _ in range(REPEATS)]  # a fresh graph each time, which has remembered nothing of itself

    def work() -> None:
        parsed = waiting.pop()
        targets = [NodeId(output) for output in parsed.validation.outputs]
        signed = signatures(parsed.graph, parsed.graph.order(targets), known, {})
        plan, _ = make_plan(parsed.graph, targets, signed, MemoryCache(0))
        assert len(plan.run) == length

    return work


def run_cached(length: int, root: Path) -> float:
    """Seconds from wire prompt to last event for a chain of `length` nodes of which everything is cached."""

    async def measure() -> float:
        worker = toy_worker(root)
        wire = chain(length - 2)
        await run(worker, wire)
        times = []
        for _ in range(REPEATS):
            began = time.perf_counter()
            events = await run(worker, wire)
            times.append(time.perf_counter() - began)
            assert events[-1].executed == ()
        await worker.close()
        return min(times)

    return asyncio.run(measure())


def import_seconds(module: str) -> tuple[float, list[str]]:
    """Seconds that a fresh interpreter needs to import `module`, and which heavy packages that loaded."""
    program = (
        "import sys, time; began = time.perf_counter(); "
        f"import {module}; print(time.perf_counter() - began, *sorted({{*sys.modules}} & {set(FORBIDDEN)!r}))"
    )
    answers = [
        subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
        for _ in range(3)
    ]
    return min(float(answer[0]) for answer in answers), answers[0][1:]


def main() -> int:
    """Print the table; 1 if a limit is missed."""
    rows: list[tuple[str, str, str, bool]] = []
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        small, large = best(sign_and_plan(1_000, root), sign_and_plan(10_000, root))
        rows.append(("signatures + plan, 1,000-node chain", f"{small * 1000:.1f} ms", "", True))
        rows.append(("signatures + plan, 10,000-node chain", f"{large * 1000:.1f} ms", "", True))
        rows.append(("ratio of the two", f"{large / small:.1f}", "at most 12", large / small <= 12))
        cached = run_cached(1_000, root)
        rows.append(
            (
                "cached 1,000-node chain, prompt to last event",
                f"{cached * 1000:.1f} ms",
                "at most 50 ms",
                cached <= 0.05,
            )
        )
    for module, allowed in (("executor.local", ()), ("executor.process", ()), ("server.app", ("aiohttp",))):
        if not Path(f"{module.replace('.', '/')}.py").exists():
            continue
        seconds, loaded = import_seconds(module)
        surplus = [name for name in loaded if name not in allowed]
        loads = f"loads {', '.join(surplus) or 'no torch'}"
        rows.append((f"import {module}", f"{seconds * 1000:.0f} ms", loads, not surplus))
    for name, value, limit, met in rows:
        print(f"{name:<48}{value:>12}   {limit:<16}{'' if met else 'MISSED'}")
    return 0 if all(met for *_, met in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
