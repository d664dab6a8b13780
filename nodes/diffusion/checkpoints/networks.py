"""Builds the networks from their configurations, without weights.

The only module that imports diffusers and transformers, which takes seconds: whoever needs it imports it when the
first checkpoint is opened, so that a run that reuses every memo, or a bad graph, never pays for it.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from diffusers.models.adapter import T2IAdapter
from diffusers.models.attention import GatedSelfAttentionDense
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.autoencoders.autoencoder_tiny import AutoencoderTiny
from diffusers.models.controlnets.controlnet import ControlNetModel
from diffusers.models.controlnets.controlnet_union import ControlNetUnionModel
from diffusers.models.embeddings import (
    GLIGENTextBoundingboxProjection,
    ImageProjection,
    IPAdapterFullImageProjection,
    IPAdapterPlusImageProjection,
)
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from torch import Tensor, nn
from transformers.models.clip.configuration_clip import CLIPTextConfig, CLIPVisionConfig
from transformers.models.clip.modeling_clip import CLIPTextModel, CLIPVisionModelWithProjection

from nodes.diffusion.families.clip import PROJECTION
from nodes.diffusion.families.ip_adapter import ProjectionKind


def make_unet(config: Mapping[str, Any]) -> nn.Module:
    """UNet2DConditionModel on the meta device, in evaluation mode."""
    return _empty(lambda: UNet2DConditionModel(**config))


def make_vae(config: Mapping[str, Any]) -> nn.Module:
    """AutoencoderKL on the meta device, in evaluation mode."""
    return _empty(lambda: AutoencoderKL(**config))


def make_small_vae(config: Mapping[str, Any], *, encodes: bool) -> nn.Module:
    """AutoencoderTiny on the meta device, in evaluation mode; without its encoder if it is only to decode."""
    model = _empty(lambda: AutoencoderTiny(**config))
    if not encodes:
        model.encoder = nn.Identity()
    return model


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


def make_vision_model(config: Mapping[str, Any]) -> nn.Module:
    """CLIPVisionModelWithProjection on the meta device, in evaluation mode, with its position ids in place."""
    model = _empty(lambda: CLIPVisionModelWithProjection(CLIPVisionConfig(**config)))
    embeddings: Any = model.get_submodule("vision_model.embeddings")
    embeddings.register_buffer("position_ids", torch.arange(embeddings.num_positions)[None], persistent=False)
    return model


def make_ip_adapter(
    kind: ProjectionKind, config: Mapping[str, Any], layers: Sequence[tuple[int, ...]]
) -> nn.ModuleDict:
    """`projection` of what a vision model says, and `to_k` and `to_v` of its tokens, one for each of the (width, text
    width) `layers`; on the meta device, in evaluation mode."""
    classes: dict[ProjectionKind, Any] = {
        "plain": ImageProjection, "full": IPAdapterFullImageProjection, "plus": IPAdapterPlusImageProjection,
    }  # fmt: skip

    def rows() -> nn.ModuleList:
        return nn.ModuleList([nn.Linear(text, width, bias=False) for width, text in layers])

    build: Any = lambda: nn.ModuleDict({"projection": classes[kind](**config), "to_k": rows(), "to_v": rows()})  # noqa: E731
    made: Any = _empty(build)
    return made


def make_gligen(entering: int, made: int, gates: Mapping[str, tuple[int, int]]) -> nn.ModuleDict:
    """`position_net`, which makes tokens of `made` numbers of boxes and their names of `entering`, and `fusers`, one
    for each of the gates, key -> (width, heads); on the meta device, in evaluation mode."""

    def build() -> nn.ModuleDict:
        fusers = {
            key: GatedSelfAttentionDense(width, made, heads, width // heads) for key, (width, heads) in gates.items()
        }
        position = GLIGENTextBoundingboxProjection(entering, made)
        return nn.ModuleDict({"position_net": position, "fusers": nn.ModuleDict(fusers)})

    module: Any = _empty(build)
    return module


def make_control(config: Mapping[str, Any]) -> nn.Module:
    """ControlNetModel on the meta device, in evaluation mode."""
    return _empty(lambda: ControlNetModel(**config))


def make_union(config: Mapping[str, Any]) -> nn.Module:
    """ControlNetUnionModel on the meta device, in evaluation mode.

    Its attribute `untyped` is a ControlNetModel of the same layers, for pictures of which nobody says what they are. It
    is told the embedding of "no type" as its class.
    """
    module = _empty(lambda: ControlNetUnionModel(**config))
    arguments = {name: value for name, value in config.items() if not name.startswith("num_")}
    untyped = _empty(lambda: ControlNetModel(**arguments))
    for name, _ in list(untyped.named_children()):
        setattr(untyped, name, module.get_submodule(name))
    untyped.class_embedding = module.get_submodule("control_add_embedding")
    # Not a child: its layers are the network's own.
    object.__setattr__(module, "untyped", untyped)
    layers: Any = module.get_submodule("transformer_layes")
    for layer in layers:
        layer.attention = partial(_each_alone, layer.attn)
    return module


def make_adapter(config: Mapping[str, Any]) -> nn.Module:
    """T2IAdapter on the meta device, in evaluation mode."""
    return _empty(lambda: T2IAdapter(**config))


def _each_alone(attention: nn.Module, x: Tensor) -> Tensor:
    """Attention of each row to itself. As published it goes along the batch, so that pictures of one batch would change
    each other; for the rows of one picture, which are alike, that is the same as each row alone."""
    flat = x.reshape(1, -1, x.shape[-1])
    attended: Tensor = attention(flat, flat, flat, need_weights=False)[0]
    return attended.reshape(x.shape)


def _empty(build: Callable[[], nn.Module]) -> nn.Module:
    with torch.device("meta"):
        return build().eval().requires_grad_(False)
