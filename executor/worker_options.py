"""What a worker is told at its start, and how the command line says it. Data only; starts nothing."""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from executor.device_flags import DeviceOptions, device_options_of
from executor.flags import CacheOptions, PackOptions, cache_options_of, folders_of, pack_options_of
from executor.folders import Folders


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


def worker_options_of(options: argparse.Namespace, home: Path, device: int | None = None) -> WorkerOptions:
    """The worker that the flags describe, at `home` unless they name another installation. `device` is the GPU to
    compute on; None takes the first that the flags name, if they do. Raises PathError."""
    device = next(iter(options.cuda_device), None) if device is None else device
    arguments = {name: str(value) if isinstance(value, Path) else value for name, value in vars(options).items()}
    arguments["cuda_device"] = device
    return WorkerOptions(
        folders=folders_of(options, home),
        device=device_options_of(options),
        cuda_device=device,
        cache=cache_options_of(options),
        packs=pack_options_of(options),
        arguments=arguments,
    )


def each_worker(options: argparse.Namespace, home: Path) -> list[WorkerOptions]:
    """For a server: its workers, `--workers` of them for each device."""
    devices: Sequence[int | None] = () if options.cpu else options.cuda_device
    each = [worker_options_of(options, home, device) for device in devices or (None,) for _ in range(options.workers)]
    return [replace(worker, serving=True) for worker in each]
