"""Reads GGUF files (the format of ggml and llama.cpp, version 2 and 3): a header, then tensors in blocks of few bits.

Names and shapes as they are in the file; which layout they are in is none of its business. The types' block sizes and
the unpacking of blocks come from the packages `gguf` and `diffusers`; the header is read here, because a damaged one
must be refused and not be followed.
"""

import importlib.util
import math
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from nodes.diffusion.checkpoints.header import CheckpointError
from nodes.diffusion.memory.packed import Packed, Unpack

MAGIC = b"GGUF"
VERSIONS = (2, 3)
ORIGINAL_SHAPE = "comfy.gguf.orig_shape."
"""Metadata of this beginning tells the shape of a tensor that was folded so that its rows fill whole blocks."""

_ALIGNMENT = "general.alignment"
_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
"""Type of a metadata value -> how struct reads it."""
_TEXT, _LIST = 8, 9
_MOST_SIDES = 8

_PLAIN = {
    "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16, "F64": torch.float64, "I8": torch.int8,
    "I16": torch.int16, "I32": torch.int32, "I64": torch.int64,
}  # fmt: skip
_BLOCKS = (
    "Q8_0", "Q6_K", "Q5_K", "Q5_1", "Q5_0", "Q4_K", "Q4_1", "Q4_0", "IQ4_XS", "IQ4_NL", "Q3_K", "Q2_K",
)  # fmt: skip
"""Those that `diffusers` unpacks."""


@dataclass(frozen=True, slots=True)
class GgufTensor:
    """Where a tensor is in a file."""

    shape: tuple[int, ...]
    kind: int
    """As the format numbers its types."""
    offset: int
    """From the beginning of the data."""


class _Reader:
    """Steps through a header. Raises ValueError with a clause where it goes beyond the file's end."""

    def __init__(self, data: Any) -> None:
        self.data, self.position = data, 0

    def skim(self, size: int) -> bytes:
        if self.position + size > len(self.data):
            raise ValueError("it ends inside its header")
        begin, self.position = self.position, self.position + size
        made: bytes = self.data[begin : self.position].tobytes()
        return made

    def take(self, form: str, count: int = 1) -> tuple[Any, ...]:
        return struct.unpack(f"<{count}{form}", self.skim(struct.calcsize(f"<{form}") * count))

    def number(self, form: str) -> Any:
        return self.take(form)[0]

    def text(self) -> str:
        return self.skim(self.number("Q")).decode("utf-8", "replace")

    def value(self, kind: int) -> Any:
        """A metadata value; lists of texts (vocabularies) are only stepped over."""
        if kind in _SCALARS:
            return self.number(_SCALARS[kind])
        if kind == _TEXT:
            return self.text()
        if kind != _LIST:
            raise ValueError(f"its metadata has a value of the unknown type {kind}")
        inner, count = self.number("I"), self.number("Q")
        if inner in _SCALARS:
            return self.take(_SCALARS[inner], count)
        for _ in range(count):
            self.value(inner)
        return None


def is_gguf(path: Path) -> bool:
    """Whether a file begins as GGUF files do."""
    with path.open("rb") as file:
        return file.read(len(MAGIC)) == MAGIC


def read_gguf(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """All tensors by name, memory-mapped and packed as they are in the file, and the metadata that is text.

    Raises CheckpointError for the user.
    """
    if importlib.util.find_spec("gguf") is None:
        raise CheckpointError(
            f"{path.name} is a GGUF file, and the package `gguf`, which reads those, is not installed. Install it with "
            "`pip install gguf`, or get the .safetensors version."
        )
    # Copy on write, because torch warns of memory that it cannot write to; nobody does.
    data = np.memmap(path, np.uint8, mode="c")
    try:
        metadata, tensors, start = _header(data)
        mapped = torch.from_numpy(data)
        opened = {name: _opened(name, one, mapped[start:], metadata) for name, one in tensors.items()}
    except RecursionError as error:
        raise CheckpointError(f"{path.name} is damaged: its metadata is nested without end.") from error
    except (ValueError, OverflowError, struct.error) as error:
        raise CheckpointError(
            f"{path.name} cannot be read: it is a GGUF file, but {error}. Download or copy it again, or get another "
            "version of it."
        ) from error
    return opened, {name: value for name, value in metadata.items() if isinstance(value, str)}


def _header(data: Any) -> tuple[dict[str, Any], dict[str, GgufTensor], int]:
    """Metadata, tensors and where their data begins. Raises ValueError with a clause."""
    reader = _Reader(data)
    reader.skim(len(MAGIC))
    version = reader.number("I")
    if version not in VERSIONS:
        raise ValueError(f"its version is {version} and only 2 and 3 are known")
    count, entries = reader.take("Q", 2)
    metadata: dict[str, Any] = {}
    for _ in range(entries):
        key = reader.text()
        metadata[key] = reader.value(reader.number("I"))
    tensors = dict(_entry(reader) for _ in range(count))
    if len(tensors) != count:
        raise ValueError("two of its tensors have one name")
    alignment = metadata.get(_ALIGNMENT, 32)
    if not isinstance(alignment, int) or alignment < 1:
        raise ValueError(f"its alignment is {alignment}")
    return metadata, tensors, -(-reader.position // alignment) * alignment


def _entry(reader: _Reader) -> tuple[str, GgufTensor]:
    name = reader.text()
    sides = reader.number("I")
    if sides > _MOST_SIDES:
        raise ValueError(f"its tensor '{name}' has {sides} sides")
    shape = reader.take("Q", sides)[::-1]  # the innermost side stands first
    kind, offset = reader.take("I")[0], reader.number("Q")
    return name, GgufTensor(shape, kind, offset)


def _opened(name: str, tensor: GgufTensor, data: Tensor, metadata: dict[str, Any]) -> Tensor:
    """Raises ValueError with a clause."""
    kind, blocked, size = _type_of(name, tensor)
    count = math.prod(tensor.shape)
    if count % blocked or (tensor.shape and tensor.shape[-1] % blocked):
        raise ValueError(f"the rows of its tensor '{name}' fill no whole blocks of {kind}")
    end = tensor.offset + count // blocked * size
    if end > len(data):
        raise ValueError(f"it ends inside its tensor '{name}'")
    shape = metadata.get(ORIGINAL_SHAPE + name, tensor.shape)
    if not isinstance(shape, tuple) or math.prod(shape) != count:
        raise ValueError(f"its tensor '{name}' has {count} numbers, which do not fit the shape {shape}")
    codes = data[tensor.offset : end]
    plain = _PLAIN.get(kind)
    if plain is None and kind not in _BLOCKS:
        raise ValueError(f"its tensor '{name}' is packed as {kind}, which is not supported; {', '.join(_BLOCKS)} are")
    if plain is None:
        return Packed(codes, _unpacker(tensor.kind, blocked, size), shape)
    if codes.storage_offset() % plain.itemsize:
        codes = codes.clone()  # torch wants numbers at multiples of their size
    return codes.view(plain).reshape(shape)


def _type_of(name: str, tensor: GgufTensor) -> tuple[str, int, int]:
    """A type's name, how many numbers are in a block, and its bytes."""
    from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType

    try:
        kind = GGMLQuantizationType(tensor.kind)
    except ValueError:
        raise ValueError(f"its tensor '{name}' is of the unknown type {tensor.kind}") from None
    return (kind.name, *GGML_QUANT_SIZES[kind])


def _unpacker(kind: int, blocked: int, size: int) -> Unpack:
    def unpack(codes: Tensor) -> Tensor:
        # Imported here because it takes seconds, and only whoever computes with packed weights needs it.
        from diffusers.quantizers.gguf.utils import dequantize_functions
        from gguf.constants import GGMLQuantizationType

        return dequantize_functions[GGMLQuantizationType(kind)](codes.reshape(-1, size), blocked, size, torch.float32)

    return unpack
