"""Memos that outlive the process: one file each in a folder, evicted by bytes, the longest unused first.

Nothing here may fail a run. What cannot be written is not remembered, what cannot be read was never there. A memo is
found by its file's name alone; the index only serves eviction. The folder may be shared by several processes, and be
emptied at any time. It knows no type of value: their codecs and their sizes come from outside.
"""

import hashlib
import logging
import os
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from executor.cache import Memo
from executor.codec import Codecs, Unstorable
from executor.disk_index import DiskIndex, is_busy
from executor.memo_file import Damaged, MemoFile, decode_memo, encode_memo
from executor.signature import Signature
from executor.whole_files import beside, flush, is_unfinished, put

log = logging.getLogger(__name__)
T = TypeVar("T")

LEAST_SECONDS = 0.01
"""A node that took less is run again sooner than its memo is read. Not asked of nodes that show something."""

LARGEST_SHARE = 0.25
"""Of the budget that one memo may take, so that none drives out all others."""

WAITING_BYTES = 256 * 2**20
"""Of memos that wait to be written. Nodes that are faster than the disk leave memos behind that are not written."""

ABANDONED_SECONDS = 3600
"""Age at which an unfinished file is taken for one whose writer was killed."""


class DiskCache:
    """Implements `Cache` in a folder. Safe to use from several threads; writing happens on a thread of its own."""

    def __init__(
        self,
        folder: Path,
        budget: int,
        codecs: Codecs,
        namespace: str,
        size_of: Callable[[Any], int],
        *,
        least_seconds: float = LEAST_SECONDS,
    ) -> None:
        """`budget` is in bytes of files. `namespace` names all that may change a result beside what signatures hold,
        such as versions of libraries: memos of another one are not found, and age out.

        Neither reads nor writes anything yet.
        """
        self._folder = folder
        self._budget = budget
        self._codecs = codecs
        self._namespace = namespace
        self._size_of = size_of
        self._least_seconds = least_seconds
        self._lock = threading.Lock()
        self._waiting: dict[Signature, tuple[Memo, int]] = {}
        self._waiting_bytes = 0
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._index = DiskIndex(folder / "index.sqlite")
        """Used on the writing thread only."""
        self._closed = False
        self._failed = False
        """Whether a write has; then no other is tried."""

    def has(self, signature: Signature) -> bool:
        """Whether there is a file, or soon will be."""
        return signature in self._waiting or self._path(self._key(signature)).exists()

    def get(self, signature: Signature) -> Memo | None:
        """The memo, which counts as used. A damaged file is removed."""
        key = self._key(signature)
        waiting = self._waiting.get(signature)
        if waiting is not None:
            self._later(partial(self._index_use, key))
            return waiting[0]
        try:
            memo = decode_memo(key, self._path(key).read_bytes(), self._codecs)
        except OSError:
            return None
        except Damaged as error:
            log.info("A remembered result is dropped: %s", error)
            with suppress(OSError):
                self._path(key).unlink()
            self._later(partial(self._index_forget, key))
            return None
        self._later(partial(self._index_use, key))
        return memo

    def put(self, signature: Signature, memo: Memo) -> None:
        """Have the memo written, if it is worth it. Returns at once.

        A memo that shows something is always worth it: to run its node again would leave a second file.
        """
        if memo.ui is None and memo.seconds < self._least_seconds:
            return
        size = sum(self._size_of(value) for values in memo.outputs for value in values)
        if size > self._budget * LARGEST_SHARE:
            return
        with self._lock:
            others = self._waiting_bytes - self._waiting.get(signature, (None, 0))[1]
            if self._closed or self._failed or (others and others + size > WAITING_BYTES):
                return
            self._waiting[signature] = memo, size
            self._waiting_bytes = others + size
        self._later(partial(self._write, signature))

    def retain(self, signatures: Collection[Signature]) -> None:
        """Nothing: what is on disk is kept for other runs."""

    def clear(self) -> None:
        """Nothing: what is on disk takes no memory, and what waits is written in a moment."""

    def close(self) -> None:
        """Write what waits. Memos can be had afterwards, but none is kept."""
        with self._lock:
            self._closed = True
            thread, self._thread = self._thread, None
            self._jobs.put(None)
        if thread is not None:
            thread.join()

    def _key(self, signature: Signature) -> str:
        return hashlib.sha256(f"{self._namespace}\0{signature}".encode()).hexdigest()

    def _path(self, key: str) -> Path:
        return self._folder / f"{key}.memo"

    def _later(self, job: Callable[[], None]) -> None:
        """Do something on the writing thread, which begins with the first such thing."""
        with self._lock:
            if self._closed or self._failed:
                return
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="memo writer", daemon=True)
                self._thread.start()
            self._jobs.put(job)

    # All below runs on the writing thread only.

    def _work(self) -> None:
        self._do(self._begin)
        while (job := self._jobs.get()) is not None:
            self._do(job)
        self._index.close()

    def _do(self, job: Callable[[], None]) -> None:
        if self._failed:
            return
        try:
            job()
        except (OSError, sqlite3.Error) as error:
            if isinstance(error, sqlite3.Error) and is_busy(error):
                return  # a file that is not in the index now is entered at the next start
            with self._lock:
                self._failed = True
                self._waiting.clear()
            log.warning("Results are no longer written to %s: %s", self._folder, error)
        except Exception:
            log.exception("A result could not be written to %s.", self._folder)

    def _begin(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        self._evict(self._indexed(self._reconcile))

    def _write(self, signature: Signature) -> None:
        key = self._key(signature)
        waiting = self._waiting.get(signature)
        if waiting is None:
            self._index_use(key)  # put twice while waiting, and written at the first turn
            return
        try:
            file = encode_memo(key, waiting[0], self._codecs)
            if file.size <= self._budget * LARGEST_SHARE:
                self._folder.mkdir(parents=True, exist_ok=True)
                self._write_file(self._path(key), file)
                self._evict(self._indexed(lambda: self._index.enter(key, file.size, self._budget)))
        except (Unstorable, FileNotFoundError):
            pass  # it may not be kept, or someone emptied the folder just now
        finally:
            with self._lock:
                if self._waiting.get(signature) is waiting:
                    del self._waiting[signature]
                    self._waiting_bytes -= waiting[1]

    def _write_file(self, path: Path, file: MemoFile) -> None:
        with beside(path) as (temporary, stream):
            for piece in file.pieces:
                stream.write(piece)
            flush(stream)
            put(temporary, path)

    def _evict(self, keys: list[str]) -> None:
        for key in keys:
            self._path(key).unlink(missing_ok=True)

    def _index_use(self, key: str) -> None:
        self._indexed(lambda: self._index.use(key))

    def _index_forget(self, key: str) -> None:
        self._indexed(lambda: self._index.forget(key))

    def _indexed(self, call: Callable[[], T]) -> T:
        """What a call of the index gives; a damaged index is made anew from the files, once."""
        try:
            return call()
        except sqlite3.Error as error:
            if not self._index.is_lost(error):
                raise
            log.warning("The index of %s is damaged and is made anew: %s", self._folder, error)
        self._index.repair()
        self._evict(self._reconcile())
        return call()

    def _reconcile(self) -> list[str]:
        return self._index.reconcile(self._files(), self._budget)

    def _files(self) -> dict[str, int]:
        """Key -> bytes of all memo files, those written first coming first. Removes unfinished files that are old."""
        found: list[tuple[int, str, int]] = []
        with os.scandir(self._folder) as entries:
            for entry in entries:
                with suppress(FileNotFoundError):  # other processes evict too
                    path, state = Path(entry.path), entry.stat()
                    if path.suffix == ".memo":
                        found.append((state.st_mtime_ns, path.stem, state.st_size))
                    elif is_unfinished(path) and time.time() - state.st_mtime > ABANDONED_SECONDS:
                        path.unlink()
        return {key: size for _, key, size in sorted(found)}
