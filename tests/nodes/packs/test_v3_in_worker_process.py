"""V3 nodes where they live: a pack with `comfy_entrypoint` in a worker process, run by the real executor."""

import textwrap
from typing import Any

import pytest
import pytest_asyncio
from PIL import Image

from executor.device_flags import DeviceOptions
from executor.events import NodeBlocked, NodeExecuted, NodeFailed, NodeProgress, RunFinished
from executor.flags import CacheOptions, PackOptions
from executor.installation import make_folders
from executor.process import ProcessWorker
from executor.worker import Job
from executor.worker_options import WorkerOptions
from main import make_worker

pytestmark = pytest.mark.asyncio(loop_scope="module")  # they share one worker

PACK = """
import asyncio
import torch
from comfy_api.latest import ComfyAPI, ComfyAPISync, ComfyExtension, io, ui

Option = io.DynamicCombo.Option
same = io.MatchType.Template("same", [io.Image, io.Mask])

class Paint(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        modes = [Option("flat", [io.Float.Input("level", default=0.5, min=0.0, max=1.0)]), Option("ramp", [])]
        return io.Schema(
            "Paint", category="toys", outputs=[io.Image.Output(), io.Mask.Output()],
            inputs=[io.Int.Input("size", default=8, min=1), io.DynamicCombo.Input("mode", options=modes)],
        )

    @classmethod
    def execute(cls, size, mode):
        ramp = torch.linspace(0, 1, size).view(1, 1, size, 1).expand(1, size, size, 3)
        picture = ramp if mode["mode"] == "ramp" else torch.full((1, size, size, 3), mode["level"])
        ComfyAPISync().execution.set_progress(3, 3)
        return io.NodeOutput(picture, picture[..., 0])

class Batch(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        grown = io.Autogrow.TemplatePrefix(io.Image.Input("image"), "image", min=1, max=3)
        return io.Schema(
            "Batch", category="toys", outputs=[io.Image.Output(), io.MatchType.Output(same)],
            inputs=[io.Autogrow.Input("images", template=grown), io.MatchType.Input("other", same)],
        )

    @classmethod
    async def execute(cls, images, other):
        await asyncio.sleep(0)
        return io.NodeOutput(torch.cat([images[name] for name in sorted(images)]), other)

class First(io.ComfyNode):
    "Makes only the first of its pictures."
    @classmethod
    def define_schema(cls):
        grown = io.Autogrow.TemplatePrefix(io.Image.Input("image", lazy=True), "image")
        return io.Schema(
            "First", category="toys", inputs=[io.Autogrow.Input("images", template=grown)],
            outputs=[io.Image.Output()],
        )

    @classmethod
    def check_lazy_status(cls, images):
        value, key = images["image0"]
        return [key] if value is None else []

    @classmethod
    def execute(cls, images):
        return io.NodeOutput(images["image0"])

class Repeat(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            "Repeat", category="toys", inputs=[io.Image.Input("image"), io.Int.Input("times", default=2)],
            outputs=[io.Image.Output()], hidden=[io.Hidden.unique_id], enable_expand=True,
        )

    @classmethod
    def execute(cls, image, times):
        if times == 1:
            return io.NodeOutput(image)
        me = cls.hidden.unique_id
        rest = {"class_type": "Repeat", "inputs": {"image": image, "times": times - 1}}
        inputs = {"images.image0": image, "images.image1": [f"{me}.rest", 0], "other": image}
        both = {"class_type": "Batch", "inputs": inputs}
        return io.NodeOutput([f"{me}.both", 0], expand={f"{me}.rest": rest, f"{me}.both": both})

class Fill(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            "Fill", category="toys", inputs=[io.Latent.Input("samples"), io.Float.Input("value", default=1.0)],
            outputs=[io.Latent.Output()],
        )

    @classmethod
    def execute(cls, samples, value):
        return io.NodeOutput(samples | {"samples": torch.full_like(samples["samples"], value)})

class Measure(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema("Measure", category="toys", inputs=[io.Latent.Input("samples")], is_output_node=True)

    @classmethod
    def execute(cls, samples):
        tensor = samples["samples"]
        return io.NodeOutput(ui=ui.PreviewText(f"{list(tensor.shape)} of {tensor.mean().item()}"))

class Stop(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            "Stop", category="toys", inputs=[io.Image.Input("image"), io.String.Input("why", default="")],
            outputs=[io.Image.Output()],
        )

    @classmethod
    def execute(cls, image, why):
        return io.NodeOutput(block_execution=why)

class Keep(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            "Keep", category="toys", is_output_node=True,
            inputs=[io.Image.Input("images"), io.Mask.Input("mask", optional=True)],
        )

    @classmethod
    def execute(cls, images, mask=None):
        shown = ui.ImageSaveHelper.get_save_images_ui(images, "kept", cls).as_dict()
        return io.NodeOutput(ui=shown | {"text": [f"{len(images)} pictures, {'no' if mask is None else 'a'} mask"]})

class Toys(ComfyExtension):
    async def get_node_list(self):
        return [Paint, Batch, First, Repeat, Fill, Measure, Stop, Keep]

async def comfy_entrypoint():
    return Toys()
"""


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    base = tmp_path_factory.mktemp("base")
    (base / "custom_nodes").mkdir()
    (base / "custom_nodes" / "toys.py").write_text(textwrap.dedent(PACK))
    return base


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def worker(base):
    folders = make_folders(base)
    worker = ProcessWorker(
        make_worker, WorkerOptions(folders, DeviceOptions(cpu=True), None, CacheOptions(0, 0), PackOptions())
    )
    yield worker
    await worker.close()


def node(class_type: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": class_type, "inputs": {name.replace("__", "."): value for name, value in inputs.items()}}


FLAT = node("Paint", mode="flat", mode__level=0.25)
RAMP = node("Paint", mode="ramp")


async def run(worker, **nodes):
    return [event async for event in worker.run(Job("job", nodes))]


def shown(events):
    return next((event.ui for event in events if isinstance(event, NodeExecuted) and event.ui), None)


CASES = [
    ("one", {"k": node("Keep", images=["a", 0])}, "1 pictures, no mask"),
    (
        "dynamic inputs and a type that follows its link",
        {
            "b": node("Batch", images__image0=["a", 0], images__image1=["r", 0], other=["a", 1]),
            "k": node("Keep", images=["b", 0], mask=["b", 1]),
        },
        "2 pictures, a mask",
    ),
    (
        "our nodes in between",
        {"i": node("ImageInvert", image=["a", 0]), "k": node("Keep", images=["i", 0])},
        "1 pictures, no mask",
    ),
    (
        "recursive expansion",
        {"e": node("Repeat", image=["r", 0], times=4), "k": node("Keep", images=["e", 0])},
        "4 pictures, no mask",
    ),
    (
        "latents of ours through nodes of theirs",
        {
            "e": node("EmptyLatentImage", width=64, height=32, batch_size=1),
            "f": node("Fill", samples=["e", 0], value=2.0),
            "l": node("LatentMultiply", samples=["f", 0], multiplier=1.5),
            "k": node("Measure", samples=["l", 0]),
        },
        "[1, 4, 4, 8] of 3.0",
    ),
    ("block", {"s": node("Stop", image=["a", 0]), "k": node("Keep", images=["s", 0])}, None),
]


@pytest.mark.parametrize(("nodes", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
async def test_a_graph_of_v3_nodes_runs(worker, nodes, expected):
    events = await run(worker, a=FLAT, r=RAMP, **nodes)
    assert [event for event in events if isinstance(event, NodeFailed)] == []
    assert isinstance(events[-1], RunFinished)
    ui = shown(events)
    assert (ui and ui["text"]) == (expected and [expected])


async def test_lazy_inputs_inside_of_another_run_only_if_they_are_asked_for(worker):
    first = node("First", images__image0=["a", 0], images__image1=["r", 0])
    events = await run(worker, a=FLAT, r=RAMP, f=first, k=node("Keep", images=["f", 0]))
    assert set(events[-1].executed) == {"a", "f", "k"}


async def test_pictures_are_saved_with_the_prompt_that_made_them(worker, base):
    events = await run(worker, a=FLAT, k=node("Keep", images=["a", 0]))
    entry = shown(events)["images"][0]
    with Image.open(base / "output" / entry["filename"]) as picture:
        assert '"mode.level": 0.25' in picture.text["prompt"]
        assert picture.getpixel((0, 0)) == (63, 63, 63)
    assert NodeProgress("a", 3, 3) in events


async def test_a_blocked_output_tells_why_once(worker):
    events = await run(worker, a=FLAT, s=node("Stop", image=["a", 0], why="not today"), k=node("Keep", images=["s", 0]))
    blocked = [event for event in events if isinstance(event, NodeBlocked)]
    assert [(event.node_id, event.message) for event in blocked] == [("k", "not today")]


async def test_what_no_v3_input_takes_is_refused_before_anything_runs(worker):
    async def complaints(**nodes):
        verdict = await worker.validate({"a": FLAT, **nodes})
        return [(error.type, error.extra_info.get("input_name")) for error in verdict.errors if error.node_id == "x"]

    keep = node("Keep", images=["x", 0])
    assert await complaints(x=node("Paint", mode="flat", mode__level=2.0), k=keep) == [
        ("value_bigger_than_max", "mode.level")
    ]
    assert await complaints(x=node("Paint", mode="dots"), k=keep) == [("value_not_in_list", "mode")]
    grown = {f"images__image{number}": ["a", 1] for number in range(1)}
    assert await complaints(x=node("Batch", other=["a", 0], **grown), k=keep) == [
        ("return_type_mismatch", "images.image0")
    ]
    assert await complaints(x=node("Batch", images__image0=["a", 0], other="text"), k=keep) == [
        ("bad_linked_input", "other")
    ]
