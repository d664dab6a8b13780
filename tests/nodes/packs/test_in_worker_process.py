"""Packs where they live: in a worker process, found in its base folder, run by the real executor."""

import textwrap
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from executor.device_flags import DeviceOptions
from executor.events import NodeExecuted, NodeFailed, RunFinished
from executor.flags import CacheOptions, PackOptions
from executor.installation import make_folders
from executor.process import ProcessWorker
from executor.worker import Job
from executor.worker_options import WorkerOptions
from main import make_worker

pytestmark = pytest.mark.asyncio(loop_scope="module")  # they share one worker

GIBIBYTE = 2**30
PACK = """
import threading
import torch
import folder_paths
from executor.schema import ExecutionBlocker
from server import PromptServer

class Counts:
    "Counts its calls in an attribute of its object."
    RETURN_TYPES = ("INT",)
    FUNCTION = "count"
    CATEGORY = "toys"
    called = 0

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"x": ("INT", {"default": 0})}}

    def count(self, x):
        self.called += 1
        return (STEP * self.called,)

STEP = 1

class Places(Counts):
    "Tells what it knows of where it runs."
    RETURN_TYPES = ("STRING",)

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {}, "hidden": {"me": "UNIQUE_ID", "prompt": "PROMPT"}}

    def count(self, me, prompt):
        thread = threading.current_thread().name.partition("_")[0]
        return (f"{me} of {len(prompt)} on {thread}, inference {torch.is_inference_mode_enabled()}",)

class Later(Places):
    async def count(self, me, prompt):
        return Places.count(self, me, prompt)

class Aside(Places):
    LANE = "thread"

class Changing(Counts):
    answers = {}

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"x": ("INT", {"default": 0})}, "hidden": {"me": "UNIQUE_ID"}}

    @classmethod
    def IS_CHANGED(cls, x, me):
        assert me == "1"
        return float("nan") if x == 1 else x

    def count(self, x, me):
        return Counts.count(self, x)

class Picky(Counts):
    @classmethod
    def VALIDATE_INPUTS(cls, x):
        return True if x < 5 else "x must be less than five"

class Whole(Counts):
    INPUT_IS_LIST = True
    OUTPUT_IS_LIST = (True,)

    def count(self, x):
        return ([one + 1 for one in x] * 2,)

class Blocks(Counts):
    RETURN_TYPES = ("INT", "INT")

    def count(self, x):
        return ExecutionBlocker(None)

class Takes(Counts):
    RETURN_TYPES = ("STRING",)

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {}, "optional": Any()}

    def count(self, **given):
        return (str(sorted(given.items())),)

class Any(dict):
    def __contains__(self, name):
        return True

class Show:
    RETURN_TYPES = ()
    FUNCTION = "show"
    OUTPUT_NODE = True

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"value": (Wild("*"),)}}

    def show(self, value):
        return {"ui": {"value": [value]}}

class Wild(str):
    def __ne__(self, other):
        return False

NODE_CLASS_MAPPINGS = {cls.__name__: cls for cls in (
    Counts, Places, Later, Aside, Changing, Picky, Whole, Blocks, Takes, Show)}
"""


def write(base: Path, text: str = PACK) -> None:
    (base / "custom_nodes").mkdir(parents=True, exist_ok=True)
    (base / "custom_nodes" / "toys.py").write_text(textwrap.dedent(text))


def start(base: Path, cache: CacheOptions) -> ProcessWorker:
    folders = make_folders(base)
    return ProcessWorker(make_worker, WorkerOptions(folders, DeviceOptions(cpu=True), None, cache, PackOptions()))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def worker(tmp_path_factory):
    base = tmp_path_factory.mktemp("base")
    write(base)
    worker = start(base, CacheOptions(GIBIBYTE, 0))
    yield worker
    await worker.close()


def shown_prompt(class_type: str, inputs: dict[str, Any], output: int = 0) -> dict[str, Any]:
    return {
        "1": {"class_type": class_type, "inputs": inputs},
        "2": {"class_type": "Show", "inputs": {"value": ["1", output]}},
    }


async def run(worker: ProcessWorker, prompt: dict[str, Any]) -> tuple[Any, tuple[str, ...]]:
    """What node 2 showed, and which nodes ran."""
    events = [event async for event in worker.run(Job("job", prompt))]
    failures = [f"{event.node_id}: {event.message}" for event in events if isinstance(event, NodeFailed)]
    assert failures == []
    assert isinstance(events[-1], RunFinished)
    shown = [event.ui for event in events if isinstance(event, NodeExecuted) and event.node_id == "2" and event.ui]
    return shown[0]["value"] if shown else None, events[-1].executed


async def test_all_nodes_of_the_pack_are_known_with_their_origin(worker):
    services = await worker.packs()
    assert [(pack.name, pack.error, len(pack.node_types)) for pack in services.packs] == [("toys", None, 10)]
    definitions = await worker.definitions()
    assert definitions["Counts"].python_module == "custom_nodes.toys"
    assert definitions["KSampler"].python_module == "nodes"


CASES = [
    ("Places", {}, ["1 of 2 on device, inference True"]),
    ("Aside", {}, ["1 of 2 on node, inference True"]),
    ("Later", {}, ["1 of 2 on MainThread, inference True"]),
    ("Whole", {"x": 4}, [5, 5]),
    ("Blocks", {}, None),
    ("Takes", {"some": 1, "other": "two"}, ["[('other', 'two'), ('some', 1)]"]),
]


@pytest.mark.parametrize(("class_type", "inputs", "expected"), CASES, ids=[case[0] for case in CASES])
async def test_a_class_runs_as_it_would_in_comfyui(worker, class_type, inputs, expected):
    assert (await run(worker, shown_prompt(class_type, inputs)))[0] == expected


async def test_an_object_keeps_its_attributes_from_run_to_run_until_memory_is_freed(worker):
    assert (await run(worker, shown_prompt("Counts", {"x": 1})))[0] == [1]
    assert (await run(worker, shown_prompt("Counts", {"x": 2})))[0] == [2]
    await worker.free(unload_models=True, free_memory=False)
    assert (await run(worker, shown_prompt("Counts", {"x": 3})))[0] == [1]


async def test_is_changed_decides_what_runs_again(worker):
    assert (await run(worker, shown_prompt("Changing", {"x": 0})))[1] == ("1", "2")
    assert (await run(worker, shown_prompt("Changing", {"x": 0})))[1] == ()
    for _ in range(2):
        assert "1" in (await run(worker, shown_prompt("Changing", {"x": 1})))[1]


async def test_validation_refuses_in_the_words_of_the_pack(worker):
    verdict = await worker.validate(shown_prompt("Picky", {"x": 7}))
    assert verdict.outputs == ()
    assert "x must be less than five" in str(verdict.errors)
    assert (await worker.validate(shown_prompt("Picky", {"x": 4}))).errors == ()


async def test_an_edited_pack_never_gets_results_of_what_it_was(tmp_path):
    cache = CacheOptions(GIBIBYTE, GIBIBYTE)
    prompt = shown_prompt("Counts", {"x": 1})

    async def run_once() -> tuple[Any, tuple[str, ...]]:
        worker = start(tmp_path, cache)
        try:
            return await run(worker, prompt)
        finally:
            await worker.close()

    write(tmp_path)
    assert await run_once() == ([1], ("1", "2"))
    assert (await run_once())[1] == ()
    write(tmp_path, PACK.replace("STEP = 1", "STEP = 10"))
    assert await run_once() == ([10], ("1", "2"))
