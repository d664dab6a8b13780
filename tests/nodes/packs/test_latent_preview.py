"""`latent_preview`, as packs that sample by themselves use it."""

from pathlib import Path
from typing import Any

from tests.nodes.packs.in_worker import evaluate

SETUP = """
import torch, latent_preview
from PIL import Image
from comfy.cli_args import args
from executor.context import ExecutingContext, executing
from nodes.diffusion.memory.device import DeviceMemory
from nodes.loaders import checkpoint_loader_simple
from nodes.packs import bridge
around.resources["DeviceMemory"] = DeviceMemory(torch.device("cpu"), budget=1 << 34)
around.folders.models["checkpoints"] = (Path("models/checkpoints").absolute(),)
model = checkpoint_loader_simple(ckpt_name="heddle_scenes.safetensors", folders=around.folders).MODEL

class Watched:
    def __init__(self):
        self.said = []
    def step(self, value, total, preview=None):
        self.said.append([value, total, preview and preview().media_type])

class Format:
    latent_rgb_factors = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]
    latent_rgb_factors_bias = [0.0, 0.0, 1.0]

class Plain:
    latent_rgb_factors = None

def steps():
    watched, kept = Watched(), {}
    token = executing.set(ExecutingContext("job", "7", 0, watched, []))
    try:
        callback = latent_preview.prepare_callback(bridge.to_pack(model), 2, kept)
        callback(0, torch.zeros(1, 4, 16, 16), torch.zeros(1, 4, 16, 16), 2)
        args.preview_method = latent_preview.LatentPreviewMethod.NoPreviews
        callback(1, torch.ones(1, 4, 16, 16), torch.zeros(1, 4, 16, 16), 2)
    finally:
        executing.reset(token)
    return [watched.said, float(kept["x0"].mean())]

def chosen(method):
    latent_preview.set_preview_method(method)
    return args.preview_method.value

previewer = latent_preview.get_previewer("cpu", Format())
"""


def test_what_a_sampler_of_a_pack_asks(tmp_path: Path) -> None:
    cases: list[tuple[str, Any]] = [
        ("previewer.decode_latent_to_preview(torch.tensor([[[[1.0]], [[-1.0]]]])).getpixel((0, 0))", [255, 0, 255]),
        ("previewer.decode_latent_to_preview_image('JPEG', torch.zeros(1, 2, 3, 5))[1].size", [5, 3]),
        ("latent_preview.get_previewer('cpu', Plain())", None),
        ("steps()", [[[1, 2, "image/jpeg"], [2, 2, None]], 1.0]),
        ("latent_preview.get_previewer('cpu', Format())", None),
        ("[chosen('taesd'), chosen('nonsense')]", ["taesd", "taesd"]),
    ]
    assert evaluate(tmp_path, SETUP, [line for line, _ in cases]) == [expected for _, expected in cases]
