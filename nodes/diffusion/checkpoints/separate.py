"""Networks in files of their own -> the values that flow on links. Which family they are for is read from shapes."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from nodes.diffusion.checkpoints.detect import check_channels, detect_unet
from nodes.diffusion.checkpoints.header import CheckpointError
from nodes.diffusion.checkpoints.layouts import text_part, unet_part, vae_part
from nodes.diffusion.checkpoints.load import explained, load_text, load_unet, load_vae
from nodes.diffusion.checkpoints.open import encoder_value, model_value, vae_value
from nodes.diffusion.checkpoints.prediction import sampling_of
from nodes.diffusion.checkpoints.source import Part, Source, open_source
from nodes.diffusion.families import sd1, sd2, sdxl
from nodes.diffusion.families.clip import KNOWN_WIDTHS, OPEN_TOKENS, TOKENS, Layout
from nodes.diffusion.families.family import Family
from nodes.diffusion.memory.network import Network
from nodes.diffusion.sampling.prediction import Prediction, make_discrete
from nodes.diffusion.values import VAE, Model, TextEncoder, TextRole

ALONE: dict[TextRole, Family] = {"l": sd1.FAMILY, "h": sd2.FAMILY, "g": sdxl.REFINER}
"""The family that uses a text model on its own."""

SHORTENED = 23
"""Layers of SD 2.x's text model in files that leave out the last one, which the family never reads."""


def open_unet(path: Path, storage: torch.dtype | None = None) -> Model:
    """A UNet file in the original or in diffusers' layout. Raises CheckpointError with a sentence for the user."""
    source = open_source(path)
    return unet_of(source, storage)


def unet_of(source: Source, storage: torch.dtype | None = None, prediction: Prediction | None = None) -> Model:
    """The same for a source that is open; `prediction` is what someone else says that it predicts."""
    with explained(source):
        part = unet_part(source)
        family = detect_unet(part.shapes)
        check_channels(part.shapes, part.shapes["out.2.weight"][0])
        network = load_unet(family, part, storage)
        sampling = sampling_of(family, part)
        if prediction is not None:
            sampling = make_discrete(prediction, *family.beta_range)
        return model_value(family, network, sampling, None)


def open_vae(path: Path) -> VAE:
    """An autoencoder file in the original or in diffusers' layout. Raises CheckpointError."""
    return vae_of(open_source(path))


def vae_of(source: Source, space: str | None = None) -> VAE:
    """The same for a source that is open."""
    with explained(source):
        return vae_value(load_vae(1.0, vae_part(source)), space)


def open_text(path: Path, embeddings: tuple[Path, ...] = ()) -> TextEncoder:
    """The text encoder of SD 1.x, SD 2.x or the SDXL refiner. Raises CheckpointError."""
    source = open_source(path)
    with explained(source):
        part, layout = text_part(source)
        role = role_of(part, layout)
    return text_of(ALONE[role], [source], embeddings)


def open_dual_text(paths: Sequence[Path], embeddings: tuple[Path, ...] = ()) -> TextEncoder:
    """SDXL's two text models, in either order. Raises CheckpointError."""
    sources = [open_source(path) for path in paths]
    widths = []
    for source in sources:
        with explained(source):
            part, layout = text_part(source)
            widths.append(_width(part, layout))
    if widths[0] == widths[1]:
        raise CheckpointError(
            f"{sources[0].title} and {sources[1].title} are text models of one width ({widths[0]}). SDXL takes CLIP-L "
            "(768) and OpenCLIP bigG (1280)."
        )
    # Whatever their sizes, bigG is the wider one.
    return text_of(sdxl.BASE, sources if widths[0] < widths[1] else sources[::-1], embeddings)


def text_of(family: Family, sources: Sequence[Source], embeddings: tuple[Path, ...] = ()) -> TextEncoder:
    """A family's text encoder from the files of its text models, in the family's order."""
    networks: list[Network] = []
    layer = family.layer
    for text, source in zip(family.text, sources, strict=True):
        with explained(source):
            part, layout = text_part(source)
            networks.append(load_text(replace(text, layout=layout), part))
            if text.role == "h" and networks[-1].module.config.num_hidden_layers == SHORTENED:
                layer = -1
    return replace(encoder_value(family, tuple(networks), embeddings), layer=layer)


def role_of(part: Part, layout: Layout) -> TextRole:
    """Which published text model it is: by its width, else by what its layout is used for."""
    known: TextRole | None = KNOWN_WIDTHS.get(_width(part, layout))
    return known or ("l" if layout == "clip" else "h")


def _width(part: Part, layout: Layout) -> int:
    return part.shapes[TOKENS if layout == "clip" else OPEN_TOKENS][1]
