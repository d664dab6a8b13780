"""Every node type that comes with Heddle, gathered once. Packs are not here."""

from executor.schema import NodeType
from nodes import (
    batches,
    clip_vision,
    compositing,
    conditioning,
    conditioning_picture,
    conditioning_properties,
    conditioning_sdxl,
    controlnet,
    custom_sampling,
    expressions,
    gligen,
    hypernetwork,
    image,
    image_animation,
    image_edit,
    image_effects,
    image_layout,
    ip_adapter,
    latent,
    latent_edit,
    latent_operations,
    loaders,
    loaders_separate,
    logic,
    lora,
    mask,
    model_guidance,
    model_merging,
    model_sampling,
    model_saving,
    model_unet,
    photomaker,
    primitives,
    sampler_choices,
    sampling,
    showing,
    sigmas,
    strings,
    style_model,
    transform,
)
from nodes.registration import BUILT_IN, Origin, register, typed_nodes

MODULES = (
    loaders,
    loaders_separate,
    conditioning,
    conditioning_sdxl,
    conditioning_picture,
    conditioning_properties,
    controlnet,
    clip_vision,
    gligen,
    hypernetwork,
    style_model,
    photomaker,
    latent,
    latent_edit,
    latent_operations,
    sampling,
    custom_sampling,
    sampler_choices,
    model_sampling,
    model_guidance,
    model_unet,
    sigmas,
    image,
    image_edit,
    image_layout,
    image_effects,
    image_animation,
    showing,
    mask,
    compositing,
    batches,
    transform,
    primitives,
    strings,
    expressions,
    logic,
    lora,
    model_merging,
    model_saving,
)
"""One module for each category of the palette."""

REPLACEABLE = (ip_adapter,)
"""Nodes that only packs have elsewhere: a pack with the same names takes their place."""


def builtin_nodes() -> dict[str, NodeType]:
    """Class type -> node type, by the way that a pack of typed functions takes."""
    node_types: dict[str, NodeType] = {}
    register(node_types, typed_nodes(MODULES, Origin()))
    register(node_types, typed_nodes(REPLACEABLE, Origin(f"{BUILT_IN}.extra")))
    return node_types
