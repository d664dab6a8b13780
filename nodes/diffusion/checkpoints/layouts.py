"""Networks in files of their own: finds the layout and prefix that they are in, and shows them in the original one.

Every source is read in the original layout's names, so sizes, families and checks are the same for all of them.
"""

import re
from collections.abc import Callable, Iterable

from nodes.diffusion.checkpoints.control_names import adapter_names, control_names
from nodes.diffusion.checkpoints.detect import describe
from nodes.diffusion.checkpoints.names import unet_names, vae_names
from nodes.diffusion.checkpoints.source import Part, Source, part_under
from nodes.diffusion.families.clip import PROJECTION, Layout, layout_of
from nodes.diffusion.families.control import HINT_ENTRANCE
from nodes.diffusion.families.ldm import UNET_ENTRANCE, UNET_PREFIX, VAE_ENTRANCE, VAE_PREFIX

_UNET_PREFIXES = (UNET_PREFIX, "", "diffusion_model.", "unet.")
_VAE_PREFIXES = (VAE_PREFIX, "", "vae.")
_TEXT_PREFIXES = (
    "",
    "text_model.",
    "transformer.text_model.",
    "text_encoder.text_model.",
    "cond_stage_model.transformer.text_model.",
    "cond_stage_model.model.",
    "conditioner.embedders.0.transformer.text_model.",
    "conditioner.embedders.0.model.",
    "conditioner.embedders.1.model.",
    "text_encoders.clip_l.transformer.text_model.",
    "text_encoders.clip_g.transformer.text_model.",
)
_DIFFUSERS_ENTRANCE = "conv_in.weight"
_CONTROL_PREFIXES = ("control_model.", "", "controlnet.")


def unet_part(source: Source) -> Part:
    """The UNet of a file. Raises ValueError with a clause ("it holds ...") if it has none."""
    found = _part(source, _UNET_PREFIXES, UNET_ENTRANCE, _DIFFUSERS_ENTRANCE, unet_names)
    if found is None:
        raise ValueError(f"it holds {describe(source.shapes)}, which is no UNet of a known family")
    return found


def vae_part(source: Source) -> Part:
    """The KL autoencoder of a file. Raises ValueError with a clause if it has none."""
    found = _part(source, _VAE_PREFIXES, "encoder.down.0.block.0.conv1.weight", VAE_ENTRANCE, vae_names)
    if found is None:
        raise ValueError(f"it holds {describe(source.shapes)}, which is no autoencoder that is known")
    return found


def control_part(source: Source) -> Part | None:
    """The control network of a file in the original layout's names; None if it has none."""
    entrance = "controlnet_cond_embedding.conv_in.weight"
    return _part(source, _CONTROL_PREFIXES, HINT_ENTRANCE, entrance, control_names)


def adapter_part(source: Source) -> Part | None:
    """The T2I adapter of a file in diffusers' names, which tell its levels; None if it has none."""
    for prefix in ("adapter.", ""):
        names = part_under(source, prefix).names
        if any(re.fullmatch(r"body\.0\.((resnets|body)\.0\.)?block1\.weight", name) for name in names):
            return Part(source, prefix, {ours: names[theirs] for ours, theirs in adapter_names(names).items()})
    return None


def text_part(source: Source) -> tuple[Part, Layout]:
    """The CLIP text model of a file, with its projection if there is one, and its layout. Raises ValueError."""
    for prefix in _TEXT_PREFIXES:
        part = part_under(source, prefix)
        layout = layout_of(part.shapes)
        if layout is None:
            continue
        outer = prefix.removesuffix("text_model.") + PROJECTION
        if layout == "clip" and outer in source.shapes:
            part = Part(source, prefix, {**part.names, PROJECTION: outer})
        return part, layout
    raise ValueError(f"it holds {describe(source.shapes)}, which is no CLIP text model")


def _part(
    source: Source,
    prefixes: Iterable[str],
    original: str,
    diffusers: str,
    names_of: Callable[[Iterable[str]], dict[str, str]],
) -> Part | None:
    for prefix in prefixes:
        if prefix + original in source.shapes:
            return part_under(source, prefix)
        if prefix + diffusers in source.shapes:
            theirs = part_under(source, prefix).names
            return Part(source, prefix, {ours: theirs[name] for name, ours in names_of(theirs).items()})
    return None
