"""Model files that are pickles (.ckpt, .pt, .pth, .bin), opened as data only: no code of theirs ever runs."""

import pickle
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import Tensor

from nodes.diffusion.checkpoints.header import CheckpointError

_DAMAGE = (OSError, RuntimeError, EOFError, ValueError, KeyError, AttributeError, TypeError, IndexError)

_ZIP = b"PK\x03\x04"

_OUTER = ("state_dict", "model_state_dict", "string_to_param")
"""Keys under which trainers put the tensors, beside what they want to remember of the training."""


def is_pickle(path: Path) -> bool:
    """Whether a file begins as torch's pickles do: a zip archive, or a bare pickle."""
    start = _start(path)
    return start == _ZIP or (start[:1] == b"\x80" and start[1:2] in (b"\2", b"\3", b"\4", b"\5"))


def read_pickle(path: Path) -> dict[str, Tensor]:
    """All tensors by name, memory-mapped where the file allows it. Raises CheckpointError."""
    return dict(_tensors(_inner(read_pickled_data(path))))


def read_pickled_data(path: Path) -> Any:
    """All that the file holds, as it stands there; tensors memory-mapped if it allows that. Raises CheckpointError."""
    zipped = zipfile.is_zipfile(path)
    if not zipped and _start(path) == _ZIP:
        raise CheckpointError(f"{path.name} is damaged: it is no readable zip archive. Download or copy it again.")
    try:
        return torch.load(path, map_location="cpu", weights_only=True, mmap=zipped)
    except pickle.UnpicklingError as error:
        raise CheckpointError(
            f"{path.name} is a pickle that wants to run code, which is never done. Get the .safetensors version, or "
            "convert it on a machine that you can lose."
        ) from error
    except (*_DAMAGE, SafetensorError) as error:  # torch also tries safetensors
        reason = str(error).partition("\n")[0]
        raise CheckpointError(
            f"{path.name} is damaged: it is no readable pickle ({reason}). Download or copy it again."
        ) from error


def _start(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(4)


def _inner(content: Any) -> Any:
    while isinstance(content, Mapping):
        key = next((key for key in _OUTER if isinstance(content.get(key), Mapping)), None)
        if key is None:
            break
        content = content[key]
    return content


def _tensors(content: Any) -> Iterator[tuple[str, Tensor]]:
    if isinstance(content, Tensor):
        yield "tensor", content.detach()
    if isinstance(content, Mapping):
        for name, value in content.items():
            if isinstance(value, Tensor):
                yield str(name), value.detach()
            elif isinstance(value, Mapping):
                yield from ((f"{name}.{inner}", one) for inner, one in _tensors(value))
