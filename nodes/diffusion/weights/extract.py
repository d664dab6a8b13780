"""A difference of models -> the tensors of a LoRA file, each matrix by its largest singular values.

Eckart and Young 1936, "The Approximation of One Matrix by Another of Lower Rank".
"""

import torch
from torch import Tensor

from nodes.diffusion.checkpoints.saving import Entry, entry_of
from nodes.diffusion.memory.network import Network
from nodes.diffusion.values import Model, TextEncoder

_PREFIXES = {"l": "lora_te1_text_model_", "h": "lora_te_text_model_", "g": "lora_te2_text_model_"}
_ALONE = "lora_te_text_model_"
"""Of the one text model of SD 1.x and 2.x."""


def extracted(
    model: Model | None, encoder: TextEncoder | None, *, rank: int | None, biases: bool, device: torch.device
) -> dict[str, Entry]:
    """Tensors by Kohya's names. `rank` None keeps the differences whole. The differences are what the values' weights
    were changed to, so a model that nothing was subtracted from has none."""
    made: dict[str, Entry] = {}
    if model is not None:
        made |= _of_network(model.network, "lora_unet_", rank, biases, device)
    if encoder is not None:
        for one in encoder.models:
            prefix = _ALONE if len(encoder.models) == 1 and one.role != "g" else _PREFIXES[one.role]
            made |= _of_network(one.network, prefix, rank, biases, device)
    return made


def low_rank(difference: Tensor, rank: int) -> tuple[Tensor, Tensor]:
    """(out, rank, 1, 1) and (rank, in, height, width), or without the last two, whose product comes closest."""
    u, s, v = torch.linalg.svd(difference.flatten(1), full_matrices=False)
    rank = min(rank, len(s))
    up, down = u[:, :rank] * s[:rank], v[:rank]
    ones = (1,) * (difference.ndim - 2)
    return up.reshape(len(up), rank, *ones), down.reshape(rank, *difference.shape[1:])


def _of_network(
    network: Network, prefix: str, rank: int | None, biases: bool, device: torch.device
) -> dict[str, Entry]:
    made: dict[str, Entry] = {}
    for name in network.changes:
        layer, _, leaf = name.rpartition(".")
        stem = prefix + layer.replace(".", "_")
        if leaf not in ("weight", "bias") or (leaf == "bias" and not biases):
            continue
        difference = network.value(name)
        if not difference.any():
            continue
        if leaf == "bias":
            made[f"{stem}.diff_b"] = entry_of(difference.half())
        elif rank is None or difference.ndim < 2 or "embedding" in layer.rpartition(".")[2]:
            made[f"{stem}.diff"] = entry_of(difference.half())
        else:
            up, down = low_rank(difference.to(device), rank)
            made[f"{stem}.lora_up.weight"] = entry_of(up.half().cpu())
            made[f"{stem}.lora_down.weight"] = entry_of(down.half().cpu())
            made[f"{stem}.alpha"] = entry_of(torch.tensor(float(down.shape[0])).half())
    return made
