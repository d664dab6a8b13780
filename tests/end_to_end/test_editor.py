"""The editor in a real browser against the real server and the embedded model; the tests are in `frontend/e2e`."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

EDITOR = Path(__file__).resolve().parents[2] / "frontend"
CHROMIUM = os.environ.get("HEDDLE_CHROMIUM", "/usr/bin/chromium")
SPECS = sorted(path.name for path in (EDITOR / "e2e").glob("*.spec.mjs"))

pytestmark = [
    pytest.mark.timeout(900),
    pytest.mark.skipif(shutil.which("node") is None, reason="Node.js is not installed"),
    pytest.mark.skipif(not Path(CHROMIUM).exists(), reason=f"there is no browser at {CHROMIUM}; set HEDDLE_CHROMIUM"),
]


def test_there_are_browser_tests() -> None:
    assert "main_job.spec.mjs" in SPECS


@pytest.mark.parametrize("spec", SPECS)
def test_the_editor_works_with_the_real_server(spec: str, server: str) -> None:
    check_spec(spec, {"HEDDLE_URL": server, "HEDDLE_PYTHON": sys.executable})


@pytest.mark.parametrize("spec", [spec for spec in SPECS if spec != "main_job.spec.mjs"])
def test_the_editor_works_with_a_scripted_server(spec: str) -> None:
    """The scripted server fails, stalls and drops connections on demand, which the real one does not."""
    check_spec(spec, {})


def check_spec(spec: str, environment: dict[str, str]) -> None:
    assert (EDITOR / "dist" / "index.html").exists(), "build the editor first: python3 .ci/setup.py --dev"
    done = subprocess.run(
        ["node", "--test", f"e2e/{spec}"],
        cwd=EDITOR,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=800,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
