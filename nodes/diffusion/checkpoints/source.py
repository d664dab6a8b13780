"""Where tensors come from: names, shapes and types first, the tensors themselves only when they are asked for."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from safetensors import safe_open
from torch import Tensor

from nodes.diffusion.checkpoints.gguf_file import is_gguf, read_gguf
from nodes.diffusion.checkpoints.header import read_header
from nodes.diffusion.checkpoints.pickled import is_pickle, read_pickle

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Source:
    """A model file, or a folder of them, under its own tensor names."""

    path: Path
    shapes: Mapping[str, Shape]
    read: Callable[[Iterable[str]], dict[str, Tensor]]
    """Memory-mapped tensors by name, in the file's type."""
    metadata: Mapping[str, str] = field(default_factory=dict[str, str])
    label: str = ""
    """How errors name it, where its file's name says nothing."""

    @property
    def title(self) -> str:
        """How errors name it."""
        return self.label or self.path.name


@dataclass(frozen=True, slots=True)
class Part:
    """The tensors of one network, under the names of the layout that it is read in."""

    source: Source
    prefix: str
    """What the layout's whole checkpoint puts in front of the names; only errors show it."""
    names: Mapping[str, str]
    """Name in the layout, without prefix -> the source's name."""

    @property
    def shapes(self) -> dict[str, Shape]:
        """Name in the layout -> shape."""
        return {name: self.source.shapes[theirs] for name, theirs in self.names.items()}

    def read(self, names: Iterable[str]) -> dict[str, Tensor]:
        """Tensors by their names in the layout."""
        wanted = {name: self.names[name] for name in names}
        tensors = self.source.read(wanted.values())
        return {name: tensors[theirs] for name, theirs in wanted.items()}


def part_under(source: Source, prefix: str) -> Part:
    """All tensors whose names begin with `prefix`."""
    return Part(source, prefix, {name.removeprefix(prefix): name for name in source.shapes if name.startswith(prefix)})


def open_source(path: Path) -> Source:
    """A model file: safetensors, GGUF, or a pickle that is nothing but data. Raises CheckpointError for the user."""
    if path.is_file() and is_pickle(path):
        return held(path, read_pickle(path))
    if path.is_file() and is_gguf(path):
        return held(path, *read_gguf(path))
    header = read_header(path)

    def read(names: Iterable[str]) -> dict[str, Tensor]:
        with safe_open(path, framework="pt", device="cpu") as file:
            return {name: file.get_tensor(name) for name in names}

    return Source(path, header.shapes, read, header.metadata)


def held(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str] = MappingProxyType({})) -> Source:
    """Tensors that are open already, as the source of `path`."""
    shapes = {name: tuple(value.shape) for name, value in tensors.items()}
    return Source(path, shapes, lambda names: {name: tensors[name] for name in names}, metadata)
