"""Nodes that look at pictures with a CLIP vision model, and models that imitate what it says (unCLIP)."""

from dataclasses import replace
from typing import Annotated, Literal, NamedTuple

from executor.folders import Folders
from executor.schema import FolderChoices, Injected, InputError, Widget
from nodes.declare import node
from nodes.diffusion.checkpoints.open import open_unclip_checkpoint
from nodes.diffusion.checkpoints.vision import open_vision
from nodes.diffusion.memory.device import DeviceMemory
from nodes.diffusion.values import Seen
from nodes.diffusion.vision import look
from nodes.loaders import CheckpointName, checkpoint_state
from nodes.model_files import embedding_folders, file_state, opening
from nodes.types import Clip, ClipVision, Conditioning, Image, Model, Vae, VisionOutput

VisionName = Annotated[str, Widget("combo", choices=FolderChoices("clip_vision"))]


class UnclipCheckpoint(NamedTuple):
    """Outputs of the loader of unCLIP checkpoints."""

    MODEL: Model
    CLIP: Clip
    VAE: Vae
    CLIP_VISION: ClipVision


def vision_state(*, clip_name: str, folders: Folders) -> str:
    """Changes when the file is replaced."""
    return file_state(folders.model("clip_vision", clip_name))


@node("CLIPVisionLoader", category="loaders", display_name="Load CLIP Vision", fingerprint=vision_state)
def clip_vision_loader(*, clip_name: VisionName, folders: Injected[Folders]) -> ClipVision:
    """Open a model that looks at pictures."""
    with opening("clip_name"):
        return open_vision(folders.model("clip_vision", clip_name))


@node("CLIPVisionEncode", category="conditioning", display_name="CLIP Vision Encode", lane="device")
def clip_vision_encode(
    *, clip_vision: ClipVision, image: Image, crop: Literal["center", "none"], memory: Injected[DeviceMemory]
) -> VisionOutput:
    """Look at pictures. The model sees squares: their middle, or all of them in other proportions ("none")."""
    if 0 in image.shape:
        raise InputError("image", "There is no picture to look at. Connect at least one.")
    with memory.resident(clip_vision.network):
        return look(clip_vision, image, crop=crop == "center")


@node("unCLIPCheckpointLoader", category="loaders", fingerprint=checkpoint_state)
def unclip_checkpoint_loader(*, ckpt_name: CheckpointName, folders: Injected[Folders]) -> UnclipCheckpoint:
    """Open a checkpoint whose model imitates pictures (SD 2.1 unCLIP), with the model that looks at them."""
    with opening("ckpt_name"):
        path = folders.model("checkpoints", ckpt_name)
        opened, vision = open_unclip_checkpoint(path, embedding_folders(folders))
    return UnclipCheckpoint(opened.model, opened.text_encoder, opened.vae, vision)


@node("unCLIPConditioning", category="conditioning")
def unclip_conditioning(
    *,
    conditioning: Conditioning,
    clip_vision_output: VisionOutput,
    strength: Annotated[float, Widget("number", min=-10.0, max=10.0, step=0.01)] = 1.0,
    noise_augmentation: Annotated[float, Widget("number", min=0.0, max=1.0, step=0.01)] = 0.0,
) -> Conditioning:
    """Show an unCLIP model a picture to imitate. The more noise, the less it keeps to the picture's details.

    Several pictures add up: connect one of these nodes behind the other. SDXL takes a picture of OpenCLIP bigG in the
    place of its pooled text.
    """
    if strength == 0:
        return conditioning
    seen = Seen(clip_vision_output.image_embeds, strength, noise_augmentation)
    return tuple(replace(one, seen=(*one.seen, seen)) for one in conditioning)
