"""What the disk tier keeps over restarts, what it forgets, and that no damage to its folder is an error."""

import logging
import os
import random
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from executor.cache import Memo
from executor.codec import Codec
from executor.disk_cache import DiskCache
from executor.signature import Signature

ROOT = Path(__file__).resolve().parents[2]
SIZE = 100_000
"""Bytes of a value; what a file holds beside it is less than a hundredth."""


def cache(folder, slots=100, *, codecs=None, namespace="toys 1", least_seconds=0.0):
    """A cache with room for `slots` values of SIZE bytes. Every value is bytes."""
    return DiskCache(folder, int(slots * SIZE * 1.01), codecs or {}, namespace, len, least_seconds=least_seconds)


def value(name, size=SIZE):
    return name.encode() * (size // len(name))


def memo(name, size=SIZE, seconds=1.0, ui=None):
    return Memo(((value(name, size),),), ui, seconds)


def put(folder, names, slots=100):
    """Put memos, each under its own name, and end the cache as a restart would."""
    tested = cache(folder, slots)
    for name in names:
        tested.put(Signature(name), memo(name))
    tested.close()


def held(folder, names="abcdefgh", **options):
    """The names whose memos a new cache finds; every one it finds must be that memo."""
    tested = cache(folder, **options)
    found = {name: tested.get(Signature(name)) for name in names}
    assert all(got is None or got == memo(name) for name, got in found.items())
    assert all(tested.has(Signature(name)) == (got is not None) for name, got in found.items())
    tested.close()
    return "".join(name for name, got in found.items() if got is not None)


def files(folder, suffix=".memo"):
    return sorted(path for path in folder.iterdir() if path.suffix == suffix)


def entered(folder):
    """Key -> bytes, as the index has it."""
    connection = sqlite3.connect(folder / "index.sqlite")
    try:
        return dict(connection.execute("SELECT key, bytes FROM memo"))
    finally:
        connection.close()


def assert_index_agrees(folder):
    assert entered(folder) == {path.stem: path.stat().st_size for path in files(folder)}


def test_memos_outlive_a_restart(tmp_path):
    put(tmp_path / "cache", "abc")
    assert held(tmp_path / "cache") == "abc"
    assert_index_agrees(tmp_path / "cache")


def test_a_cache_that_is_not_used_touches_nothing(tmp_path):
    tested = cache(tmp_path / "cache")
    assert tested.get(Signature("a")) is None
    tested.close()
    assert list(tmp_path.iterdir()) == []


class Slow(bytes):
    """A value whose codec waits."""


def slow_until(event):
    """The codecs of values that cannot be written before the event."""

    def slowly(given):
        assert event.wait(120)
        return bytes(given)

    return {Slow: Codec("slow", slowly, Slow)}


def test_a_memo_is_there_before_it_is_written(tmp_path):
    written = threading.Event()
    codecs = slow_until(written)
    tested = cache(tmp_path, codecs=codecs)
    waiting = Memo(((Slow(b"x"),),), None, 1.0)
    tested.put(Signature("a"), waiting)
    assert tested.has(Signature("a"))
    assert tested.get(Signature("a")) is waiting
    written.set()
    tested.close()
    again = cache(tmp_path, codecs=codecs).get(Signature("a"))
    assert again == waiting
    assert again is not None
    assert type(again.outputs[0][0]) is Slow


def check_eviction(folder, slots, script, expected):
    """Script words: `a` puts a memo, `?a` uses it, `|` is a restart."""
    tested = cache(folder, slots)
    for word in script.split():
        if word == "|":
            tested.close()
            tested = cache(folder, slots)
        elif word[0] == "?":
            assert tested.get(Signature(word[1])) is not None
        else:
            tested.put(Signature(word), memo(word))
    tested.close()
    assert_index_agrees(folder)
    assert sum(path.stat().st_size for path in files(folder)) <= slots * SIZE * 1.01
    assert held(folder) == expected


@pytest.mark.parametrize(
    ("slots", "script", "expected"),
    [
        (4, "a b c d e f", "cdef"),
        (4, "a b c d ?a e", "acde"),
        (4, "a b c d | ?a | e", "acde"),
        (4, "a b c d a e", "acde"),
        (4, "a b | c d | e f | g", "defg"),
    ],
    ids=["the first goes first", "use keeps", "use before a restart keeps", "putting again keeps", "over restarts"],
)
def test_the_longest_unused_goes_when_the_bytes_do_not_suffice(tmp_path, slots, script, expected):
    check_eviction(tmp_path, slots, script, expected)


def test_a_smaller_budget_after_a_restart_is_kept_to(tmp_path):
    put(tmp_path, "abcdef")
    assert held(tmp_path, "f", slots=4) == "f"
    assert held(tmp_path) == "cdef"
    assert_index_agrees(tmp_path)


def test_what_waits_to_be_written_is_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr("executor.disk_cache.WAITING_BYTES", 2 * SIZE)
    written = threading.Event()
    codecs = slow_until(written)
    tested = cache(tmp_path, codecs=codecs)
    for name in "abcdb":
        tested.put(Signature(name), Memo(((Slow(value(name)),),), None, 1.0))
    assert "".join(name for name in "abcd" if tested.has(Signature(name))) == "ab"
    written.set()
    tested.close()
    assert "".join(name for name in "abcd" if cache(tmp_path, codecs=codecs).has(Signature(name))) == "ab"


@pytest.mark.parametrize(
    ("name", "given", "kept"),
    [
        ("worth it", memo("a", seconds=0.5), True),
        ("made faster than read", memo("a", seconds=0.05), False),
        ("made fast, but it shows a file", memo("a", seconds=0.05, ui={"images": []}), True),
        ("more than a quarter of the budget", memo("a", size=2 * SIZE, seconds=9.0), False),
        ("without a codec", Memo(((b"", "text", (), bytearray(2)),), None, 9.0), False),
    ],
)
def test_only_what_is_worth_it_is_written(tmp_path, name, given, kept):
    tested = cache(tmp_path, 7, least_seconds=0.1)
    tested.put(Signature("a"), given)
    tested.close()
    assert cache(tmp_path).get(Signature("a")) == (given if kept else None), name


def test_another_namespace_finds_nothing_and_takes_nothing_away(tmp_path):
    put(tmp_path, "a")
    assert held(tmp_path, namespace="toys 2") == ""
    assert held(tmp_path) == "a"


def truncate(path):
    path.write_bytes(path.read_bytes()[: SIZE // 2])


def flip(path):
    content = bytearray(path.read_bytes())
    content[SIZE // 2] ^= 1
    path.write_bytes(bytes(content))


DAMAGES = [truncate, flip, lambda path: path.write_bytes(b""), lambda path: path.write_bytes(b"nonsense" * 100)]


@pytest.mark.parametrize("damage", DAMAGES, ids=["truncated", "flipped bit", "empty", "nonsense"])
def test_a_damaged_file_is_a_miss_and_is_removed(tmp_path, damage):
    put(tmp_path, "a")
    [path] = files(tmp_path)
    damage(path)
    put(tmp_path, "b")
    assert held(tmp_path) == "b"
    assert not path.exists()
    assert_index_agrees(tmp_path)
    put(tmp_path, "a")
    assert held(tmp_path) == "ab"


def test_a_file_that_was_removed_is_a_miss_and_is_forgotten(tmp_path):
    put(tmp_path, "a")
    [path] = files(tmp_path)
    path.unlink()
    put(tmp_path, "b")
    assert held(tmp_path) == "b"
    assert_index_agrees(tmp_path)


def test_a_file_of_another_memo_is_a_miss(tmp_path):
    put(tmp_path, "a")
    [path] = files(tmp_path)
    put(tmp_path, "b")
    [other] = set(files(tmp_path)) - {path}
    path.replace(other)
    assert held(tmp_path) == ""


def spoil(folder):
    """Damage in the middle of a page, which shows only when the page is read."""
    content = bytearray((folder / "index.sqlite").read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    (folder / "index.sqlite").write_bytes(bytes(content))


@pytest.mark.parametrize(
    ("damage", "aside"),
    [
        (lambda folder: (folder / "index.sqlite").write_bytes(b"no database, but long enough for one" * 200), 1),
        (lambda folder: (folder / "index.sqlite").write_bytes((folder / "index.sqlite").read_bytes()[:5000]), 1),
        (spoil, 1),
        (lambda folder: (folder / "index.sqlite").write_bytes(b""), 0),
        (lambda folder: (folder / "index.sqlite").unlink(), 0),
    ],
    ids=["nonsense", "truncated", "spoilt pages", "empty", "missing"],
)
def test_a_damaged_index_is_made_anew_from_the_files(tmp_path, damage, aside):
    put(tmp_path, "abcd")
    damage(tmp_path)
    put(tmp_path, "e", slots=4)
    assert held(tmp_path) == "bcde", "the older files still count, and the oldest is evicted"
    assert_index_agrees(tmp_path)
    assert len([path for path in tmp_path.iterdir() if ".damaged-" in path.name]) == aside


def test_the_folder_may_be_emptied_while_the_cache_is_in_use(tmp_path):
    folder = tmp_path / "cache"
    put(folder, "a")
    tested = cache(folder)
    assert tested.get(Signature("a")) == memo("a")
    tested.put(Signature("b"), memo("b"))
    while len(entered(folder)) < 2:
        time.sleep(0.01)
    for path in folder.iterdir():
        path.unlink(missing_ok=True)
    tested.put(Signature("c"), memo("c"))
    assert tested.get(Signature("a")) is None
    tested.close()
    assert held(folder) == "c"
    assert_index_agrees(folder)


def python(program, *arguments, **options):
    line = [sys.executable, "-c", program, *map(str, arguments)]
    return subprocess.Popen(line, cwd=ROOT, stdout=subprocess.PIPE, text=True, **options)


WRITES_AND_HANGS = """
import os, sys, time
from pathlib import Path
from executor.signature import Signature
from tests.executor.test_disk_cache import cache, memo

step, whole = sys.argv[2], getattr(os, sys.argv[2])
def hang(*arguments):
    whole(*arguments)
    print("here", flush=True)
    time.sleep(600)
setattr(os, step, hang)
cache(Path(sys.argv[1])).put(Signature("b"), memo("b"))
time.sleep(600)
"""


@pytest.mark.parametrize(("step", "expected"), [("fsync", "a"), ("replace", "ab")])
def test_a_process_killed_while_it_writes_leaves_nothing_half_done(tmp_path, step, expected):
    """Killed when the file is written but has no name yet, and when it has its name but is not in the index yet."""
    put(tmp_path, "a")
    with python(WRITES_AND_HANGS, tmp_path, step) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "here\n"
        process.kill()
    assert held(tmp_path) == expected
    assert_index_agrees(tmp_path)
    unfinished = files(tmp_path, ".heddle-tmp")
    assert len(unfinished) == (1 if step == "fsync" else 0)
    for path in unfinished:
        an_age_ago = time.time() - 7200
        os.utime(path, (an_age_ago, an_age_ago))
    put(tmp_path, "c")
    assert files(tmp_path, ".heddle-tmp") == []
    assert held(tmp_path) == expected + "c"


WRITES_BEYOND_A_LIMIT = """
import logging, resource, sys
from pathlib import Path
from executor.signature import Signature
from tests.executor.test_disk_cache import SIZE, cache, memo

logging.basicConfig(stream=sys.stdout, format="%(levelname)s %(message)s")
resource.setrlimit(resource.RLIMIT_FSIZE, (2 * SIZE, 2 * SIZE))
tested = cache(Path(sys.argv[1]))
for name in ("b", "large", "c", "d"):
    tested.put(Signature(name), memo(name, 5 * SIZE if name == "large" else SIZE))
    if name == "large":
        while tested.has(Signature("large")):
            pass
print("a" if tested.get(Signature("a")) else "lost")
tested.close()
"""


def test_a_disk_that_takes_no_more_stops_the_writing_with_one_warning(tmp_path):
    """The system itself refuses the write, here because of a limit on the size of files."""
    put(tmp_path, "a")
    with python(WRITES_BEYOND_A_LIMIT, tmp_path) as process:
        output, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    warning, *rest = output.splitlines()
    assert warning.startswith("WARNING Results are no longer written to")
    assert "too large" in warning
    assert rest == ["a"], "reading goes on"
    assert held(tmp_path) == "ab"
    assert files(tmp_path, ".heddle-tmp") == []


def test_a_folder_that_cannot_be_made_is_one_warning(tmp_path, caplog):
    (tmp_path / "file").write_text("in the way")
    tested = cache(tmp_path / "file" / "cache")
    with caplog.at_level(logging.WARNING):
        for name in "abc":
            tested.put(Signature(name), memo(name))
            tested.get(Signature(name))
        tested.close()
    assert len(caplog.records) == 1
    assert cache(tmp_path / "file" / "cache").get(Signature("a")) is None


def test_a_faulty_codec_costs_only_its_own_memos(tmp_path, caplog):
    class Odd(bytes):
        """A value whose codec fails."""

    tested = cache(tmp_path, codecs={Odd: Codec("odd", lambda given: 1 // 0 * given, Odd)})
    with caplog.at_level(logging.WARNING):
        tested.put(Signature("a"), Memo(((Odd(b"x"),),), None, 1.0))
        tested.put(Signature("b"), memo("b"))
        tested.close()
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert held(tmp_path) == "b"


def put_and_get_at_random(folder, seed):
    """What each of two processes does: an assertion fails if a memo is ever another's, or not whole."""
    rng = random.Random(seed)
    names = [f"name {number}" for number in range(12)]
    for _ in range(4):
        tested = cache(folder, 6)
        for _ in range(25):
            name = rng.choice(names)
            if rng.random() < 0.5:
                tested.put(Signature(name), memo(name))
            else:
                assert tested.get(Signature(name)) in (None, memo(name))
        tested.close()


TWO_AT_ONCE = """
import logging, sys
from pathlib import Path
from tests.executor.test_disk_cache import put_and_get_at_random

logging.basicConfig(stream=sys.stdout)
put_and_get_at_random(Path(sys.argv[1]), int(sys.argv[2]))
"""


def test_two_processes_share_a_folder(tmp_path):
    with python(TWO_AT_ONCE, tmp_path, 1) as one, python(TWO_AT_ONCE, tmp_path, 2) as other:
        told = [process.communicate(timeout=240)[0] for process in (one, other)]
    assert [one.returncode, other.returncode] == [0, 0]
    assert told == ["", ""], "nothing to warn of"
    put(tmp_path, "a", slots=6)
    assert_index_agrees(tmp_path)
    assert sum(path.stat().st_size for path in files(tmp_path)) <= 6 * SIZE * 1.01
    assert held(tmp_path) == "a"
