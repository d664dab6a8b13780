"""Textual inversion: files of vectors that stand for words of a prompt (Gal et al. 2022, "An Image is Worth One Word").

Read as data only: safetensors, or a pickle whose content is nothing but tensors and plain values.
"""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from torch import Tensor

from nodes.diffusion.checkpoints.header import CheckpointError
from nodes.diffusion.checkpoints.source import open_source
from nodes.diffusion.values import TextRole

log = logging.getLogger(__name__)

SUFFIXES = ("", ".safetensors", ".pt", ".bin")
"""What a name may lack, in the order of search."""


def find_vectors(folders: Sequence[Path], name: str, role: TextRole, width: int) -> Tensor | None:
    """(vectors, width) of the embedding `name` for one text model. None, and a line in the log, if there are none."""
    path = find_embedding(folders, name)
    if path is None:
        log.warning("embedding:%s is left out of the text: there is no such file in the folder embeddings.", name)
        return None
    try:
        tensors = read_tensors(path)
    except CheckpointError as error:
        log.warning("embedding:%s is left out of the text: %s", name, error)
        return None
    vectors = choose_vectors(tensors, role, width)
    if vectors is None:
        shapes = ", ".join(f"{key} {list(value.shape)}" for key, value in tensors.items())
        log.warning(
            "embedding:%s is left out of the text: it has no vectors of %d numbers, which this text model takes (%s).",
            name,
            width,
            shapes,
        )
    return vectors


def find_embedding(folders: Sequence[Path], name: str) -> Path | None:
    """The file of a name, which may lack its suffix; never one outside the folders."""
    if not name or "\0" in name or "\\" in name or PurePosixPath(name).is_absolute():
        return None
    for folder in folders:
        for suffix in SUFFIXES:
            path = (folder / (name + suffix)).resolve()
            if path.is_relative_to(folder.resolve()) and path.is_file():
                return path
    return None


def read_tensors(path: Path) -> dict[str, Tensor]:
    """All tensors of a file by name, those of inner dictionaries too. Raises CheckpointError."""
    source = open_source(path)
    return source.read(source.shapes)


def choose_vectors(tensors: Mapping[str, Tensor], role: TextRole, width: int) -> Tensor | None:
    """The vectors for a text model: by its name in files for several (`clip_l`, `clip_g`), else by their width."""
    named = tensors.get(f"clip_{role}")
    candidates = [named] if named is not None else list(tensors.values())
    for tensor in candidates:
        vectors = tensor[None] if tensor.ndim == 1 else tensor
        if vectors.ndim == 2 and vectors.shape[1] == width:
            return vectors
    return None
