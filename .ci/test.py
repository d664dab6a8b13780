#!/usr/bin/env python3
"""Runs every check and every test, in order of speed, and says which failed. Run it with the environment's Python."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
EDITOR = ROOT / "frontend"
STEPS: list[tuple[str, Path, list[str]]] = [
    ("lint", ROOT, [str(BIN / "ruff"), "check", "."]),
    ("format", ROOT, [str(BIN / "ruff"), "format", "--check", "."]),
    ("imports", ROOT, [str(BIN / "lint-imports")]),
    ("editor: types, lint, format", EDITOR, ["npm", "run", "check", "--silent"]),
    ("editor: unit tests", EDITOR, ["npm", "test", "--silent"]),
    ("types", ROOT, [str(BIN / "mypy")]),
    ("tests", ROOT, [sys.executable, "-m", "pytest"]),
]


def main() -> int:
    """Run all steps, also after a failure; 1 if any failed."""
    if shutil.which("npm") is None:
        print("The tests need Node.js 20 and npm on the PATH.", file=sys.stderr)
        return 1
    failed = []
    # Nothing may be fetched while testing: a forgotten download must fail here, not on a user's machine.
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    for name, folder, command in STEPS:
        print(f"\n=== {name}", flush=True)
        start = time.monotonic()
        code = subprocess.run(command, cwd=folder, env=environment, check=False).returncode
        print(
            f"=== {name}: {'passed' if code == 0 else f'FAILED ({code})'} in {time.monotonic() - start:.0f} s",
            flush=True,
        )
        if code:
            failed.append(name)
    print(f"\nfailed: {', '.join(failed)}" if failed else "\nall checks passed", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
