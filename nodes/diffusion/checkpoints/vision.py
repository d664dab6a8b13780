"""Files of CLIP vision models -> `ClipVision` values, in the layouts of transformers and of OpenCLIP."""

from collections.abc import Iterable
from pathlib import Path

from nodes.diffusion.checkpoints.assemble import assemble, untaken
from nodes.diffusion.checkpoints.detect import describe
from nodes.diffusion.checkpoints.load import explained, warn_of
from nodes.diffusion.checkpoints.source import Part, Source, open_source, part_under
from nodes.diffusion.checkpoints.text_names import Take, open_layer
from nodes.diffusion.families.clip import Layout
from nodes.diffusion.families.vision import OPEN_VISION_PROJECTION, VISION_PROJECTION, vision_config, vision_layout
from nodes.diffusion.values import ClipVision

PREFIXES = ("", "visual.", "image_encoder.", "clip_vision.", "embedder.model.visual.", "vision_tower.")
_TEXT = ("text_model.", "text_projection", "logit_scale", "logit_bias", "token_embedding.", "transformer.", "ln_final.",
         "positional_embedding")  # fmt: skip
"""Beginnings of the names of the text model that shares some files."""

_OPEN_ENDS = {
    "embeddings.class_embedding": "class_embedding",
    "embeddings.patch_embedding.weight": "conv1.weight",
    "embeddings.position_embedding.weight": "positional_embedding",
    "pre_layrnorm.weight": "ln_pre.weight",
    "pre_layrnorm.bias": "ln_pre.bias",
    "post_layernorm.weight": "ln_post.weight",
    "post_layernorm.bias": "ln_post.bias",
}


def open_vision(path: Path) -> ClipVision:
    """A file with a CLIP vision model. Raises CheckpointError with a sentence for the user."""
    return vision_of(open_source(path))


def vision_of(source: Source) -> ClipVision:
    """The same for a source that is open."""
    # Imported here because it takes seconds; see `load_unet`.
    from nodes.diffusion.checkpoints import networks

    with explained(source):
        part, layout = _part(source)
        config = vision_config(part.shapes, layout)
        module = networks.make_vision_model(config)
        takes = _takes(module.state_dict(), layout)
        network = assemble("text", module, part, takes)
    warn_of(source, [name for name in untaken(part, takes) if not name.startswith(_TEXT)])
    return ClipVision(network, source.title, config["image_size"])


def _part(source: Source) -> tuple[Part, Layout]:
    for prefix in PREFIXES:
        part = part_under(source, prefix)
        layout = vision_layout(part.shapes)
        if layout is not None:
            return part, layout
    raise ValueError(f"it holds {describe(source.shapes)}, which is no CLIP vision model")


def _takes(parameters: Iterable[str], layout: Layout) -> dict[str, Take]:
    if layout == "clip":
        return {name: Take(name) for name in parameters}
    return {name: _open_take(name) for name in parameters}


def _open_take(name: str) -> Take:
    if name == VISION_PROJECTION:
        return Take(OPEN_VISION_PROJECTION, transposed=True)
    inner = name.removeprefix("vision_model.")
    return Take(_OPEN_ENDS[inner]) if inner in _OPEN_ENDS else open_layer(inner)
