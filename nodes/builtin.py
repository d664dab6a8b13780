"""Every node type that comes with Heddle, gathered once. Packs are not here."""

from executor.schema import NodeType
from nodes import (
    batches,
    compositing,
    conditioning,
    conditioning_picture,
    conditioning_properties,
    conditioning_sdxl,
    controlnet,
    custom_sampling,
    expressions,
    image,
    image_animation,
    image_edit,
    image_effects,
    image_layout,
    latent,
    latent_edit,
    latent_operations,
    loaders,
    loaders_separate,
    logic,
    mask,
    model_guidance,
    model_sampling,
    model_unet,
    primitives,
    sampler_choices,
    sampling,
    showing,
    sigmas,
    strings,
    transform,
)
from nodes.registration import Origin, register, typed_nodes

MODULES = (
    loaders,
    loaders_separate,
    conditioning,
    conditioning_sdxl,
    conditioning_picture,
    conditioning_properties,
    controlnet,
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
)
"""One module for each category of the palette."""


def builtin_nodes() -> dict[str, NodeType]:
    """Class type -> node type, by the way that a pack of typed functions takes."""
    node_types: dict[str, NodeType] = {}
    register(node_types, typed_nodes(MODULES, Origin()))
    return node_types
