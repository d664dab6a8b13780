#!/usr/bin/env python3
"""Heddle's command line, and the one place that puts nodes, executor and server together.

    python main.py [FLAGS]                 serve the editor and the API
    python main.py run WORKFLOW [...]      run a saved graph without a server, or on one (--server)
    python main.py convert WORKFLOW        print the prompt of a saved graph
    python main.py info FILE               tell how a picture was made, from the texts inside it
    python main.py nodes [NAME]            list node types, or describe one
    python main.py packs                   list node packs, and what is wrong with them

Importing it loads neither torch nor the nodes, which the server process must never hold, nor the server: a worker
process imports it too, and packs import another module of the name `server` there.
"""

import argparse
import asyncio
import importlib
import io
import json
import logging
import os
import signal
import sys
import threading
import uuid
import webbrowser
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager, redirect_stdout
from dataclasses import asdict, replace
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from executor.cache import Cache, MemoryCache
from executor.command_flags import convert_parser, info_parser, nodes_parser, packs_parser, run_parser
from executor.disk_cache import DiskCache
from executor.file_metadata import MetadataError, read_metadata
from executor.flags import folders_of, shared_parser
from executor.folders import PathError, confined
from executor.headless import SavedGraph, WorkflowFileError, read_definitions, read_graph, set_values
from executor.local import InProcessWorker
from executor.object_info import definition_from_object_info
from executor.packs import PackReport
from executor.process import ProcessWorker
from executor.refusal import refusal_lines
from executor.schema import NodeDefinition
from executor.shown_files import shown_state
from executor.terminal import (
    complain,
    complain_of,
    describe_file,
    describe_node,
    follow,
    list_nodes,
    list_packs,
    tell,
)
from executor.tiered_cache import TieredCache
from executor.worker import Device, Job, Worker, WorkerReport
from executor.worker_options import WorkerOptions, each_worker, worker_options_of
from executor.workflow import WorkflowError

if TYPE_CHECKING:
    from nodes.packs.loading import PackLoader
    from nodes.packs.surroundings import Surroundings

HERE = Path(__file__).resolve().parent
LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def make_worker(options: WorkerOptions) -> Worker:
    """A worker with every node type. It imports torch, so it is called where the worker lives and nowhere else."""
    if options.cuda_device is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = str(options.cuda_device)  # torch reads it once, when it is imported
    # Nothing is ever fetched at run time, not even asked for.
    os.environ["HF_HUB_OFFLINE"] = "1"
    # Threads that spin while they wait make every step several times slower as soon as anything else wants a core.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    if options.serving:
        logging.getLogger().setLevel(options.arguments.get("verbose", "INFO"))  # what is logged, the server writes
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
        "run": (run_parser, _run),
        "convert": (convert_parser, _convert),
        "info": (info_parser, _info),
        "nodes": (nodes_parser, _nodes),
        "packs": (packs_parser, _packs),
    }
    parser, command = commands[words.pop(0) if words and words[0] in commands else "serve"]
    options = parser().parse_args(words)
    try:
        return asyncio.run(command(options))
    except (MetadataError, PathError, WorkflowError, WorkflowFileError) as error:
        complain(str(error))
        return 1
    except KeyboardInterrupt:
        return 130


async def _serve(options: argparse.Namespace) -> int:
    from server.app import make_app
    from server.flags import opens_browser, settings_of
    from server.foreign_flags import ignored
    from server.serve import StartError, serve

    logging.basicConfig(level=options.verbose, format=LOG_FORMAT, stream=sys.stdout if options.log_stdout else None)
    if (unused := ignored(options)) is not None:
        complain(f"warning: {unused}")
    worker_options = worker_options_of(options, HERE)
    settings = settings_of(options, editor=HERE / "frontend" / "dist", version=_version(), argv=sys.argv)

    def announce(line: str) -> None:
        print(f"{line}  (Ctrl+C stops it)", flush=True)
        if opens_browser(options):
            webbrowser.open(line.split()[-1].rstrip(","))

    workers = [ProcessWorker(make_worker, each) for each in each_worker(options, HERE)]
    try:
        await serve(make_app(workers, worker_options.folders, settings), settings, announce)
    except StartError as error:
        complain(str(error))
        return 1
    return 0


@asynccontextmanager
async def _worker_for(options: WorkerOptions) -> AsyncGenerator[Worker]:
    """A worker in this process, closed at the end. Whatever packs print goes to standard error meanwhile."""
    with redirect_stdout(sys.stderr):
        worker = make_worker(options)
        try:
            yield worker
        finally:
            await worker.close()


async def _run(options: argparse.Namespace) -> int:
    """Run a saved graph. The files written go to standard output, everything else to standard error."""
    if options.server is not None:
        return await _run_on_server(options)
    worker_options = worker_options_of(options, HERE)
    folders = worker_options.folders
    async with _worker_for(worker_options) as worker:
        definitions = await worker.definitions()
        graph = _read(options, definitions)
        # A server runs the good part of a half-bad prompt; a script wants all of it or a refusal.
        validation = await worker.validate(graph.prompt)
        for line in refusal_lines(validation.errors, definitions):
            complain(f"{options.workflow}: {line}")
        if validation.errors:
            if any(error.type == "missing_node_type" for error in validation.errors):
                complain_of(await _pack_reports(worker))
            return 1
        extra = {"workflow": graph.workflow} if graph.workflow is not None else {}
        job = Job(
            str(uuid.uuid4()),
            graph.prompt,
            extra_pnginfo=extra,
            preview_method="none",
            saves_metadata=not options.disable_metadata,
        )
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGINT, lambda: loop.create_task(worker.interrupt(job.job_id)))
        report = await follow(worker.run(job), graph.prompt, quiet=options.quiet)
    files = [folders.resolve(image["type"], image["filename"], image["subfolder"]) for image in report.images()]
    return tell(report, files, as_json=options.json)


async def _run_on_server(options: argparse.Namespace) -> int:
    """The same, by a server; what it saves is fetched into the output folder."""
    from server.client import Client, Refused, ServerError
    from server.files import store_upload

    output = folders_of(options, HERE).output
    files: list[Path] = []
    try:
        async with Client(options.server) as client:
            info = await client.object_info()
            definitions = {name: definition_from_object_info(name, entry) for name, entry in info.items()}
            graph = _read(options, definitions)
            job_id = await client.submit(graph.prompt, workflow=graph.workflow, whole=True)
            loop = asyncio.get_running_loop()
            loop.add_signal_handler(signal.SIGINT, lambda: loop.create_task(client.interrupt(job_id)))
            report = await follow(client.events(job_id), graph.prompt, quiet=options.quiet)
            for image in report.images():
                target = confined(output, f"{image['subfolder']}/{image['filename']}".lstrip("/"))
                target.parent.mkdir(parents=True, exist_ok=True)
                files.append(store_upload(io.BytesIO(await client.fetch(image)), target, overwrite=False))
    except Refused as refused:
        for line in refusal_lines(refused.errors, definitions) or [str(refused)]:
            complain(f"{options.workflow}: {line}")
        return 1
    except ServerError as error:
        complain(str(error))
        return 1
    return tell(report, files, as_json=options.json)


def _read(options: argparse.Namespace, definitions: Mapping[str, NodeDefinition]) -> SavedGraph:
    graph = read_graph(options.workflow, definitions)
    set_values(graph, options.set, definitions)
    for warning in graph.warnings:
        complain(f"warning: {warning}")
    return graph


async def _convert(options: argparse.Namespace) -> int:
    """Print the prompt of a saved graph."""
    definitions: Mapping[str, NodeDefinition]
    if options.definitions is not None:
        definitions = read_definitions(options.definitions)
    else:
        async with _worker_for(worker_options_of(options, HERE)) as worker:
            definitions = await worker.definitions()
    print(json.dumps(_read(options, definitions).prompt, indent=2))
    return 0


async def _info(options: argparse.Namespace) -> int:
    """Print what a file says about how it was made."""
    metadata = read_metadata(options.file)
    print(json.dumps(metadata.texts, indent=2, ensure_ascii=False) if options.json else describe_file(metadata))
    return 0


async def _nodes(options: argparse.Namespace) -> int:
    async with _worker_for(worker_options_of(options, HERE)) as worker:
        definitions = await worker.definitions()
        reports = await _pack_reports(worker)
    complain_of(reports)
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
    async with _worker_for(worker_options_of(options, HERE)) as worker:
        reports = await _pack_reports(worker)
    print(list_packs(reports))
    return 1 if any(report.error for report in reports) else 0


async def _pack_reports(worker: Worker) -> Sequence[PackReport]:
    return (await worker.packs()).packs


def _serve_parser() -> argparse.ArgumentParser:
    from server.flags import add_serve_flags

    parser = argparse.ArgumentParser(
        prog="main.py",
        description="Serve the editor and the API. Other commands: main.py run, convert, nodes, packs.",
        parents=[shared_parser("+")],
    )
    add_serve_flags(parser)
    return parser


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
