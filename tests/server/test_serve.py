"""The server as a process: it starts fast, stops in order, and a kill loses nothing that was accepted."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from server.serve import StartError, serve
from server.settings import ServerSettings

PROGRAM = Path(__file__).with_name("serve_fake.py")
SAVE = {"1": {"class_type": "Save", "inputs": {"name": "a"}}}
WAIT = {"1": {"class_type": "Wait", "inputs": {}}}


@contextmanager
def serving(base: Path):
    """The process and its address, once it has announced it."""
    process = subprocess.Popen([sys.executable, str(PROGRAM), str(base)], stdout=subprocess.PIPE, text=True)
    try:
        line = process.stdout.readline().strip()
        assert line.startswith("Heddle is at http://127.0.0.1:"), line
        yield process, line.removeprefix("Heddle is at ")
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def ask(url: str, body=None):
    """The parsed answer to a GET, or to a POST if there is a body."""
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(url, data), timeout=10) as answer:
        text = answer.read()
    return json.loads(text) if text else None


def wait_for(url: str, job_id: str):
    for _ in range(500):
        if entry := ask(f"{url}/history/{job_id}"):
            return entry[job_id]
        time.sleep(0.01)
    raise AssertionError(f"{job_id} did not end")


def test_a_kill_loses_no_accepted_job_and_retries_the_running_one_once(tmp_path):
    with serving(tmp_path) as (process, url):
        ask(f"{url}/prompt", {"prompt": SAVE, "prompt_id": "done"})
        done = wait_for(url, "done")
        ask(f"{url}/prompt", {"prompt": WAIT, "prompt_id": "running"})
        accepted = [ask(f"{url}/prompt", {"prompt": SAVE, "prompt_id": f"p{n}"})["prompt_id"] for n in range(20)]
        while not ask(f"{url}/queue")["queue_running"]:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
    with serving(tmp_path) as (process, url):
        assert wait_for(url, "done") == done
        assert [item[1] for item in ask(f"{url}/queue")["queue_pending"]][-20:] == accepted
        while not ask(f"{url}/queue")["queue_running"]:
            time.sleep(0.01)
        assert [item[1] for item in ask(f"{url}/queue")["queue_running"]] == ["running"]
        process.send_signal(signal.SIGKILL)
        process.wait()
    with serving(tmp_path) as (process, url):
        wait_for(url, accepted[-1])
        history = ask(f"{url}/history")
        assert list(history) == ["done", "running", *accepted]
        given_up = history["running"]["status"]
        assert given_up["status_str"] == "error"
        assert "died 2 times" in given_up["messages"][-1][1]["exception_message"]
        assert all(history[job]["status"]["completed"] for job in accepted)


@pytest.mark.slow
def test_no_acknowledged_job_is_lost_over_many_kills(tmp_path):
    acknowledged: list[str] = []
    for _ in range(5):
        with serving(tmp_path) as (process, url):
            until = time.monotonic() + 0.2
            while time.monotonic() < until:
                acknowledged.append(ask(f"{url}/prompt", {"prompt": SAVE})["prompt_id"])
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
    with serving(tmp_path) as (_, url):
        wait_for(url, acknowledged[-1])
        assert ask(f"{url}/prompt")["exec_info"]["queue_remaining"] == 0
        assert list(ask(f"{url}/history")) == acknowledged
    assert len(acknowledged) > 20


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_it_in_order_and_the_running_job_waits(tmp_path, number):
    with serving(tmp_path) as (process, url):
        ask(f"{url}/prompt", {"prompt": WAIT, "prompt_id": "running"})
        while not ask(f"{url}/queue")["queue_running"]:
            time.sleep(0.01)
        process.send_signal(number)
        assert process.wait(timeout=10) == 0
    with serving(tmp_path) as (_, url):
        job = ask(f"{url}/jobs/running")
        assert job["status"] in ("pending", "in_progress")


def test_it_answers_after_less_than_two_seconds_of_work(tmp_path):
    with serving(tmp_path) as (process, url):
        ask(f"{url}/features")
        worked = psutil.Process(process.pid).cpu_times()
    assert worked.user + worked.system < 2.0


def test_the_server_process_loads_no_torch_and_no_nodes():
    heavy = ("torch", "numpy", "nodes", "diffusers")
    code = f"import server.app, server.serve, sys; print([m for m in {heavy} if m in sys.modules])"
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=PROGRAM.parents[2]
    )
    assert found.stdout.strip() == "[]"


def test_a_second_server_on_the_same_folders_names_the_first(tmp_path):
    with serving(tmp_path) as (process, url):
        ask(f"{url}/prompt", {"prompt": WAIT, "prompt_id": "running"})
        found = subprocess.run(
            [sys.executable, str(PROGRAM), str(tmp_path)], capture_output=True, text=True, check=False
        )
        assert found.returncode == 1
        assert f"in use by another Heddle (process {process.pid})" in found.stderr
        assert "Traceback" not in found.stderr
        assert ask(f"{url}/health")["running"] == "running"


def test_a_port_in_use_is_one_sentence(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        command = [sys.executable, str(PROGRAM), str(tmp_path), str(port)]
        found = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert found.returncode == 1
    assert found.stderr.strip() == (
        f"Port {port} on 127.0.0.1 is in use by another program; stop it, or choose another with --port."
    )
    assert not list(tmp_path.rglob("heddle.db")), "nothing was started that had to be stopped again"


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"listen": ("203.0.113.1",), "port": 0, "plain_http": True}, "cannot listen on 203.0.113.1"),
        ({"listen": ("127.0.0.1", "203.0.113.1")}, "Without TLS everyone .* or --allow-plain-http"),
        ({"tls_cert": Path("none.pem")}, "both a certificate and its key"),
        ({"tls_cert": Path("none.pem"), "tls_key": Path("none.key")}, "'none.pem' and key 'none.key' cannot be used"),
    ],
)
async def test_what_keeps_it_from_starting_is_said(start, wrong, says):
    app = (await start()).app.__class__()
    with pytest.raises(StartError, match=says):
        await serve(app, ServerSettings(**wrong))


async def test_it_stops_while_clients_are_connected(start):
    server = await start()
    async with server.listen("me") as listener:
        began = asyncio.get_running_loop().time()
        await asyncio.gather(server.app.shutdown(), listener.socket.receive(timeout=5))
        assert asyncio.get_running_loop().time() - began < 2
