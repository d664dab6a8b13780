"""The flags of the server, and the workers that they ask for."""

from pathlib import Path

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
        assert all(worker.device.cpu for worker in workers)
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


EVERY_FLAG = """
--max-queue 9 --require-token --listen 127.0.0.1 --port 1 --tls-keyfile a --tls-certfile b
--enable-cors-header * --max-upload-size 7.5 --base-directory base --output-directory out --input-directory in
--temp-directory temp --user-directory user --extra-model-paths-config a.yaml b.yaml --extra-model-paths-config c.yaml
--auto-launch --disable-auto-launch
--front-end-root dist --preview-method taesd --disable-all-custom-nodes --whitelist-custom-nodes one two
--verbose DEBUG --log-stdout --enable-compress-response-body --cuda-device 1 --cpu --dont-print-server
--windows-standalone-build --disable-api-nodes --cache-lru 5 --cache-ram 3 --disable-metadata
"""
"""Flags of ComfyUI that mean something here."""

DEVICE = """
--force-fp16 --fp8_e4m3fn-unet --cpu-vae --fp16-vae --fp8_e5m2-text-enc --force-channels-last --lowvram
--use-pytorch-cross-attention --disable-xformers --reserve-vram 1.5 --disable-smart-memory --deterministic
--default-device 0
"""
"""They mean something to the worker."""

FOREIGN = """
--cuda-malloc --directml 0 --use-sage-attention --async-offload --default-hashing-function md5 --mmap-torch-files
--fast fp16_accumulation --multi-user --offline --front-end-version Comfy-Org/ComfyUI_frontend@latest
--database-url sqlite:///x.db --comfy-api-base https://example.org --quick-test-for-ci --preview-size 256
--enable-manager
"""


def test_flags_that_mean_something_are_taken_without_a_word(tmp_path):
    from server.flags import opens_browser, settings_of
    from server.foreign_flags import ignored

    options = serve_options(EVERY_FLAG + DEVICE)
    assert ignored(options) is None
    settings = settings_of(options, editor=tmp_path, version="1", argv=())
    assert (settings.listen, settings.port, settings.cors_origin) == (("127.0.0.1",), 1, "*")
    assert settings.max_upload_size == 7.5 * 1024 * 1024
    assert (settings.editor, settings.compress, settings.preview_method) == (Path("dist"), True, "taesd")
    assert not settings.saves_metadata
    assert settings_of(serve_options(""), editor=tmp_path, version="1", argv=()).saves_metadata
    assert not opens_browser(options)
    assert opens_browser(serve_options("--windows-standalone-build"))
    assert not opens_browser(serve_options(""))


def test_flags_that_mean_nothing_are_taken_and_named_in_one_line(tmp_path):
    from server.foreign_flags import ignored

    options = serve_options(f"{FOREIGN} --base-directory {tmp_path}")
    said = ignored(options)
    assert said is not None
    assert "\n" not in said
    for flag in (word for word in FOREIGN.split() if word.startswith("--")):
        assert flag in said
    assert "--offline: nothing is ever fetched" in said
    seen_by_packs = worker_options_of(options, main.HERE).arguments
    assert (seen_by_packs["preview_size"], seen_by_packs["fast"]) == (256, ["fp16_accumulation"])
    assert "cuda_malloc" in seen_by_packs
    assert "disable_cuda_malloc" not in seen_by_packs


def test_an_unknown_flag_is_still_an_error(capsys):
    with pytest.raises(SystemExit):
        serve_options("--no-such-flag")
    assert "--no-such-flag" in capsys.readouterr().err


@pytest.mark.parametrize(("compress", "encoding"), [(True, "gzip"), (False, None)])
async def test_json_is_compressed_where_that_was_asked_for(start, compress, encoding):
    server = await start(compress=compress)
    for path in ("/object_info", "/queue", "/history", "/jobs", "/features"):
        async with server.session.get(server.url + path, headers={"Accept-Encoding": "gzip"}) as answer:
            assert answer.headers.get("Content-Encoding") == encoding, path
            assert isinstance(await answer.json(), dict)
        async with server.session.get(server.url + path, headers={"Accept-Encoding": "identity"}) as answer:
            assert "Content-Encoding" not in answer.headers
