"""One resumable, seeded training loop for all three networks. It knows nothing of what is trained.

Under `torchrun` every process takes a share of each batch and the gradients are averaged: on a CPU, one process with a
single thread for each core does a third more than one process with as many threads.
"""

import math
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import torch
import torch.distributed as dist
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from torch import Tensor, nn

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Schedule:
    """How long and how fast one network learns."""

    steps: int
    rate: float
    """Peak learning rate, reached after `warmup` steps and held until the cool-down."""
    warmup: int = 100
    cooldown: float = 0.25
    """Share of the steps, at the end, over which the rate falls to zero along a cosine."""
    save_every: int = 200
    ema: float = 0.0
    """Decay of the moving average of the weights; 0 keeps none."""

    def rate_at(self, step: int) -> float:
        """Learning rate of `step`, counted from 0."""
        start = self.steps * (1 - self.cooldown)
        fall = 0.5 * (1 + math.cos(math.pi * min(1.0, max(0.0, (step - start) / max(1.0, self.steps - start)))))
        return self.rate * min(1.0, (step + 1) / self.warmup) * fall


def fit(
    name: str,
    model: nn.Module,
    loss_of: Callable[[torch.Generator], Tensor],
    schedule: Schedule,
    folder: Path,
) -> None:
    """Train `model` in place until `schedule.steps`; continues from, and writes, `folder/<name>.pt`.

    `loss_of` draws this process's share of a batch from the given CPU generator and returns its loss. The generator is
    seeded with the step, so a resumed run draws the same batches as an uninterrupted one. At the end the model holds
    the averaged weights if `schedule.ema` asks for them.
    """
    rank, world = (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 1)
    trained: list[Tensor] = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=schedule.rate, betas=(0.9, 0.99), weight_decay=1e-3, fused=True)
    average: list[Tensor] = [parameter.detach().clone() for parameter in trained] if schedule.ema else []
    path, done = folder / f"{name}.pt", 0
    if path.exists():
        state = torch.load(path, weights_only=True)
        done = state["step"]
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        average = [tensor.detach() for tensor in state["average"]]
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("loss {task.fields[loss]:.4f}"),
    )
    with Progress(
        *columns, TimeElapsedColumn(), TimeRemainingColumn(), refresh_per_second=2, disable=rank > 0
    ) as progress:
        task = progress.add_task(name, total=schedule.steps, completed=done, loss=0.0)
        smooth = 0.0
        for step in range(done, schedule.steps):
            for group in optimizer.param_groups:
                group["lr"] = schedule.rate_at(step)
            loss = loss_of(torch.Generator().manual_seed(step * world + rank))
            loss.backward()
            _average_gradients(trained, world)
            nn.utils.clip_grad_norm_(trained, 1.0)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            if average:
                decay = min(schedule.ema, (step + 1) / (step + 10))
                with torch.no_grad():
                    torch._foreach_lerp_(average, trained, 1 - decay)
            latest = loss.item()
            smooth = 0.98 * smooth + 0.02 * latest if smooth else latest
            progress.update(task, completed=step + 1, loss=smooth)
            if rank == 0 and ((step + 1) % schedule.save_every == 0 or step + 1 == schedule.steps):
                _save(path, step + 1, model, optimizer, average)
                progress.console.print(f"{name} step {step + 1} loss {smooth:.4f}")
    if average:
        with torch.no_grad():
            torch._foreach_copy_(trained, average)


def kept(path: Path, make: Callable[[], T]) -> T:
    """What `make` gives (tensors, in tuples or dicts): made once, by the first process, and read by all from `path`."""
    if not path.exists() and not (dist.is_initialized() and dist.get_rank() > 0):
        _write(path, make())
    if dist.is_initialized():
        dist.barrier()
    read: T = torch.load(path, weights_only=True)
    return read


def share_of(batch: int) -> int:
    """How many examples of a batch this process draws."""
    return batch // (dist.get_world_size() if dist.is_initialized() else 1)


def _average_gradients(parameters: list[Tensor], world: int) -> None:
    if world == 1:
        return
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    dist.all_reduce(flat)
    parts = flat.div_(world).split([gradient.numel() for gradient in gradients])
    for gradient, part in zip(gradients, parts, strict=True):
        gradient.copy_(part.view_as(gradient))


def _save(path: Path, step: int, model: nn.Module, optimizer: torch.optim.Optimizer, average: list[Tensor]) -> None:
    state = {"step": step, "model": model.state_dict(), "optimizer": optimizer.state_dict(), "average": average}
    _write(path, state)


def _write(path: Path, content: object) -> None:
    partial = path.with_suffix(".partial")
    torch.save(content, partial)
    os.replace(partial, path)
