"""Model files as nodes open them: what changes when a file is replaced, and errors that name the input."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from executor.folders import Folders, PathError
from executor.schema import Injected, InputError
from nodes.diffusion.checkpoints.header import CheckpointError
from nodes.diffusion.checkpoints.small_vae import small_vae_when_there
from nodes.diffusion.text.chunks import embedding_names
from nodes.diffusion.text.embeddings import find_embedding
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


def embedding_state(*, folders: Injected[Folders], **texts: Any) -> str:
    """Changes with each file that a text names as `embedding:name`. Texts that come by a link are not looked at."""
    names = [name for text in texts.values() if isinstance(text, str) for name in embedding_names(text)]
    found = (find_embedding(embedding_folders(folders), name.rstrip(",")) for name in names)
    return ";".join(file_state(path) for path in found if path is not None)


def with_small_vae(model: Model, folders: Folders) -> Model:
    """The model with what previews may decode its latents by, as soon as its files are in vae_approx."""
    return replace(model, small_vae=small_vae_when_there(folders.halves, model.space))


@contextmanager
def opening(input_name: str) -> Iterator[None]:
    """Marks the input whose file cannot be found or used."""
    try:
        yield
    except (PathError, CheckpointError) as error:
        raise InputError(input_name, str(error)) from error
