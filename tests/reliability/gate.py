"""The release gate: what the reliability suite promises, measured, with the peer's figures beside it.

    python -m tests.reliability.gate                  all of it, in less than six minutes
    python -m tests.reliability.gate kills load       some parts: speed load stalls hostile kills
    python -m tests.reliability.gate --kills 20       fewer kills

Everything runs on loopback, in a folder that is removed. The kills are of the server with a worker without torch, whose
nodes save real pictures, and of a process that runs the real code of SaveImage; the rest has the real worker. Exits
with 0 if every figure keeps its limit.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.reliability.kills import kill_two_servers, kill_while_saving
from tests.reliability.measures import (
    accepted_from_elsewhere,
    behind_a_deaf_client,
    cancelling,
    deadly,
    hostile_corpus,
    large_graph,
    percentile,
    slowest_answer,
    submit_to_success,
)
from tests.reliability.stand import Stand, saving, standing_server
from tests.reliability.standing import stalled

KILLS = 100
SERVER_SECONDS, SAVE_SECONDS = 200.0, 40.0
"""How long the kills may take, so that all of it stays below six minutes. A busy machine makes fewer of them then, and
the table has their number."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table."""

    figure: str
    ours: str
    limit: str
    peer: str
    kept: bool


def kills(base: Path, count: int) -> Iterator[Row]:
    """Acknowledged jobs and files after kill -9."""
    found = kill_two_servers(base / "killed", rounds=count, seed=11, light=True, seconds=SERVER_SECONDS)
    lost, jobs = len(found.lost), len(found.accepted)
    yield Row(
        f"acknowledged jobs lost, {found.kills} kill -9", f"{lost} of {jobs}", "0", "all", not lost and jobs > count
    )
    kept_order = not found.disordered and found.integrity == "ok"
    yield Row("  order kept, database sound", "yes" if kept_order else "no", "yes", "no", kept_order)
    saving_kills = kill_while_saving(base / "saved", kills=count, seed=3, seconds=SAVE_SECONDS)
    torn = len(found.torn) + len(saving_kills.torn)
    pictures = found.written + saving_kills.written
    yield Row(
        f"torn pictures, {saving_kills.kills} kill -9 while saving",
        f"{torn} of {pictures:,}",
        "0",
        "12 of 12",
        not torn,
    )
    between = len(found.between)
    yield Row(
        "workflows and settings neither old nor new", f"{between} of {found.overwritten:,}", "0", "6 of 8", not between
    )


def hostile(stand: Stand) -> Iterator[Row]:
    """What hostile clients and nodes achieve."""
    sent, broken = hostile_corpus(stand)
    yield Row("5xx over the hostile corpus", f"{len(broken)} of {sent}", "0", "40", not broken and sent >= 300)
    variants, accepted = accepted_from_elsewhere(stand)
    yield Row("hostile origins and hosts accepted", f"{len(accepted)} of {variants}", "0", "10 of 16", not accepted)
    stopped = deadly(stand)
    yield Row("triggers that stop worker or server for good", str(len(stopped)), "0", "18", not stopped)


def load(stand: Stand) -> Iterator[Row]:
    """What slow clients and stubborn nodes cost."""
    found = behind_a_deaf_client(stand)
    told = f"{found.lost} of {found.events}"
    yield Row("events lost behind a stalled client", told, "0", "all", not found.lost and found.events > 20)
    yield Row("  the others' p99", f"{found.p99 * 1000:.0f} ms", "50 ms", "20 s", found.p99 <= 0.05)
    soft = cancelling(stand, "asks")
    yield Row("cancel, cooperative", f"{soft:.2f} s", "1 s", "19.9 s", soft <= 1)
    hard = cancelling(stand, "600")
    yield Row("cancel, hard: sleep(600)", f"{hard:.1f} s", "10 s", "never", hard <= 10.5)
    stand.until_ready()


def speed(stand: Stand) -> Iterator[Row]:
    """How long things take, durable commits on."""
    stand.run(saving(1))
    seconds = submit_to_success(stand, 200)
    p50, p99 = percentile(seconds, 0.5) * 1000, percentile(seconds, 0.99) * 1000
    yield Row(
        "submit to success, p50 / p99", f"{p50:.1f} / {p99:.1f} ms", "10 / 40 ms", "2.9 ms", p50 <= 10 and p99 <= 40
    )
    validated, whole = large_graph(stand, 10_000)
    yield Row("10,000 nodes: validate", f"{validated:.2f} s", "0.5 s", "refused", validated <= 0.5)
    yield Row("10,000 nodes: validate and run", f"{whole:.1f} s", "15 s", "> 240 s", whole <= 15)


def stalls(stand: Stand) -> Iterator[Row]:
    """How long others wait while much is to be done, and what holds the event loop longest."""
    stand.run(saving(1))
    mark = stand.log.stat().st_size
    big = b'{"text": "%s"}' % (b"x" * 12_000_000)

    def work() -> None:
        large_graph(stand, 10_000)
        stand.ask("POST", "/userdata/large.json", big)
        stand.ask("POST", "/prompt", b'{"prompt": {}, "extra_data": {"x": [%s0]}}' % (b"0," * 900_000))
        picture = stand.run(saving(7, "large", size=4096))["outputs"]["2"]["images"][0]
        stand.get(f"/view?filename={picture['filename']}&preview=webp")

    slowest = slowest_answer(stand, work)
    yield Row("slowest other answer during heavy work", f"{slowest * 1000:.0f} ms", "250 ms", "2.3 s", slowest <= 0.25)
    longest = max(stalled(stand, mark), default=0.0)
    said = f"{longest * 1000:.0f} ms" if longest else "below 100 ms"
    yield Row("longest event-loop stall", said, "100 ms", "2.3 s", longest <= 0.1)


PARTS: dict[str, tuple[Callable[[Stand], Iterator[Row]], bool]] = {
    "speed": (speed, False),
    "load": (load, False),
    "stalls": (stalls, True),
    "hostile": (hostile, True),
}
"""Name -> what measures it, and whether the event loop is watched meanwhile, which takes time."""


def main() -> int:
    """Print the table; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.reliability.gate", description="Print the release gate.")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join([*PARTS, 'kills'])}; all without it")
    parser.add_argument("--kills", type=int, default=KILLS, metavar="N")
    options = parser.parse_args()
    if unknown := set(options.parts) - {*PARTS, "kills"}:
        parser.error(f"there is no part {', '.join(sorted(unknown))}")
    wanted = options.parts or [*PARTS, "kills"]
    began, kept = time.monotonic(), True
    print(f"{'':52}{'Heddle':>20}{'limit':>14}{'ComfyUI 0.8.0':>16}")
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        for watched in (False, True):
            parts = [PARTS[part][0] for part in wanted if part in PARTS and PARTS[part][1] == watched]
            if parts:
                with standing_server(base / f"watched_{watched}", watched=watched) as stand:
                    for part in parts:
                        kept &= _show(part(stand))
        if "kills" in wanted:
            kept &= _show(kills(base, options.kills))
    print(f"{time.monotonic() - began:.0f} s in all")
    return 0 if kept else 1


def _show(rows: Iterator[Row]) -> bool:
    kept = True
    for row in rows:
        mark = "" if row.kept else "   <- missed"
        print(f"{row.figure:52}{row.ours:>20}{row.limit:>14}{row.peer:>16}{mark}", flush=True)
        kept &= row.kept
    return kept


if __name__ == "__main__":
    sys.exit(main())
