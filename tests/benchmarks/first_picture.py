"""From a cold start to a saved picture: `main.py run` on the default workflow, as a whole process.

    python -m tests.benchmarks.first_picture [RUNS]

Prints the wall time of each run and where the rest of the time goes. The bar is 8 s on two cores.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BAR = 8.0


def main() -> None:
    """Run and print."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    rows = [
        ("python, torch imported", [sys.executable, "-c", "import torch"]),
        ("worker with all nodes (main.py nodes)", [sys.executable, "main.py", "nodes"]),
        ("text to picture, 20 steps (main.py run)", None),
    ]
    print(f"{'whole process, seconds':42} {'min':>6} {'median':>7} {'max':>6}   of {runs} runs")
    for name, command in rows:
        times = sorted(_time(command) for _ in range(runs))
        print(f"{name:42} {times[0]:6.2f} {statistics.median(times):7.2f} {times[-1]:6.2f}")
    print(f"{'bar for the last row':42} {'':6} {BAR:7.2f}")


def _time(command: list[str] | None) -> float:
    with tempfile.TemporaryDirectory() as folder:
        fresh = ["--cpu", "--cache-none", "--output-directory", folder]
        run = [sys.executable, "main.py", "run", "workflows/text_to_image.json", *fresh]
        started = time.perf_counter()
        subprocess.run(command or run, cwd=ROOT, check=True, capture_output=True)
        return time.perf_counter() - started


if __name__ == "__main__":
    main()
