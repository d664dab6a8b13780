"""Resources that the executor would inject, for calling nodes directly, and a small random checkpoint."""

import gc
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from executor.folders import Folders
from executor.progress import Interrupted, Preview
from executor.schema import NodeType, Result, RunInfo
from nodes.builtin import builtin_nodes
from nodes.conditioning import clip_text_encode
from nodes.diffusion.checkpoints.export import sd1_state_dict
from nodes.diffusion.memory.device import DeviceMemory
from nodes.diffusion.values import Model
from nodes.embedded import networks
from nodes.latent import empty_latent_image
from nodes.loaders import Checkpoint, checkpoint_loader_simple
from nodes.sampling import k_sampler
from tests.nodes.small_families import make_file

__all__ = ["make_file"]


@dataclass
class Watcher:
    """Records what a node reports; stops it after `stop_after` steps; looks at every preview if `looks`."""

    stop_after: int | None = None
    looks: bool = False
    steps: list[tuple[int, int]] = field(default_factory=list)
    previews: list[Preview] = field(default_factory=list)

    def text(self, text: str) -> None:
        """Nobody reads it."""

    def step(self, value: int, total: int, preview: Callable[[], Preview] | None = None) -> None:
        self.steps.append((value, total))
        if self.looks and preview:
            self.previews.append(preview())
        self.check()

    def check(self) -> None:
        if self.stop_after is not None and len(self.steps) >= self.stop_after:
            raise Interrupted


@pytest.fixture
def watcher() -> Watcher:
    return Watcher()


@pytest.fixture
def memory() -> Iterator[DeviceMemory]:
    """Memory that a test leaves as it found it: real checkpoints would otherwise add up, test after test."""
    made = DeviceMemory(torch.device("cpu"), budget=1 << 34)
    yield made
    made.free()
    gc.collect()


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    for name in ("input", "output", "temp", "user", "checkpoints"):
        (tmp_path / name).mkdir()
    places = (tmp_path / name for name in ("input", "output", "temp", "user"))
    return Folders(*places, {"checkpoints": (tmp_path / "checkpoints",)})


@pytest.fixture(scope="module")
def shared_memory() -> DeviceMemory:
    """Memory that the tests of a module share, so that the small checkpoint is loaded once."""
    return DeviceMemory(torch.device("cpu"), budget=1 << 30)


@pytest.fixture(scope="module")
def checkpoint(random_checkpoint: Path) -> Checkpoint:
    root = random_checkpoint.parent
    folders = Folders(root, root, root, root, {"checkpoints": (root,)})
    return checkpoint_loader_simple(ckpt_name=random_checkpoint.name, folders=folders)


Sample = Callable[..., torch.Tensor]


@pytest.fixture
def sample(checkpoint: Checkpoint, shared_memory: DeviceMemory, watcher: Watcher) -> Sample:
    """Latents that a model paints in three steps; KSampler's inputs may be changed."""
    texts = [clip_text_encode(text=text, clip=checkpoint.CLIP, memory=shared_memory) for text in ("a cube", "")]

    def run(model: Model, **changes: Any) -> torch.Tensor:
        inputs: dict[str, Any] = {
            "seed": 1, "steps": 3, "cfg": 6.0, "sampler_name": "euler", "scheduler": "normal", "positive": texts[0],
            "negative": texts[1], "latent_image": empty_latent_image(width=64, height=64, batch_size=1), "denoise": 1.0,
        }  # fmt: skip
        made = k_sampler(model=model, **(inputs | changes), memory=shared_memory, progress=watcher)
        return made.samples

    return run


Prompt = dict[str, dict[str, Any]]


@pytest.fixture
def run_workflow(memory: DeviceMemory, watcher: Watcher) -> Callable[[Prompt, Folders], dict[str, Result]]:
    """Runs the nodes of an API prompt by calling them, each once, sources first."""
    nodes: dict[str, NodeType] = builtin_nodes()

    def run(prompt: Prompt, folders: Folders) -> dict[str, Result]:
        results: dict[str, Result] = {}

        def result_of(node_id: str) -> Result:
            if node_id not in results:
                node_type = nodes[prompt[node_id]["class_type"]]
                resources = {
                    "DeviceMemory": memory,
                    "Folders": folders,
                    "Progress": watcher,
                    "RunInfo": RunInfo(prompt, {"workflow": {"nodes": []}}, node_id),
                }
                inputs = {
                    name: result_of(value[0]).outputs[value[1]] if isinstance(value, list) else value
                    for name, value in prompt[node_id]["inputs"].items()
                }
                inputs |= {name: resources[kind] for name, kind in node_type.definition.injected.items()}
                result = node_type.call(**inputs)
                assert isinstance(result, Result)
                results[node_id] = result
            return results[node_id]

        for node_id in prompt:
            result_of(node_id)
        return results

    return run


@pytest.fixture(scope="session")
def random_tensors() -> dict[str, torch.Tensor]:
    """The embedded networks' tensors, untrained, in half precision."""
    torch.manual_seed(0)
    made = sd1_state_dict(networks.make_unet(), networks.make_vae(), networks.make_text_model())
    return {name: value.half() for name, value in made.items()}


@pytest.fixture(scope="session")
def random_checkpoint(random_tensors: dict[str, torch.Tensor], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("checkpoints") / "random.safetensors"
    save_file(random_tensors, path)
    return path
