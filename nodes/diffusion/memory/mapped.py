"""Gives back the pages of a mapped file that have been read once and copied, so that a load holds no weight twice.

The file stays in the system's cache, and a page that is wanted again comes from there. It reads no tensor. Only Linux
tells what is mapped; elsewhere nothing is given back.
"""

import bisect
import contextlib
import ctypes
import mmap
import os
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from torch import Tensor

from nodes.diffusion.memory.packed import Packed

_MAPS, _PAGES = Path("/proc/self/maps"), Path("/proc/self/pagemap")
_PRIVATE_FILE = re.compile(r"^([0-9a-f]+)-([0-9a-f]+) r..p \S+ \S+ [1-9]\d* ")
_DONT_NEED = 4
"""MADV_DONTNEED of Linux."""

_ENTRY = 8
"""Bytes that pagemap has for a page."""

_PRESENT, _SWAPPED, _OF_FILE = (np.uint64(1 << bit) for bit in (63, 62, 61))
"""What pagemap says of a page."""


class MappedPages:
    """What files are mapped where, as of now.

    Invariant: only pages that still are those of a file are given back; one that somebody wrote to is his own.
    """

    def __init__(self) -> None:
        self._ranges: list[tuple[int, int]] = []
        with contextlib.suppress(OSError, AttributeError):
            self._advise = ctypes.CDLL(None, use_errno=True).madvise
            self._pages = os.open(_PAGES, os.O_RDONLY)
            self._ranges = sorted(_file_ranges())

    def close(self) -> None:
        """Forget them."""
        if self._ranges:
            os.close(self._pages)
        self._ranges = []

    def release(self, tensor: Tensor) -> None:
        """Give back the pages that lie within a contiguous tensor, if they are a file's."""
        tensor = tensor.codes if isinstance(tensor, Packed) else tensor
        if type(tensor) is not Tensor or tensor.device.type != "cpu" or not tensor.is_contiguous():
            return
        first, last = tensor.data_ptr(), tensor.data_ptr() + tensor.nbytes
        place = bisect.bisect_right(self._ranges, first, key=lambda one: one[0]) - 1
        if place < 0 or last > self._ranges[place][1]:
            return
        begin, end = -(-first // mmap.PAGESIZE), last // mmap.PAGESIZE
        if end > begin and self._unchanged(begin, end):
            size = (end - begin) * mmap.PAGESIZE
            self._advise(ctypes.c_void_p(begin * mmap.PAGESIZE), ctypes.c_size_t(size), _DONT_NEED)

    def _unchanged(self, begin: int, end: int) -> bool:
        """Whether none of these pages was written to."""
        said = np.frombuffer(os.pread(self._pages, (end - begin) * _ENTRY, begin * _ENTRY), np.uint64)
        written = ((said & _PRESENT) != 0) & ((said & _OF_FILE) == 0) | ((said & _SWAPPED) != 0)
        return len(said) == end - begin and not written.any()


def _file_ranges() -> Iterator[tuple[int, int]]:
    """(begin, end) of private mappings of files."""
    for line in _MAPS.read_text().splitlines():
        if match := _PRIVATE_FILE.match(line):
            yield int(match[1], 16), int(match[2], 16)
