"""Prints how fast a large latent goes to the disk tier and comes back.

    python -m tests.benchmarks.disk_cache [FOLDER]

FOLDER decides which disk is measured; by default it is the system's folder for temporary files. Writing includes the
fsync. The first row is what a run waits for: the rest of a put happens on a thread of its own.
"""

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch

from executor.cache import Memo
from executor.disk_cache import DiskCache
from executor.signature import Signature
from nodes.codecs import make_codecs
from nodes.diffusion.values import Latent
from nodes.sizes import size_of

MEGABYTES = 16
REPEATS = 7


def best(work: Callable[[int], object]) -> float:
    """The shortest of several runs in seconds; `work` is told which one it is."""
    times = []
    for number in range(REPEATS):
        began = time.perf_counter()
        work(number)
        times.append(time.perf_counter() - began)
    return min(times)


def main() -> int:
    """Print the table."""
    memo = Memo(((Latent(torch.randn(MEGABYTES * 250_000).reshape(1, 4, 1000, -1)),),), None, 1.0)
    with tempfile.TemporaryDirectory(dir=sys.argv[1] if len(sys.argv) > 1 else None) as folder:

        def cache() -> DiskCache:
            return DiskCache(Path(folder), 2**31, make_codecs(), "benchmark", size_of)

        def write(number: int) -> None:
            tested = cache()
            tested.put(Signature(str(number)), memo)
            tested.close()

        written = best(write)
        tested = cache()
        put = best(lambda number: tested.put(Signature(f"{number} again"), memo))
        tested.close()
        read = best(lambda number: cache().get(Signature(str(number))))
        missed = best(lambda _: [tested.has(Signature(f"none {i}")) for i in range(1000)])
        assert all(tested.has(Signature(str(number))) for number in range(REPEATS))
    print(f"{f'put a {MEGABYTES} MB latent, what the run waits for':<48}{put * 1e3:>10.2f} ms")
    print(f"{'  until it is on the disk':<48}{written * 1e3:>10.1f} ms{MEGABYTES / written:>8.0f} MB/s")
    print(f"{'get it back (file in the page cache)':<48}{read * 1e3:>10.1f} ms{MEGABYTES / read:>8.0f} MB/s")
    print(f"{'ask for 1,000 that are not there':<48}{missed * 1e3:>10.1f} ms")
    return 0


if __name__ == "__main__":
    sys.exit(main())
