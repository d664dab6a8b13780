#!/usr/bin/env python3
"""Heddle's command line, and the one place that puts nodes, executor and server together.

    python main.py [FLAGS]                 serve the editor and the API
    python main.py run WORKFLOW [...]      run a saved graph without a server
    python main.py nodes [NAME]            list node types, or describe one
    python main.py packs                   list node packs, and what is wrong with them

Importing it loads neither torch nor the nodes, which the server process must never hold, nor the server: a worker
process imports it too, and packs import another module of the name `server` there.
"""

import argparse
import asyncio
import importlib
import json
import logging
import os
import signal
import sys
import threading
import uuid
import webbrowser
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from executor.cache import Cache, MemoryCache
from executor.device_flags import DeviceOptions, device_options_of
from executor.disk_cache import DiskCache
from executor.flags import CacheOptions, PackOptions, cache_options_of, folders_of, pack_options_of, shared_parser
from executor.folders import Folders, PathError
from executor.headless import WorkflowFileError, read_graph, set_values
from executor.local import InProcessWorker
from executor.packs import PackReport
from executor.process import ProcessWorker
from executor.refusal import refusal_lines
from executor.shown_files import shown_state
from executor.terminal import complain, describe_node, error_json, error_line, follow, list_nodes, list_packs, pack_line
from executor.tiered_cache import TieredCache
from executor.worker import Device, Job, Worker, WorkerReport
from executor.workflow import WorkflowError

if TYPE_CHECKING:
    from nodes.packs.loading import PackLoader
    from nodes.packs.surroundings import Surroundings

HERE = Path(__file__).resolve().parent
LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


@dataclass(frozen=True, slots=True)
class WorkerOptions:
    """What a worker is told at its start; picklable, because it may start in another process."""

    folders: Folders
    device: DeviceOptions
    """What computes, in which types, and how sparing with memory."""
    cuda_device: int | None
    """The only GPU that the worker sees; None shows it all and takes the first."""
    cache: CacheOptions
    packs: PackOptions
    arguments: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """The command line, which packs may ask for."""
    serving: bool = False
    """For a server: import in the background, while nothing runs yet, what the first checkpoint will need, and log
    as it does, also what became of packs, which other commands tell themselves."""


def make_worker(options: WorkerOptions) -> Worker:
    """A worker with every node type. It imports torch, so it is called where the worker lives and nowhere else."""
    if options.cuda_device is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = str(options.cuda_device)  # torch reads it once, when it is imported
    # Nothing is ever fetched at run time, not even asked for.
    os.environ["HF_HUB_OFFLINE"] = "1"
    # Threads that spin while they wait make every step several times slower as soon as anything else wants a core.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    if options.serving:
        logging.basicConfig(level=options.arguments.get("verbose", "INFO"), format=LOG_FORMAT)
    packs = _find_packs(options)
    if packs is not None:
        packs[0].run_scripts()  # before torch is imported: that is what they are for
    import torch

    from nodes.builtin import builtin_nodes
    from nodes.diffusion.memory.device import choose_memory
    from nodes.diffusion.memory.preferences import Preferences

    memory = choose_memory(Preferences(**asdict(options.device)))

    if options.serving:
        networks = "nodes.diffusion.checkpoints.networks"
        threading.Thread(target=importlib.import_module, args=(networks,), name="warm", daemon=True).start()

    def report() -> WorkerReport:
        state = memory.state()
        name, index = state.name, state.index
        if state.type == "cuda" and options.cuda_device is not None:  # the only one that the worker sees is its first
            name, index = name.replace(f"cuda:{index}", f"cuda:{options.cuda_device}"), options.cuda_device
        device = Device(name, state.type, index, state.memory_total, state.memory_free)
        return WorkerReport((device,), {"torch": torch.__version__})

    make = partial(
        InProcessWorker,
        cache=_make_cache(options, memory.numerics()),
        resources={"DeviceMemory": memory},
        report=report,
    )
    if packs is None:
        return make(node_types=builtin_nodes(), folders=options.folders, unload_models=memory.free)
    loader, surroundings = packs
    surroundings.node_types.update(builtin_nodes())
    _load_packs(loader, replace(surroundings, resources={**surroundings.resources, "DeviceMemory": memory}), options)

    def unload_models() -> None:
        loader.instances.clear()  # some hold models of their own
        memory.free()

    return make(
        node_types=surroundings.node_types,
        folders=surroundings.folders,
        unload_models=unload_models,
        packs=surroundings.host,
    )


def _find_packs(options: WorkerOptions) -> "tuple[PackLoader, Surroundings] | None":
    """What loads the packs, with the modules that they import in place; None if there are no packs."""
    from nodes.packs.discovery import find_packs

    roots = options.folders.models.get("custom_nodes", ())
    sources = find_packs(roots, enabled=options.packs.enabled, exceptions=options.packs.exceptions)
    if not sources:
        return None
    from nodes.packs.attempts import Attempts
    from nodes.packs.loading import PackLoader
    from nodes.packs.shim_finder import install
    from nodes.packs.surroundings import make_surroundings

    surroundings = make_surroundings(options.folders, {}, {}, options.arguments)
    install(surroundings)
    return PackLoader(sources, Attempts(options.folders.user / "pack_imports")), surroundings


def _load_packs(loader: "PackLoader", surroundings: "Surroundings", options: WorkerOptions) -> None:
    from nodes.packs.loading import log_reports
    from nodes.packs.node_names import add_pack_node, furnish
    from nodes.packs.shim_finder import install

    install(surroundings)
    furnish(surroundings)
    reports = loader.load(surroundings.node_types, partial(add_pack_node, around=surroundings))
    surroundings.host.reports += reports
    if options.serving:
        log_reports(reports)


def _make_cache(options: WorkerOptions, device: str) -> Cache:
    """Memory first, then the disk. It imports torch."""
    import psutil

    from nodes.codecs import make_codecs
    from nodes.provenance import provenance
    from nodes.sizes import size_of

    sizes = options.cache

    def shortage() -> int:
        return sizes.keep_free - psutil.virtual_memory().available if sizes.keep_free else 0

    memory = MemoryCache(
        sizes.memory_bytes,
        size_of,
        most_memos=sizes.most_memos,
        shortage=shortage,
        only_current=sizes.only_current,
    )
    tiers: list[Cache] = [memory]
    if sizes.disk_bytes:
        namespace = f"heddle {_version()}; {provenance(device)}"
        tiers.append(DiskCache(options.folders.user / "cache", sizes.disk_bytes, make_codecs(), namespace, size_of))
    return TieredCache(tiers, partial(shown_state, options.folders))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; the exit status."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    commands = {
        "serve": (_serve_parser, _serve),
        "run": (_run_parser, _run),
        "nodes": (_nodes_parser, _nodes),
        "packs": (_packs_parser, _packs),
    }
    parser, command = commands[words.pop(0) if words and words[0] in commands else "serve"]
    options = parser().parse_args(words)
    try:
        return asyncio.run(command(options))
    except (PathError, WorkflowError, WorkflowFileError) as error:
        complain(str(error))
        return 1
    except KeyboardInterrupt:
        return 130


async def _serve(options: argparse.Namespace) -> int:
    from server.app import make_app
    from server.flags import settings_of
    from server.serve import StartError, serve

    logging.basicConfig(level=options.verbose, format=LOG_FORMAT)
    worker_options = _worker_options(options)
    settings = settings_of(options, editor=HERE / "frontend" / "dist", version=_version(), argv=sys.argv)

    def announce(line: str) -> None:
        print(f"{line}  (Ctrl+C stops it)", flush=True)
        if options.auto_launch:
            webbrowser.open(line.split()[-1].rstrip(","))

    workers = [ProcessWorker(make_worker, each) for each in _each_worker(options)]
    try:
        await serve(make_app(workers, worker_options.folders, settings), settings, announce)
    except StartError as error:
        complain(str(error))
        return 1
    return 0


async def _run(options: argparse.Namespace) -> int:
    """Run a saved graph. The files written go to standard output, everything else to standard error, whatever packs
    print among it."""
    worker_options = _worker_options(options)
    folders = worker_options.folders
    with redirect_stdout(sys.stderr):
        worker = make_worker(worker_options)
        try:
            definitions = await worker.definitions()
            graph = read_graph(options.workflow, definitions)
            set_values(graph, options.set, definitions)
            for warning in graph.warnings:
                complain(f"warning: {warning}")
            # A server runs the good part of a half-bad prompt; a script wants all of it or a refusal.
            validation = await worker.validate(graph.prompt)
            for line in refusal_lines(validation.errors, definitions):
                complain(f"{options.workflow}: {line}")
            if validation.errors:
                if any(error.type == "missing_node_type" for error in validation.errors):
                    _complain_of(await _pack_reports(worker))
                return 1
            extra = {"workflow": graph.workflow} if graph.workflow is not None else {}
            job = Job(str(uuid.uuid4()), graph.prompt, extra_pnginfo=extra, preview_method="none")
            loop = asyncio.get_running_loop()
            loop.add_signal_handler(signal.SIGINT, lambda: loop.create_task(worker.interrupt(job.job_id)))
            report = await follow(worker.run(job), graph.prompt, quiet=options.quiet)
        finally:
            await worker.close()
    shown = [image for output in report.outputs.values() for image in output.get("images", ())]
    files = [str(folders.resolve(image["type"], image["filename"], image["subfolder"])) for image in shown]
    for failure in report.errors:
        complain(error_line(failure))
    if options.json:
        errors = [error_json(failure) for failure in report.errors]
        print(json.dumps({**asdict(report), "errors": errors, "files": files}, indent=2))
    else:
        print(*files, sep="\n", end="\n" if files else "")
    return {"success": 0, "error": 1}.get(report.status, 130)


async def _nodes(options: argparse.Namespace) -> int:
    with redirect_stdout(sys.stderr):
        worker = make_worker(_worker_options(options))
        try:
            definitions = await worker.definitions()
            reports = await _pack_reports(worker)
        finally:
            await worker.close()
    _complain_of(reports)
    if options.name is None:
        print(list_nodes(definitions))
    elif options.name in definitions:
        print(describe_node(definitions[options.name]))
    else:
        near = [name for name in definitions if options.name.lower() in name.lower()]
        complain(f"There is no node type '{options.name}'." + (f" Did you mean {', '.join(near)}?" if near else ""))
        return 1
    return 0


async def _packs(options: argparse.Namespace) -> int:
    with redirect_stdout(sys.stderr):
        worker = make_worker(_worker_options(options))
        try:
            reports = await _pack_reports(worker)
        finally:
            await worker.close()
    print(list_packs(reports))
    return 1 if any(report.error for report in reports) else 0


async def _pack_reports(worker: Worker) -> Sequence[PackReport]:
    return (await worker.packs()).packs


def _complain_of(reports: Sequence[PackReport]) -> None:
    for report in reports:
        if report.error is not None:
            complain(pack_line(report))


def _each_worker(options: argparse.Namespace) -> list[WorkerOptions]:
    """For a server: its workers, `--workers` of them for each device."""
    devices: Sequence[int | None] = () if options.cpu else options.cuda_device
    each = [_worker_options(options, device) for device in devices or (None,) for _ in range(options.workers)]
    return [replace(worker, serving=True) for worker in each]


def _worker_options(options: argparse.Namespace, device: int | None = None) -> WorkerOptions:
    """`device` is the GPU to compute on; None takes the first that the flags name, if they do."""
    device = next(iter(options.cuda_device), None) if device is None else device
    arguments = {name: str(value) if isinstance(value, Path) else value for name, value in vars(options).items()}
    arguments["cuda_device"] = device
    return WorkerOptions(
        folders=folders_of(options, HERE),
        device=device_options_of(options),
        cuda_device=device,
        cache=cache_options_of(options),
        packs=pack_options_of(options),
        arguments=arguments,
    )


def _serve_parser() -> argparse.ArgumentParser:
    from server.flags import add_serve_flags

    parser = argparse.ArgumentParser(
        prog="main.py",
        description="Serve the editor and the API. Other commands: main.py run, main.py nodes, main.py packs.",
        parents=[shared_parser("+")],
    )
    add_serve_flags(parser)
    return parser


def _run_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="main.py run", description="Run a saved graph.", parents=[shared_parser()])
    parser.add_argument(
        "workflow", type=Path, help="a workflow (JSON, editor or API format) or a picture that carries one"
    )
    parser.add_argument(
        "--set", action="append", default=[], metavar="NODE.INPUT=VALUE", help="change a value, for example 3.seed=7"
    )
    parser.add_argument("--json", action="store_true", help="print what happened as JSON")
    parser.add_argument("--quiet", action="store_true", help="draw no progress bar")
    return parser


def _nodes_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="main.py nodes", description="List node types.", parents=[shared_parser()])
    parser.add_argument("name", nargs="?", help="describe this one")
    return parser


def _packs_parser() -> argparse.ArgumentParser:
    return argparse.ArgumentParser(
        prog="main.py packs",
        description="List node packs: how many node types each has, how long it took to load, and what is wrong.",
        parents=[shared_parser("+")],
    )


def _version() -> str:
    try:
        return version("heddle")
    except PackageNotFoundError:
        return "0.1.0"


def _leave(status: int) -> None:
    """End the process, also if packs left threads behind that never end."""
    sys.stdout.flush()
    sys.stderr.flush()
    if any(not thread.daemon for thread in threading.enumerate() if thread is not threading.main_thread()):
        os._exit(status)
    sys.exit(status)


if __name__ == "__main__":
    _leave(main())
