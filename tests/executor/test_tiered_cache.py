"""Memory and disk together, under the worker: what runs after a restart, and when a shown file is gone."""

import asyncio

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from executor.cache import ENTRY_BYTES, MemoryCache, NoCache
from executor.disk_cache import DiskCache
from executor.process import ProcessWorker
from executor.schema import Result
from executor.shown_files import shown_state
from executor.tiered_cache import TieredCache
from tests.executor.test_invariants import prompts, result
from tests.executor.toys import Bench, folders, link, run, shown, toy, toy_worker


def save_type(place):
    """A node that writes its value to the next free file of a numbered series, and shows the file."""

    def save(value):
        root = place.output
        number = 1
        while (root / f"{number}.txt").exists():
            number += 1
        (root / f"{number}.txt").write_text(str(value))
        return Result((), {"images": [{"filename": f"{number}.txt", "subfolder": "", "type": "output"}]})

    return toy("Save", (link("value", "*"),), "", save, is_output=True)


class Installation:
    """A folder and a worker in it, which may be restarted."""

    def __init__(self, root, *, memory=2**20, disk=2**24):
        self.bench = Bench()
        self.root, self._memory, self._disk = root, memory, disk
        self.start()

    def start(self):
        place = folders(self.root)
        tiers = [MemoryCache(self._memory)]
        if self._disk:
            tiers.append(DiskCache(place.user / "cache", self._disk, {}, "toys", lambda _: 1, least_seconds=0.0))
        cache = TieredCache(tiers, lambda ui: shown_state(place, ui))
        self.worker = toy_worker(self.root, self.bench, cache, more=(save_type(place),))

    async def restart(self):
        await self.worker.close()
        self.start()

    async def ran(self, wire):
        """The ids of the nodes that ran, in order."""
        self.bench.take()
        events = await run(self.worker, wire)
        assert events[-1].ok
        return " ".join(self.bench.take())

    async def reused(self, wire):
        return set((await run(self.worker, wire))[0].reused)


def worker_of(root):
    """The factory of a worker process."""
    return Installation(root).worker


SUMS = """
load = Number 1
text = Add load 2
sampler = Add text 4
decode = Add sampler 5
save = Show decode
"""


@pytest.fixture
async def here(tmp_path):
    made = Installation(tmp_path)
    yield made
    await made.worker.close()


async def test_after_a_restart_nothing_runs_again(here):
    assert await here.ran(SUMS) == "load text sampler decode save"
    await here.restart()
    events = await run(here.worker, SUMS)
    assert events[-1].executed == ()
    assert shown(events) == {"save": [12]}
    assert here.bench.take() == []


async def test_a_worker_process_that_is_closed_has_written_everything(tmp_path):
    for executed in (("load", "text", "sampler", "decode", "save"), ()):
        worker = ProcessWorker(worker_of, tmp_path)
        events = await run(worker, SUMS)
        assert events[-1].executed == executed
        await worker.close()


async def test_after_a_restart_and_an_edit_only_what_the_edit_touches_runs(here):
    await here.ran(SUMS)
    await here.restart()
    edited = SUMS.replace("Add sampler 5", "Add sampler 6")
    assert await here.ran(edited) == "decode save"
    assert await here.ran(SUMS) == "", "the edit is taken back"
    await here.restart()
    assert await here.ran(edited) == ""


async def test_what_has_no_codec_is_made_again_only_where_it_is_needed(here):
    things = "thing = Thing 7\nuse = Use thing\nmore = Add use 1\nsave = Show more"
    assert await here.ran(things) == "thing use more save"
    await here.restart()
    assert await here.ran(things.replace("Add use 1", "Add use 2")) == "more save"
    other = "thing = Thing 7\nsame = Nap thing 0.0\nuse = Use same\nsave = Show use"
    assert await here.ran(other) == "thing same use save"


async def test_what_was_read_from_disk_is_then_in_memory(here):
    await here.ran(SUMS)
    await here.restart()
    await here.ran(SUMS)
    for path in (here.root / "user" / "cache").glob("*.memo"):
        path.unlink()
    assert await here.ran(SUMS) == ""


async def test_what_memory_has_no_room_for_comes_from_disk(tmp_path):
    small = Installation(tmp_path, memory=0)
    assert await small.ran(SUMS) == "load text sampler decode save"
    assert await small.ran(SUMS) == ""
    assert await small.reused(SUMS) == {"load", "text", "sampler", "decode", "save"}
    await small.worker.close()


async def test_freeing_memory_leaves_the_disk_alone(here):
    await here.ran(SUMS)
    await here.worker.free(unload_models=False, free_memory=True)
    assert await here.ran(SUMS) == ""


SAVED = "number = Number 3\nsum = Add number 1\nsave = Save value=sum"


@pytest.mark.parametrize("disk", [0, 2**24], ids=["memory only", "memory and disk"])
async def test_a_deleted_file_is_saved_again_from_the_remembered_sources(tmp_path, disk):
    here = Installation(tmp_path, disk=disk)
    assert await here.ran(SAVED) == "number sum save"
    assert await here.ran(SAVED) == ""
    (tmp_path / "output" / "1.txt").unlink()
    assert await here.ran(SAVED) == "save"
    assert (tmp_path / "output" / "1.txt").read_text() == "4"
    assert await here.ran(SAVED) == ""
    await here.worker.close()


async def test_a_deleted_file_is_saved_again_after_a_restart(here, tmp_path):
    await here.ran(SAVED)
    await here.restart()
    assert await here.ran(SAVED) == ""
    assert [path.name for path in (tmp_path / "output").iterdir()] == ["1.txt"], "it was not saved twice"
    (tmp_path / "output" / "1.txt").unlink()
    await here.restart()
    assert await here.ran(SAVED) == "save"
    await here.restart()
    assert await here.ran(SAVED) == "", "the new memo took the place of the old one"


async def test_a_file_that_is_another_one_now_is_not_taken_for_the_saved_one(here, tmp_path):
    """Deleted, and its name given to another result: the file is there, but it is not what the memo tells of."""
    await here.ran(SAVED)
    (tmp_path / "output" / "1.txt").unlink()
    await here.ran(SAVED.replace("Number 3", "Number 30"))
    assert (tmp_path / "output" / "1.txt").read_text() == "31"
    assert await here.ran(SAVED) == "save"
    assert (tmp_path / "output" / "2.txt").read_text() == "4"


STATES = [
    ("no list", {"text": "1.txt", "count": 3}, False),
    ("no files", {"values": [1, "1.txt", {"name": "1.txt"}]}, False),
    ("a picture", {"images": [{"filename": "1.txt", "subfolder": "", "type": "output"}]}, True),
    ("under another key", {"latents": ({"filename": "1.txt", "type": "output"},)}, True),
    ("without a place", {"images": [{"filename": "1.txt"}]}, True),
    ("in a subfolder", {"images": [{"filename": "1.txt", "subfolder": "../output", "type": "temp"}]}, False),
    ("outside", {"images": [{"filename": "../output/1.txt", "type": "temp"}]}, False),
    ("in no place", {"images": [{"filename": "1.txt", "type": "elsewhere"}]}, False),
]


@pytest.mark.parametrize(("name", "ui", "depends"), STATES, ids=[case[0] for case in STATES])
def test_the_state_of_what_is_shown_depends_on_the_named_files(tmp_path, name, ui, depends):
    place = folders(tmp_path)
    states = [shown_state(place, ui)]
    for text in ("a", "longer"):
        (place.output / "1.txt").write_text(text)
        states.append(shown_state(place, ui))
    assert shown_state(place, ui) == states[-1]
    assert len(set(states)) == (3 if depends else 1), name


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(prompts(), min_size=1, max_size=3), st.integers(0, 6), st.sampled_from([3_000, 2**24]))
def test_running_with_two_tiers_and_restarts_equals_running_without(tmp_path_factory, wires, slots, disk):
    async def both():
        root = tmp_path_factory.mktemp("here")
        without = toy_worker(root, Bench(), NoCache())
        here = Installation(root, memory=slots * (ENTRY_BYTES + 32), disk=disk)
        for wire in [*wires, wires[0]]:
            assert result(await run(here.worker, wire)) == result(await run(without, wire))
            await here.restart()
        await here.worker.close()
        await without.close()

    asyncio.run(both())
