"""Switching the strength of a LoRA on a UNet of SD 1.5's size: from the node's call to a network that can compute.

    python -m tests.benchmarks.lora [--type bfloat16] [--rank 16] [--turns 5]

Weights and LoRA are random, since speed does not depend on them. The limit is 1 s, and no unpatched weight copied.
"""

import argparse
import os
import statistics
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # as the worker does: see main.py

import torch

from nodes.diffusion.checkpoints import networks
from nodes.diffusion.checkpoints.source import held
from nodes.diffusion.memory.device import DeviceMemory
from nodes.diffusion.memory.network import Network
from nodes.diffusion.memory.preferences import Preferences
from nodes.diffusion.sampling.prediction import make_discrete
from nodes.diffusion.values import Model
from nodes.diffusion.weights.lora import fit_lora
from nodes.diffusion.weights.lora_file import Lora, read_lora

UNET = {"sample_size": 64, "cross_attention_dim": 768, "attention_head_dim": 8}


def make_model(dtype: torch.dtype) -> Model:
    module = networks.make_unet(UNET)
    weights = {
        name: torch.empty(value.shape, dtype=dtype).normal_(std=0.02) for name, value in module.state_dict().items()
    }
    return Model(Network("unet", module, weights), make_discrete("eps", 0.00085, 0.012), 0.18215, None)


def make_lora(model: Model, rank: int) -> Lora:
    """For every linear layer and 1x1 convolution of the transformers, as Kohya's trainer does by default."""
    tensors = {}
    for name, weight in model.network.weights.items():
        if ".attentions." in name and name.endswith(".weight") and weight.ndim > 1:
            stem = f"lora_unet_{name.removesuffix('.weight').replace('.', '_')}"
            tensors[f"{stem}.lora_up.weight"] = torch.randn(weight.shape[0], rank).half()
            tensors[f"{stem}.lora_down.weight"] = torch.randn(rank, weight[0].numel()).half()
            tensors[f"{stem}.alpha"] = torch.tensor(float(rank))
    return read_lora(held(Path("random"), tensors))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--type", default="bfloat16")
    parser.add_argument("--rank", type=int, default=16)
    parser.add_argument("--turns", type=int, default=5)
    given = parser.parse_args()
    wanted: Any = given.type
    memory = DeviceMemory(torch.device("cpu"), 1 << 36, Preferences(unet=wanted))
    model = make_model(getattr(torch, given.type))
    lora = make_lora(model, given.rank)
    times, kept = [], []
    with memory.resident(model.network):
        pass
    places = {name: value.data_ptr() for name, value in model.network.module.named_parameters()}
    for turn in range(given.turns):
        begun, worked = time.perf_counter(), time.process_time()
        patched = fit_lora(lora, model, None).patch_model(model, 0.5 + turn / 100)
        with memory.resident(patched.network):
            times.append((time.perf_counter() - begun, time.process_time() - worked))
        now = {name: value.data_ptr() for name, value in patched.network.module.named_parameters()}
        copied = {name for name in now if now[name] != places[name]}
        kept.append(len(copied - set(patched.network.changes)))
    changed = sum(model.network.weights[name].numel() for name in patched.network.changes)
    wall, worked = (statistics.median(column) for column in zip(*times, strict=True))
    print(
        f"{changed / 1e6:.0f} M of {sum(w.numel() for w in model.network.weights.values()) / 1e6:.0f} M weights change"
    )
    print(f"switch: {wall:.2f} s, {worked:.2f} s of processor time; unpatched weights copied: {max(kept)}")


if __name__ == "__main__":
    main()
