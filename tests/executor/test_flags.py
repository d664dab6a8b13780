"""What the flags say of remembering."""

import argparse
import sys
from dataclasses import replace

import pytest

from executor.flags import CacheOptions, PackOptions, cache_options_of, pack_options_of, shared_parser

GIBIBYTE = 2**30
DEFAULT = CacheOptions(4 * GIBIBYTE, 2 * GIBIBYTE)


def parsed(line: str) -> argparse.Namespace:
    return argparse.ArgumentParser(parents=[shared_parser()]).parse_args(line.split())


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("", DEFAULT),
        ("--cache-classic", replace(DEFAULT, only_current=True)),
        ("--cache-ram", replace(DEFAULT, memory_bytes=sys.maxsize, keep_free=4 * GIBIBYTE)),
        ("--cache-ram 2 --cache-memory 8", replace(DEFAULT, memory_bytes=8 * GIBIBYTE, keep_free=2 * GIBIBYTE)),
        ("--cache-lru 0", DEFAULT),
        ("--cache-lru 5", CacheOptions(4 * GIBIBYTE, 2 * GIBIBYTE, 5)),
        ("--cache-memory 0.5 --cache-disk 0", CacheOptions(GIBIBYTE // 2, 0)),
        ("--cache-none --cache-ram 8 --cache-disk 8", CacheOptions(0, 0)),
    ],
)
def test_the_flags_say_what_is_remembered(line: str, expected: CacheOptions) -> None:
    assert cache_options_of(parsed(line)) == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [("", ()), ("--cuda-device 1", (1,)), ("--cuda-device 0,1", (0, 1)), ("--cuda-device 2,0", (2, 0))],
)
def test_the_flags_name_the_gpus(line: str, expected: tuple[int, ...]) -> None:
    assert parsed(line).cuda_device == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("", PackOptions()),
        ("--disable-all-custom-nodes", PackOptions(enabled=False)),
        (
            "--disable-all-custom-nodes --whitelist-custom-nodes a --whitelist-custom-nodes b.py",
            PackOptions(enabled=False, exceptions=("a", "b")),
        ),
    ],
)
def test_the_flags_say_which_packs_are_wanted(line: str, expected: PackOptions) -> None:
    assert pack_options_of(parsed(line)) == expected


def test_a_server_takes_several_packs_at_once() -> None:
    words = ["--whitelist-custom-nodes", "a", "b", "--disable-all-custom-nodes"]
    options = argparse.ArgumentParser(parents=[shared_parser("+")]).parse_args(words)
    assert pack_options_of(options).exceptions == ("a", "b")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("--cache-ram graph.json", ["--cache-ram", "'graph.json'", "GiB"]),
        ("--cache-disk -1", ["--cache-disk", "'-1'", "0 or more"]),
        ("--cache-disk inf", ["--cache-disk", "'inf'"]),
        ("--cache-lru few", ["--cache-lru", "'few'"]),
        ("--cuda-device first", ["--cuda-device", "'first'", "0,1"]),
        ("--cuda-device 0,", ["--cuda-device", "'0,'"]),
        ("--cuda-device=-1", ["--cuda-device", "'-1'"]),
        ("--cache-lru 2 --cache-none", ["not allowed with"]),
    ],
)
def test_what_cannot_be_meant_is_refused(line: str, words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parsed(line)
    told = capsys.readouterr().err
    assert [word for word in words if word not in told] == []
