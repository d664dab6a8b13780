"""The real program in a process of its own: the command line, and a server on a free port of loopback."""

import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import main

ROOT = Path(__file__).resolve().parents[2]

CommandLine = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def folders(tmp_path: Path) -> list[str]:
    """Flags that keep everything the program writes inside the test's folder; models are the repository's."""
    return [
        text for name in ("input", "output", "temp", "user") for text in (f"--{name}-directory", str(tmp_path / name))
    ]


@pytest.fixture
def heddle(folders: list[str]) -> CommandLine:
    """Run `main.py COMMAND ...` to its end in a process of its own."""

    def call(command: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        line = [sys.executable, "main.py", command, "--cpu", *folders, *arguments]
        return subprocess.run(line, cwd=ROOT, capture_output=True, text=True, timeout=200, check=False)

    return call


@pytest.fixture
def heddle_here(folders: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    """The same in this process, which has imported torch already: for cases by the dozen."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")

    def call(command: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        line = [command, "--cpu", *folders, *arguments]
        status = main.main(line)
        written = capsys.readouterr()
        return subprocess.CompletedProcess(line, status, written.out, written.err)

    return call


@pytest.fixture
def server(tmp_path: Path, folders: list[str]) -> Iterator[str]:
    """The address of a running server, which is ended with the test; its log is `server.log` in the test's folder."""
    line = [sys.executable, "main.py", "--cpu", "--port", "0", *folders]
    with (
        (tmp_path / "server.log").open("w") as log,
        subprocess.Popen(line, cwd=ROOT, stdout=subprocess.PIPE, stderr=log, text=True) as process,
    ):
        assert process.stdout is not None
        deadline = threading.Timer(60, process.kill)
        deadline.start()
        try:
            found = re.search(r"http://\S+?:\d+", process.stdout.readline())
            deadline.cancel()
            assert found, (tmp_path / "server.log").read_text()
            yield found.group()
        finally:
            deadline.cancel()
            process.terminate()
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
