"""Builds the networks from their configurations, without weights, and converts a file's tensors to their names.

The only module that imports diffusers and transformers, which takes seconds: whoever needs it imports it when the
first checkpoint is opened, so that a run that reuses every memo, or a bad graph, never pays for it.
"""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from diffusers.loaders.single_file_utils import convert_ldm_unet_checkpoint, convert_ldm_vae_checkpoint
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from torch import Tensor, nn
from transformers.models.clip.configuration_clip import CLIPTextConfig
from transformers.models.clip.modeling_clip import CLIPTextModel

from nodes.diffusion.families.sd1 import TEXT_PREFIX

Weights = dict[str, Tensor]


def make_unet(config: Mapping[str, Any]) -> nn.Module:
    """UNet2DConditionModel on the meta device, in evaluation mode."""
    return _empty(lambda: UNet2DConditionModel(**config))


def make_vae(config: Mapping[str, Any]) -> nn.Module:
    """AutoencoderKL on the meta device, in evaluation mode."""
    return _empty(lambda: AutoencoderKL(**config))


def make_text_model(config: Mapping[str, Any]) -> nn.Module:
    """CLIPTextModel on the meta device, in evaluation mode, with its position ids in place."""
    model = _empty(lambda: CLIPTextModel(CLIPTextConfig(**config)))
    # A buffer that no file holds; made on the meta device it would have no values.
    model.get_submodule("embeddings").register_buffer(
        "position_ids", torch.arange(config["max_position_embeddings"])[None], persistent=False
    )
    return model


def unet_weights(tensors: Mapping[str, Tensor], config: Mapping[str, Any]) -> Weights:
    """Original tensors, with prefix -> the parameters of `make_unet`. Leaves `tensors` as they are."""
    return dict(convert_ldm_unet_checkpoint(dict(tensors), config))


def vae_weights(tensors: Mapping[str, Tensor], config: Mapping[str, Any]) -> Weights:
    """Original tensors, with prefix -> the parameters of `make_vae`."""
    return dict(convert_ldm_vae_checkpoint(dict(tensors), config))


def text_weights(tensors: Mapping[str, Tensor]) -> Weights:
    """Original tensors, with prefix -> the parameters of `make_text_model`."""
    # transformers 5 names the parameters of a text model alone just as the original file does, less the prefix.
    return {name.removeprefix(TEXT_PREFIX): value for name, value in tensors.items() if name.startswith(TEXT_PREFIX)}


def _empty(build: Callable[[], nn.Module]) -> nn.Module:
    with torch.device("meta"):
        return build().eval().requires_grad_(False)
