"""Runs lines of Python where the shims are installed: in a process of its own, so that the tests keep their modules."""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]

_PRELUDE = """
import json, sys
from pathlib import Path
from executor.installation import make_folders
from nodes.packs.shim_finder import install
from nodes.packs.surroundings import make_surroundings
around = make_surroundings(make_folders(Path(sys.argv[1])), {}, {}, json.loads(sys.argv[4]))
install(around)
"""

_EVALUATE = """
def outcome(line):
    try:
        return eval(line, names)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
names = dict(globals())
exec(sys.argv[2], names)
print(json.dumps([outcome(line) for line in json.loads(sys.argv[3])], default=str))
"""


def evaluate(
    base: Path, setup: str, lines: Sequence[str], *, before: str = "", options: Mapping[str, Any] | None = None
) -> list[Any]:
    """The values of the lines, as JSON, after `setup`; of one that raises, the exception in words. `base` is the
    folder of the installation, `around` the surroundings, and `before` runs before the shims are installed."""
    code = before + _PRELUDE + _EVALUATE
    command = [sys.executable, "-c", code, str(base), setup, json.dumps(list(lines)), json.dumps(options or {})]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    values: list[Any] = json.loads(done.stdout.splitlines()[-1])
    return values
