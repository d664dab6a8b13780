"""The flags of the server, and the workers that they ask for."""

import pytest

import main
from executor.command_flags import run_parser
from executor.worker_options import each_worker, worker_options_of

ONE = [None]


def serve_options(line: str):
    return main._serve_parser().parse_args(line.split())


@pytest.mark.parametrize(
    ("line", "devices"),
    [
        ("", ONE),
        ("--cuda-device 1", [1]),
        ("--cuda-device 0,1", [0, 1]),
        ("--workers 2", [None, None]),
        ("--cuda-device 2,0 --workers 2", [2, 2, 0, 0]),
        ("--cpu --cuda-device 0,1", ONE),
        ("--cpu --workers 3", [None, None, None]),
    ],
)
def test_there_are_as_many_workers_on_each_device_as_was_asked_for(line, devices, tmp_path):
    workers = each_worker(serve_options(f"{line} --base-directory {tmp_path}"), main.HERE)
    if "--cpu" in line:
        assert all(worker.cpu for worker in workers)
    else:
        assert [worker.cuda_device for worker in workers] == devices
        assert [worker.arguments["cuda_device"] for worker in workers] == devices
    assert len(workers) == len(devices)
    assert all(worker.serving for worker in workers)


@pytest.mark.parametrize(("line", "jobs"), [("", 1), ("--jobs-per-worker 3", 3)])
def test_a_worker_runs_as_many_jobs_as_was_asked_for(line, jobs, tmp_path):
    from server.flags import settings_of

    assert settings_of(serve_options(line), editor=tmp_path, version="1", argv=()).jobs_per_worker == jobs


@pytest.mark.parametrize("line", ["--workers 0", "--workers -1", "--jobs-per-worker none", "--jobs-per-worker 0"])
def test_fewer_than_one_is_refused(line, capsys):
    with pytest.raises(SystemExit):
        serve_options(line)
    told = capsys.readouterr().err
    assert line.split()[0] in told


def test_a_command_that_runs_one_job_takes_the_first_gpu(tmp_path):
    line = ["graph.json", "--cuda-device", "3,1", "--base-directory", str(tmp_path)]
    assert worker_options_of(run_parser().parse_args(line), main.HERE).cuda_device == 3
