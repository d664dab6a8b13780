"""Small UNets with random weights, computed by diffusers' own forward pass, or by a walk with alterations."""

from typing import Any

import torch
from torch import Tensor

from nodes.diffusion.families.sd1 import BETA_RANGE
from nodes.diffusion.patches.contract import Alteration, Call
from nodes.diffusion.sampling.prediction import make_discrete
from nodes.diffusion.sampling.telling import ask_network
from nodes.diffusion.values import Told
from tests.nodes.small_families import SMALL, make_unet

SAMPLING = make_discrete("eps", *BETA_RANGE)


def small_unet(name: str = "sd1", **changed: Any) -> Any:
    """Of a family, with random weights."""
    torch.manual_seed(3)
    small = SMALL[name]
    small = type(small)(small.unet | changed, small.texts, small.in_channels)
    return make_unet(small).eval().requires_grad_(False)


def given(unet: Any, size: tuple[int, int] = (12, 8), rows: int = 2) -> tuple[Tensor, Tensor, Tensor, Told]:
    """What a network is asked about: latents, timesteps, tokens, and what else it is told."""
    draw = torch.Generator().manual_seed(5)
    config = unet.config
    x = torch.randn(rows, config.in_channels, *size, generator=draw)
    tokens = torch.randn(rows, 7, config.cross_attention_dim, generator=draw)
    vectors: dict[str, Tensor] = {}
    if config.class_embed_type:
        vectors["class_labels"] = torch.randn(rows, config.projection_class_embeddings_input_dim, generator=draw)
    if config.addition_embed_type:
        ids = 6 if config.projection_class_embeddings_input_dim % 256 == 0 else 5
        pooled = config.projection_class_embeddings_input_dim - ids * 256
        vectors = {
            "text_embeds": torch.randn(rows, pooled, generator=draw),
            "time_ids": torch.randn(rows, ids, generator=draw),
        }
    return x, torch.full((rows,), 400.0), tokens, Told(vectors)


def call_of(
    x: Tensor, *alterations: Alteration, level: float = 2.0, groups: tuple[int, ...] = (0,), run: Any = None
) -> Call:
    """A call of a network whose first block has 32 channels."""
    size = (x.shape[-2], x.shape[-1])
    return Call(alterations, level, SAMPLING, groups, size, 32, {} if run is None else run)


def predict(unet: Any, *alterations: Alteration, **how: Any) -> Tensor:
    """What a small network predicts with alterations."""
    x, timestep, tokens, told = given(unet)
    return ask_network(unet, x, timestep, tokens, told, call_of(x, *alterations, **how))
