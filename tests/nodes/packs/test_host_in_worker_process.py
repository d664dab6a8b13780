"""A pack's routes, messages, prompt handlers, folders and calls of built-in nodes, in a real worker process."""

import asyncio
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from executor.device_flags import DeviceOptions
from executor.events import NodeExecuted, NodeFailed, NodeProgress
from executor.flags import CacheOptions, PackOptions
from executor.installation import make_folders
from executor.packs import PackMessage
from executor.process import ProcessWorker
from executor.worker import Job
from executor.worker_options import WorkerOptions
from main import make_worker

pytestmark = pytest.mark.asyncio(loop_scope="module")  # they share one worker

PACK = """
import folder_paths, nodes
from aiohttp import web
from comfy_execution.graph_utils import GraphBuilder
from comfy_execution.progress import get_progress_state
from nodes import EmptyImage, SaveImage
from server import PromptServer

folder_paths.add_model_folder_path("toys", folder_paths.models_dir + "/toys")
instance = PromptServer.instance

@instance.routes.get("/toys/{name}")
async def hello(request):
    names = sorted(nodes.NODE_CLASS_MAPPINGS.keys() & {"Paint", "KSampler", "Nothing"})
    return web.json_response({"hello": request.match_info["name"], "nodes": names})

@instance.routes.post("/toys/late")
async def late(request):
    instance.routes.get("/later/{name}")(hello)
    return web.json_response({})

def shout(request):
    request["prompt"] = {**request["prompt"], "added": 1}
    return request

instance.add_on_prompt_handler(shout)

class Paint(SaveImage):
    @classmethod
    def INPUT_TYPES(cls):
        hidden = {"prompt": "PROMPT", "extra_pnginfo": "EXTRA_PNGINFO", "unique_id": "UNIQUE_ID"}
        return {"required": {"side": ("INT", {"default": 8}), "toy": (folder_paths.get_filename_list("toys"),)},
                "hidden": hidden}
    RETURN_TYPES = ("IMAGE",)
    FUNCTION = "paint"
    OUTPUT_NODE = True
    CATEGORY = "toys"

    def paint(self, side, toy, prompt, extra_pnginfo, unique_id):
        get_progress_state().update_progress(unique_id, 1, 2)
        nodes.before_node_execution()
        (image,) = EmptyImage().generate(side, side, 1, 255)
        shown = self.save_images(image, "toys/painted", prompt, extra_pnginfo)
        about = {"node": instance.last_node_id, "toy": toy, "prefix": GraphBuilder().prefix}
        instance.send_sync("toys.painted", about, instance.client_id)
        return {**shown, "result": (image,)}

NODE_CLASS_MAPPINGS = {"Paint": Paint}
"""


def write(base: Path) -> None:
    (base / "custom_nodes").mkdir(parents=True)
    (base / "custom_nodes" / "toys.py").write_text(PACK)
    (base / "models" / "toys").mkdir(parents=True)
    (base / "models" / "toys" / "bear.safetensors").touch()


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("base")
    write(made)
    return made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def worker(base: Path) -> Any:
    options = WorkerOptions(make_folders(base), DeviceOptions(cpu=True), None, CacheOptions(0, 0), PackOptions())
    made = ProcessWorker(make_worker, options)
    yield made
    await made.close()


async def ask(worker: ProcessWorker, method: str, path: str) -> tuple[int, Any]:
    address = (await worker.packs()).address
    assert address is not None
    async with (
        aiohttp.ClientSession(connector=aiohttp.UnixConnector(address)) as session,
        session.request(method, f"http://pack{path}") as answer,
    ):
        return answer.status, await answer.json() if answer.status == 200 else None


async def test_the_worker_tells_what_the_pack_registered(worker: ProcessWorker, base: Path) -> None:
    services = await worker.packs()
    assert [pack.error for pack in services.packs] == [None]
    assert ("GET", "/toys/{name}") in services.routes
    assert services.rewrites_prompts
    assert services.model_folders["toys"].roots == (base / "models" / "toys",)


async def test_routes_answer_also_those_registered_later(worker: ProcessWorker) -> None:
    expected = {"hello": "Ann", "nodes": ["KSampler", "Paint"]}
    assert await ask(worker, "GET", "/toys/Ann") == (200, expected)
    assert (await ask(worker, "GET", "/later/Ann"))[0] == 404
    assert (await ask(worker, "POST", "/toys/late"))[0] == 200
    assert await ask(worker, "GET", "/later/Ann") == (200, expected)
    assert ("GET", "/later/{name}") in (await worker.packs()).routes


async def test_a_prompt_handler_changes_what_was_sent(worker: ProcessWorker) -> None:
    assert await worker.rewrite_prompt({"prompt": {}, "client_id": "c"}) == {"prompt": {"added": 1}, "client_id": "c"}


def paint(side: int) -> dict[str, Any]:
    return {"7": {"class_type": "Paint", "inputs": {"side": side, "toy": "bear.safetensors"}}}


async def listen(worker: ProcessWorker, count: int) -> list[PackMessage]:
    """The next messages of the worker."""
    heard: list[PackMessage] = []
    async for message in worker.messages():
        heard.append(message)
        if len(heard) == count:
            break
    return heard


async def test_each_of_several_jobs_talks_to_its_own_client(worker: ProcessWorker) -> None:
    async def run(number: int) -> list[str]:
        job = Job(f"job-{number}", paint(16 + number), client_id=f"client-{number}")
        return [event.message async for event in worker.run(job) if isinstance(event, NodeFailed)]

    listening = asyncio.create_task(listen(worker, 3))
    assert await asyncio.gather(*map(run, range(3))) == [[], [], []]
    heard = await asyncio.wait_for(listening, 30)
    assert sorted(str(message.client_id) for message in heard) == ["client-0", "client-1", "client-2"]


async def test_a_node_calls_built_in_nodes_and_talks_to_its_client(worker: ProcessWorker, base: Path) -> None:
    listening = asyncio.create_task(listen(worker, 1))
    job = Job("job", paint(8), extra_pnginfo={"workflow": {"id": "w"}}, client_id="client-1")
    events = [event async for event in worker.run(job)]
    assert [event.message for event in events if isinstance(event, NodeFailed)] == []
    assert [(event.value, event.total) for event in events if isinstance(event, NodeProgress)] == [(1, 2)]
    (done,) = (event for event in events if isinstance(event, NodeExecuted))
    assert done.ui is not None
    (image,) = done.ui["images"]
    assert (image["subfolder"], image["type"]) == ("toys", "output")
    assert (base / "output" / "toys" / image["filename"]).is_file()
    about = {"node": "7", "toy": "bear.safetensors", "prefix": "7.0.0."}
    assert await asyncio.wait_for(listening, 30) == [PackMessage("toys.painted", about, "client-1")]
