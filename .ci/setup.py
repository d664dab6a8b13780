#!/usr/bin/env python3
"""Sets up a clone: a virtual environment in `.venv`, the pinned packages, and the built editor.

Runs on a bare Python 3.11 (standard library only) and does again only what changed. Knows nothing of what it installs.

    python3 .ci/setup.py          what running needs
    python3 .ci/setup.py --dev    and what the tests need
"""

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENT = ROOT / ".venv"
PYTHON = ENVIRONMENT / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
EDITOR = ROOT / "frontend"
BUILT = {"node_modules", "dist", "test-results"}
"""Folders of the editor that are no source."""


def main() -> int:
    """Set up; returns 1 with a sentence on standard error if a step failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dev", action="store_true", help="also install what the tests and checks need")
    options = parser.parse_args()
    if sys.version_info < (3, 11):  # noqa: UP036 - this file is what an older Python meets first
        return fail(f"Heddle needs Python 3.11 or later; this is {sys.version.split()[0]}.")
    try:
        install_packages("requirements-dev.txt" if options.dev else "requirements.txt")
        build_editor()
    except subprocess.CalledProcessError as error:
        return fail(f"'{' '.join(map(str, error.cmd))}' failed with status {error.returncode}; its output is above.")
    return 0


def install_packages(requirements: str) -> None:
    """Create the environment if it is missing, and install `requirements` unless it holds them already."""
    if not PYTHON.exists():
        say("making .venv")
        venv.create(ENVIRONMENT, with_pip=True)
    names = ["requirements.txt", requirements]
    wanted = digest([ROOT / name for name in dict.fromkeys(names)])
    stamp = ENVIRONMENT / f".{requirements}.installed"
    if stamp.exists() and stamp.read_text() == wanted:
        return
    say(f"installing {requirements} (the first time this takes some minutes)")
    # torch goes first: a package that asks for any torch would otherwise bring its newest build.
    torch = next(line for line in (ROOT / "requirements.txt").read_text().splitlines() if line.startswith("torch=="))
    pip = [PYTHON, "-m", "pip", "install", "--disable-pip-version-check", "--quiet"]
    subprocess.run([*pip, torch], cwd=ROOT, check=True)
    subprocess.run([*pip, "-r", requirements], cwd=ROOT, check=True)
    stamp.write_text(wanted)


def build_editor() -> None:
    """Build `frontend/dist` if its sources changed; without Node the server runs, and its page says what is missing."""
    npm = shutil.which("npm")
    if npm is None:
        say("Node.js is not installed, so the editor is not built; the server and the command line work without it")
        return
    lock, stamp = EDITOR / "package-lock.json", EDITOR / "node_modules" / ".heddle-installed"
    if not stamp.exists() or stamp.read_text() != digest([lock]):
        say("installing the editor's packages")
        subprocess.run([npm, "ci", "--no-audit", "--no-fund", "--loglevel=error"], cwd=EDITOR, check=True)
        stamp.write_text(digest([lock]))
    sources = [path for path in EDITOR.rglob("*") if path.is_file() and not BUILT & set(path.parts)]
    sources += sorted((ROOT / "workflows").glob("*.json"))
    built = EDITOR / "dist" / ".heddle-built"
    if not built.exists() or built.read_text() != digest(sources):
        say("building the editor")
        subprocess.run([npm, "run", "build", "--silent"], cwd=EDITOR, check=True)
        built.write_text(digest(sources))


def digest(paths: list[Path]) -> str:
    """SHA-256 over names and contents."""
    whole = hashlib.sha256()
    for path in sorted(paths):
        whole.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes())
    return whole.hexdigest()


def say(text: str) -> None:
    """Tell the person who waits."""
    print(f"setup: {text}", flush=True)


def fail(text: str) -> int:
    """Tell what went wrong."""
    print(f"setup: {text}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
