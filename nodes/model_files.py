"""Model files as nodes open them: what changes when a file is replaced, and errors that name the input."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from executor.folders import Folders, PathError
from executor.schema import InputError
from nodes.diffusion.checkpoints.header import CheckpointError
from nodes.types import Clip, Model, Vae


class Checkpoint(NamedTuple):
    """Outputs of everything that opens a whole checkpoint."""

    MODEL: Model
    CLIP: Clip
    VAE: Vae


def file_state(path: Path) -> str:
    """Changes when the file is replaced: its place, size and time of change. A digest would read gigabytes."""
    state = path.stat()
    return f"{path}:{state.st_size}:{state.st_mtime_ns}"


def embedding_folders(folders: Folders) -> tuple[Path, ...]:
    """Where texts look for `embedding:name`."""
    return tuple(folders.models.get("embeddings", ()))


@contextmanager
def opening(input_name: str) -> Iterator[None]:
    """Marks the input whose file cannot be found or used."""
    try:
        yield
    except (PathError, CheckpointError) as error:
        raise InputError(input_name, str(error)) from error
