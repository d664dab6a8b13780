"""Which model family a file holds, from tensor names and shapes alone; "unknown" says what was found instead."""

from collections import Counter
from collections.abc import Mapping

from nodes.diffusion.families import sd1
from nodes.diffusion.families.sd1 import TEXT_PREFIX, UNET_PREFIX, VAE_PREFIX

Shapes = Mapping[str, tuple[int, ...]]

_OTHERS = (
    ("conditioner.embedders.", "an SDXL checkpoint, a family that is not supported yet"),
    ("cond_stage_model.model.", "a Stable Diffusion 2.x checkpoint, a family that is not supported yet"),
    (f"{UNET_PREFIX}joint_blocks.", "a Stable Diffusion 3 checkpoint, a family that is not supported yet"),
    (f"{UNET_PREFIX}double_blocks.", "a Flux checkpoint, a family that is not supported yet"),
    ("double_blocks.", "a Flux diffusion model without text encoders and VAE, a family that is not supported yet"),
    ("lora_unet_", "a LoRA, which changes a checkpoint and is none itself"),
    ("lora_te_", "a LoRA, which changes a checkpoint and is none itself"),
    ("control_model.", "a ControlNet, which steers a checkpoint and is none itself"),
    ("down_blocks.", "a single network in diffusers' layout, not a whole checkpoint in the original layout"),
    ("encoder.conv_in.", "a VAE alone, not a whole checkpoint"),
    ("text_model.", "a text encoder alone, not a whole checkpoint"),
)


def detect_family(shapes: Shapes) -> str:
    """The family's name. Raises ValueError with a clause ("it holds ...") if it is none that can be loaded."""
    parts = {"a UNet": sd1.UNET_ENTRANCE, "a VAE": sd1.VAE_ENTRANCE, "a CLIP text model": sd1.TOKENS}
    absent = [part for part, name in parts.items() if name not in shapes]
    if not absent:
        channels = shapes[sd1.UNET_ENTRANCE][1]
        latent = shapes[sd1.LATENT_ENTRANCE][1]
        if channels != latent:
            raise ValueError(
                f"it holds an SD 1.x UNet that takes {channels} channels where its VAE gives {latent} (an inpainting "
                "or editing model), which is not supported yet"
            )
        return sd1.NAME
    for prefix, what in _OTHERS:
        if any(name.startswith(prefix) for name in shapes):
            raise ValueError(f"it holds {what}")
    if len(absent) < len(parts):
        raise ValueError(f"it holds part of an SD 1.x checkpoint, but not {' and not '.join(absent)}")
    raise ValueError(f"it holds {_describe(shapes)}, which is no known model family")


def canonical_names(shapes: Shapes) -> dict[str, str]:
    """Original name -> the file's name, for the three networks. Some files leave out `text_model.`."""
    short = TEXT_PREFIX.removesuffix("text_model.")
    names: dict[str, str] = {}
    for name in shapes:
        if name.startswith(short) and not name.startswith(TEXT_PREFIX):
            names[TEXT_PREFIX + name.removeprefix(short)] = name
        elif name.startswith((UNET_PREFIX, VAE_PREFIX, TEXT_PREFIX)):
            names[name] = name
    return names


def _describe(shapes: Shapes) -> str:
    if not shapes:
        return "no tensors"
    tops = Counter(".".join(name.split(".")[:2]) for name in shapes)
    shown = ", ".join(f"'{top}' ({count})" for top, count in tops.most_common(4))
    return f"{len(shapes)} tensors named {shown}"
