"""Builds the networks from their configurations, without weights.

The only module that imports diffusers and transformers, which takes seconds: whoever needs it imports it when the
first checkpoint is opened, so that a run that reuses every memo, or a bad graph, never pays for it.
"""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from torch import nn
from transformers.models.clip.configuration_clip import CLIPTextConfig
from transformers.models.clip.modeling_clip import CLIPTextModel

from nodes.diffusion.families.clip import PROJECTION


def make_unet(config: Mapping[str, Any]) -> nn.Module:
    """UNet2DConditionModel on the meta device, in evaluation mode."""
    return _empty(lambda: UNet2DConditionModel(**config))


def make_vae(config: Mapping[str, Any]) -> nn.Module:
    """AutoencoderKL on the meta device, in evaluation mode."""
    return _empty(lambda: AutoencoderKL(**config))


def make_text_model(config: Mapping[str, Any], projection: int | None = None) -> nn.Module:
    """CLIPTextModel on the meta device, in evaluation mode, with its position ids in place.

    With a linear layer `text_projection` to `projection` channels beside it, which its forward does not apply.
    """
    model = _empty(lambda: CLIPTextModel(CLIPTextConfig(**config)))
    # A buffer that no file holds; made on the meta device it would have no values.
    model.get_submodule("embeddings").register_buffer(
        "position_ids", torch.arange(config["max_position_embeddings"])[None], persistent=False
    )
    if projection is not None:
        name = PROJECTION.removesuffix(".weight")
        model.add_module(name, _empty(lambda: nn.Linear(config["hidden_size"], projection, bias=False)))
    return model


def _empty(build: Callable[[], nn.Module]) -> nn.Module:
    with torch.device("meta"):
        return build().eval().requires_grad_(False)
