"""How much memory it takes to load, sample and decode Stable Diffusion 1.5, in each type, against the weights alone.

    python -m tests.benchmarks.memory [--size 256] [--file float16] [--types float32 bfloat16]

Writes a checkpoint of that size (zeros, since memory does not depend on the numbers) and opens it in processes of their
own, one for each type. A peak is the most that the process has at once beyond what it had before, read from the kernel
every few milliseconds: what it owns (anonymous), and with it the pages of the file that it has mapped and touched,
which the kernel takes back where memory is short. Loading may take 1.15 times the weights. Linux only.
"""

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

TYPES = {"float32": "F32", "float16": "F16", "bfloat16": "BF16"}
GIB = 1 << 30
INTERVAL = 0.002


class Peak:
    """The most memory that the process has had since it was made: (owned, owned and mapped) bytes."""

    def __init__(self) -> None:
        self._begun = _memory()
        self._most = [0, 0]
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def end(self) -> list[int]:
        self._look()
        self._ended.set()
        self._thread.join()
        return self._most

    def _watch(self) -> None:
        while not self._ended.wait(INTERVAL):
            self._look()

    def _look(self) -> None:
        self._most = [
            max(most, now - begun) for most, now, begun in zip(self._most, _memory(), self._begun, strict=True)
        ]


def _memory() -> tuple[int, int]:
    fields = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    owned, mapped = (int(fields[name].split()[0]) * 1024 for name in ("RssAnon", "RssFile"))
    return owned, owned + mapped


@contextmanager
def phase(name: str, rows: dict[str, list[int]]) -> Iterator[None]:
    peak = Peak()
    yield
    rows[name] = peak.end()


def write_checkpoint(path: Path, kind: str) -> None:
    """A file of SD 1.5 whose data is a hole."""
    import torch
    from diffusers import AutoencoderKL, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel

    from nodes.diffusion.checkpoints.export import sd1_state_dict
    from tests.benchmarks.sampling import AUTOENCODER, UNET, empty

    text = CLIPTextConfig(
        hidden_size=768, intermediate_size=3072, num_hidden_layers=12, num_attention_heads=12, projection_dim=768
    )
    with torch.device("meta"):
        tensors = sd1_state_dict(
            empty(UNet2DConditionModel, UNET), empty(AutoencoderKL, AUTOENCODER), CLIPTextModel(text)
        )
    item, end, entries = getattr(torch, kind).itemsize, 0, dict[str, Any]()
    for name, value in tensors.items():
        begin, end = end, end + math.prod(value.shape) * item
        entries[name] = {"dtype": TYPES[kind], "shape": list(value.shape), "data_offsets": [begin, end]}
    header = json.dumps(entries).encode()
    header += b" " * (-len(header) % 8)
    with path.open("wb") as file:
        file.write(len(header).to_bytes(8, "little") + header)
        file.truncate(8 + len(header) + end)


def measure(path: Path, kind: str, size: int) -> dict[str, Any]:
    """Peaks of one process, in bytes."""
    import torch

    from nodes.coding import decoded
    from nodes.denoising import run_sampling
    from nodes.diffusion.checkpoints import networks
    from nodes.diffusion.checkpoints.open import open_checkpoint
    from nodes.diffusion.memory.device import DeviceMemory
    from nodes.diffusion.memory.preferences import Preferences
    from nodes.diffusion.sampling.guidance import CfgGuider
    from nodes.diffusion.sampling.noise import Noise
    from nodes.diffusion.sampling.sample import Settings, make_sigmas
    from nodes.diffusion.sampling.samplers import choose_sampler
    from nodes.diffusion.values import Condition, Latent
    from tests.benchmarks.sampling import Silent

    assert networks, "its imports are not what is measured"
    rows: dict[str, list[int]] = {}
    wanted = Preferences(unet=kind, vae=kind, text=kind, channels_last=kind == "bfloat16")  # type: ignore[arg-type]
    memory = DeviceMemory(torch.device("cpu"), 1 << 40, wanted)
    with phase("open", rows):
        opened = open_checkpoint(path)
    weights = opened.model.network.bytes_as(getattr(torch, kind))
    with phase("load UNet", rows), memory.resident(opened.model.network):
        pass
    blank = (Condition(torch.zeros(1, 77, 768), torch.zeros(1, 768)),)
    sigmas = make_sigmas(opened.model.sampling, "euler", "normal", 2)
    latent = Latent(torch.zeros(1, 4, size // 8, size // 8))
    with phase("sample", rows):
        guider = CfgGuider(opened.model, blank, blank, 7.0)
        run_sampling(guider, latent, Settings(choose_sampler("euler"), sigmas, Noise(0)), memory, Silent())
    opened.model.network.unload()
    with phase("load VAE", rows), memory.resident(opened.vae.network):
        pass
    with phase("decode", rows):
        decoded(opened.vae, latent, memory)
    return {"weights": weights, "vae": opened.vae.network.bytes_as(getattr(torch, kind)), "rows": rows}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--file", default="float16", choices=sorted(TYPES))
    parser.add_argument("--types", nargs="+", default=["float32", "bfloat16"], choices=sorted(TYPES))
    parser.add_argument("--measure", nargs=2, metavar=("PATH", "TYPE"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        path, kind = options.measure
        print(json.dumps(measure(Path(path), kind, options.size)))
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sd15.safetensors"
        write_checkpoint(path, options.file)
        for kind in options.types:
            command = [sys.executable, "-m", "tests.benchmarks.memory", "--size", str(options.size)]
            made = subprocess.run(
                [*command, "--measure", str(path), kind],
                capture_output=True,
                text=True,
                check=True,
                env=dict(os.environ),
            )
            show(kind, json.loads(made.stdout.splitlines()[-1]), options.size)


def show(kind: str, made: dict[str, Any], size: int) -> None:
    """Rows of the table for one type."""
    print(f"{kind}: UNet of {made['weights'] / GIB:.2f} GiB, VAE of {made['vae'] / GIB:.2f} GiB; {size} x {size}")
    for name, (owned, whole) in made["rows"].items():
        of = made["vae"] if name == "load VAE" else made["weights"]
        ratio = f", {owned / of:.2f} and {whole / of:.2f} times the weights" if name.startswith("load") else ""
        print(f"  {name:10} owned {owned / GIB:.2f} GiB, with mapped pages {whole / GIB:.2f} GiB{ratio}")


if __name__ == "__main__":
    main()
