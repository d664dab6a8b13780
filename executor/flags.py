"""The flags of every command, whichever carrier runs its jobs: where things live, what computes, what is remembered.

The names are ComfyUI's, so that its launchers work, `--cache-disk` apart. What they make is data; nothing starts here.
"""

import argparse
import math
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from executor.device_flags import GIBIBYTE, add_device_flags
from executor.folders import Folders
from executor.installation import make_folders

DEFAULT_MEMORY = 4.0
"""GiB of results in memory."""


@dataclass(frozen=True, slots=True)
class CacheOptions:
    """What is remembered between runs."""

    memory_bytes: int
    """Of results in memory; 0 keeps none."""
    disk_bytes: int
    """Of results that outlive the process, in the folder `cache` of the user folder; 0 keeps none."""
    most_memos: int = sys.maxsize
    """In memory, beside the budget of bytes."""
    keep_free: int = 0
    """Bytes of the machine's memory that results in memory must leave free."""
    only_current: bool = False
    """Whether each run makes the memory forget what does not occur in it."""


@dataclass(frozen=True, slots=True)
class PackOptions:
    """Which node packs are loaded."""

    enabled: bool = True
    exceptions: tuple[str, ...] = ()
    """Packs that are loaded although not `enabled`, by the names of their folders or files."""


def shared_parser(count: Literal[1, "+"] = 1) -> argparse.ArgumentParser:
    """Flags of every command: where things live and what computes. `count`: how many files the one flag that takes
    several may take at once; where a file name follows the flags, one."""
    parser = argparse.ArgumentParser(add_help=False)
    for name in ("base", "input", "output", "temp", "user"):
        parser.add_argument(f"--{name}-directory", type=Path, metavar="FOLDER", help=f"the {name} folder")
    parser.add_argument(
        "--extra-model-paths-config",
        type=Path,
        nargs=count,
        action="append",
        default=[],
        metavar="YAML",
        help="further model folders, in ComfyUI's extra_model_paths format",
    )
    parser.add_argument("--disable-all-custom-nodes", action="store_true", help="load no node packs")
    parser.add_argument(
        "--whitelist-custom-nodes", nargs=count, action="append", default=[], metavar="NAME",
        help="load this node pack in spite of --disable-all-custom-nodes: the name of its folder or file",
    )  # fmt: skip
    parser.add_argument(
        "--disable-metadata", action="store_true", help="save files without the prompt and the workflow in them"
    )
    parser.add_argument("--cpu", action="store_true", help="compute on the CPU even if there is a GPU")
    parser.add_argument(
        "--cuda-device", type=_devices, default=(), metavar="N[,N...]",
        help="compute on this GPU; a server has a worker for each of several, every other command takes the first",
    )  # fmt: skip
    add_device_flags(parser)
    _add_cache_flags(parser)
    return parser


def folders_of(options: argparse.Namespace, home: Path) -> Folders:
    """The folders that the flags name, under `home` where they name none. Raises PathError."""
    base = options.base_directory or home
    extra = [path for group in options.extra_model_paths_config for path in group]
    default_extra = base / "extra_model_paths.yaml"
    return make_folders(
        base,
        input_folder=options.input_directory,
        output_folder=options.output_directory,
        temp_folder=options.temp_directory,
        user_folder=options.user_directory,
        extra_model_paths=[default_extra, *extra] if default_extra.is_file() else extra,
    )


def pack_options_of(options: argparse.Namespace) -> PackOptions:
    """Which node packs the flags want."""
    names = [name.removesuffix(".py") for group in options.whitelist_custom_nodes for name in group]
    return PackOptions(enabled=not options.disable_all_custom_nodes, exceptions=tuple(names))


def cache_options_of(options: argparse.Namespace) -> CacheOptions:
    """What the flags say of remembering."""
    if options.cache_none:
        return CacheOptions(0, 0)
    memory, free = options.cache_memory, options.cache_ram
    if memory is None:
        memory = DEFAULT_MEMORY if free is None else None  # who names the memory that must stay free leaves us the rest
    return CacheOptions(
        memory_bytes=sys.maxsize if memory is None else int(memory * GIBIBYTE),
        disk_bytes=int(options.cache_disk * GIBIBYTE),
        most_memos=options.cache_lru or sys.maxsize,
        keep_free=int((free or 0) * GIBIBYTE),
        only_current=options.cache_classic,
    )


def _add_cache_flags(parser: argparse.ArgumentParser) -> None:
    """What is remembered. The names are ComfyUI's, but for `--cache-memory` and `--cache-disk`."""
    parser.add_argument(
        "--cache-memory", type=_gibibytes, metavar="GIB",
        help=f"memory for remembered results, of each worker (default {DEFAULT_MEMORY:g})",
    )  # fmt: skip
    parser.add_argument(
        "--cache-disk", type=_gibibytes, default=2.0, metavar="GIB",
        help="disk space for results that outlive a restart, in the folder cache of the user folder, which may be"
        " emptied at any time (default 2; 0 turns it off)",
    )  # fmt: skip
    parser.add_argument(
        "--cache-ram", type=_gibibytes, nargs="?", const=4.0, metavar="GIB",
        help="instead of a fixed amount, use the machine's memory for results until only so much is free (default 4)",
    )  # fmt: skip
    policy = parser.add_mutually_exclusive_group()
    policy.add_argument("--cache-none", action="store_true", help="remember nothing between runs, also not on disk")
    policy.add_argument(
        "--cache-lru", type=_count, default=0, metavar="N",
        help="remember at most N results in memory (0: no such limit)",
    )  # fmt: skip
    policy.add_argument(
        "--cache-classic", action="store_true", help="forget in memory, at each run, what does not occur in it"
    )


def _devices(text: str) -> tuple[int, ...]:
    numbers = [number.strip() for number in text.split(",")]
    if not all(number.isdecimal() for number in numbers):
        raise argparse.ArgumentTypeError(f"'{text}' names no GPUs; give their numbers from 0 on, for example 0 or 0,1")
    return tuple(int(number) for number in numbers)


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"'{text}' is no number of results; give 0 or more")
    return int(text)


def _gibibytes(text: str) -> float:
    try:
        size = float(text)
    except ValueError:
        size = math.nan
    if not 0 <= size < math.inf:
        raise argparse.ArgumentTypeError(f"'{text}' is no amount of GiB; give 0 or more, for example 2.5")
    return size
