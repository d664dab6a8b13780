"""Which model family a file holds, from tensor names and shapes alone; "unknown" says what was found instead."""

from collections import Counter

from nodes.diffusion.families import sd1, sd2, sdxl
from nodes.diffusion.families.clip import layout_of
from nodes.diffusion.families.family import Family, TextPart
from nodes.diffusion.families.ldm import (
    CLASS_ENTRANCE,
    LATENT_ENTRANCE,
    UNET_ENTRANCE,
    UNET_PREFIX,
    VAE_ENTRANCE,
    VAE_PREFIX,
    Shapes,
    attended_levels,
    has_linear_projections,
)

FAMILIES = (sdxl.BASE, sdxl.REFINER, sd2.FAMILY, sd1.FAMILY)

_OTHERS = (
    (f"{UNET_PREFIX}joint_blocks.", "a Stable Diffusion 3 checkpoint, a family that is not supported yet"),
    (f"{UNET_PREFIX}double_blocks.", "a Flux checkpoint, a family that is not supported yet"),
    ("double_blocks.", "a Flux diffusion model without text encoders and VAE, a family that is not supported yet"),
    ("joint_blocks.", "a Stable Diffusion 3 diffusion model, a family that is not supported yet"),
    ("lora_unet_", "a LoRA, which changes a checkpoint and is none itself"),
    ("lora_te_", "a LoRA, which changes a checkpoint and is none itself"),
    ("control_model.", "a ControlNet, which steers a checkpoint and is none itself"),
    ("input_blocks.", "a diffusion model alone, not a whole checkpoint. Load it with UNETLoader"),
    ("down_blocks.", "a single network in diffusers' layout, not a whole checkpoint. Load it with UNETLoader"),
    ("encoder.conv_in.", "a VAE alone, not a whole checkpoint. Load it with VAELoader"),
    ("text_model.", "a text encoder alone, not a whole checkpoint. Load it with CLIPLoader"),
    ("transformer.resblocks.", "a text encoder alone, not a whole checkpoint. Load it with CLIPLoader"),
)


def detect_family(shapes: Shapes) -> Family:
    """The family of a whole checkpoint in the original layout. Raises ValueError with a clause ("it holds ...")."""
    known = [family for family in FAMILIES if all(text_prefix(shapes, text) for text in family.text)]
    has_unet, has_vae = UNET_PREFIX + UNET_ENTRANCE in shapes, VAE_PREFIX + VAE_ENTRANCE in shapes
    if has_unet and has_vae and known:
        return known[0]
    for prefix, what in _OTHERS:
        if any(name.startswith(prefix) for name in shapes):
            raise ValueError(f"it holds {what}")
    absent = [
        part
        for part, there in (("a UNet", has_unet), ("a VAE", has_vae), ("its text encoder", bool(known)))
        if not there
    ]
    if len(absent) == len(("UNet", "VAE", "text")):
        raise ValueError(f"it holds {describe(shapes)}, which is no known model family")
    family = known[0] if known else detect_unet(under(shapes, UNET_PREFIX)) if has_unet else None
    title = f"a {family.title} checkpoint" if family else "a checkpoint"
    raise ValueError(
        f"it holds part of {title}, but not {' and not '.join(absent)}. Load its parts with UNETLoader, CLIPLoader and "
        "VAELoader"
    )


def detect_unet(shapes: Shapes) -> Family:
    """The family of a UNet in the original layout, without prefix. Raises ValueError with a clause, KeyError."""
    attended = attended_levels(shapes)
    if CLASS_ENTRANCE in shapes and not attended[0]:
        return sdxl.BASE if attended[-1] else sdxl.REFINER
    return sd2.FAMILY if has_linear_projections(shapes) else sd1.FAMILY


def detect_encoder(shapes: Shapes) -> Family:
    """The family of the UNet that a ControlNet in the original layout was copied from; small ones attend to nothing."""
    if CLASS_ENTRANCE in shapes:
        return sdxl.BASE
    return sd2.FAMILY if has_linear_projections(shapes) else sd1.FAMILY


def text_prefix(shapes: Shapes, text: TextPart) -> str | None:
    """The prefix under which a checkpoint keeps a text model; some files leave out `text_model.`."""
    for prefix in (text.prefix, text.prefix.removesuffix("text_model.")):
        if layout_of(under(shapes, prefix)) == text.layout:
            return prefix
    return None


def under(shapes: Shapes, prefix: str) -> Shapes:
    """The shapes whose names begin with `prefix`, without it."""
    return {name.removeprefix(prefix): shape for name, shape in shapes.items() if name.startswith(prefix)}


def check_channels(unet: Shapes, latent_channels: int) -> None:
    """Raise ValueError with a clause if a UNet takes channels that nothing here could give it."""
    channels, made = unet[UNET_ENTRANCE][1], unet["out.2.weight"][0]
    if made != latent_channels:
        raise ValueError(f"its UNet makes latents of {made} channels and its VAE takes {latent_channels}")
    if channels - latent_channels not in (0, 1, latent_channels, latent_channels + 1):
        raise ValueError(
            f"its UNet takes {channels} channels where its VAE gives {latent_channels}, and neither a depth map, nor a "
            "picture, nor a picture with a mask makes up for that"
        )


def latent_channels(vae: Shapes) -> int:
    """Channels of the latents that an autoencoder, without prefix, decodes."""
    return vae[LATENT_ENTRANCE][1]


def describe(shapes: Shapes) -> str:
    """What a file holds, by the most frequent beginnings of its names."""
    if not shapes:
        return "no tensors"
    tops = Counter(".".join(name.split(".")[:2]) for name in shapes)
    shown = ", ".join(f"'{top}' ({count})" for top, count in tops.most_common(4))
    return f"{len(shapes)} tensors named {shown}"
