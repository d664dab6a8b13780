"""Nodes that open a network in a file of its own, and folders that diffusers wrote."""

from typing import Annotated, Literal

import torch

from executor.folders import AUTOENCODERS, PIPELINE, SMALL_AUTOENCODERS, Folders
from executor.schema import FolderChoices, Injected, InputError, Widget
from nodes.declare import node
from nodes.diffusion.checkpoints import pipeline_folder, separate, small_vae
from nodes.diffusion.values import TextEncoder
from nodes.model_files import Checkpoint, embedding_folders, file_state, opening, with_small_vae
from nodes.types import Clip, Model, Vae

UnetName = Annotated[str, Widget("combo", choices=FolderChoices("diffusion_models"))]
TextName = Annotated[str, Widget("combo", choices=FolderChoices("text_encoders"))]
VaeName = Annotated[str, Widget("combo", choices=FolderChoices("vae", listing=AUTOENCODERS))]
PipelineName = Annotated[str, Widget("combo", choices=FolderChoices("diffusers"))]
Device = Literal["default", "cpu"]
WeightType = Literal["default", "fp8_e4m3fn", "fp8_e4m3fn_fast", "fp8_e5m2"]
TextKind = Literal[
    "stable_diffusion",
    "stable_cascade",
    "sd3",
    "stable_audio",
    "mochi",
    "ltxv",
    "pixart",
    "cosmos",
    "lumina2",
    "wan",
    "hidream",
    "chroma",
    "ace",
    "omnigen2",
    "qwen_image",
    "hunyuan_image",
    "flux2",
    "ovis",
]
DualTextKind = Literal[
    "sdxl",
    "sd3",
    "flux",
    "hunyuan_video",
    "hidream",
    "hunyuan_image",
    "hunyuan_video_15",
    "kandinsky5",
    "kandinsky5_image",
    "ltxv",
    "newbie",
]


def unet_state(*, unet_name: str, folders: Folders) -> str:
    """Changes when the file is replaced."""
    return file_state(folders.model("diffusion_models", unet_name))


@node("UNETLoader", category="advanced/loaders", display_name="Load Diffusion Model", fingerprint=unet_state)
def unet_loader(*, unet_name: UnetName, weight_dtype: WeightType, folders: Injected[Folders]) -> Model:
    """Open a model that denoises in a file of its own.

    With fp8 its large weights take one byte each; it computes in the usual type.
    """
    storage = {"fp8_e5m2": torch.float8_e5m2, "default": None}.get(weight_dtype, torch.float8_e4m3fn)
    with opening("unet_name"):
        return with_small_vae(separate.open_unet(folders.model("diffusion_models", unet_name), storage), folders)


def vae_state(*, vae_name: str, folders: Folders) -> str:
    """Changes when a file is replaced."""
    if vae_name in SMALL_AUTOENCODERS:
        return ";".join(file_state(half) for half in folders.halves(vae_name) if half is not None)
    return file_state(folders.model("vae", vae_name))


@node("VAELoader", category="loaders", display_name="Load VAE", fingerprint=vae_state)
def vae_loader(*, vae_name: VaeName, folders: Injected[Folders]) -> Vae:
    """Open an autoencoder in a file of its own; taesd and taesdxl are small, rough ones from the folder vae_approx."""
    if vae_name in SMALL_AUTOENCODERS:
        return _small_vae(vae_name, folders)
    with opening("vae_name"):
        return separate.open_vae(folders.model("vae", vae_name))


def _small_vae(name: str, folders: Folders) -> Vae:
    encoder, decoder = folders.halves(name)
    if encoder is None or decoder is None:
        raise InputError(
            "vae_name",
            f"{name} is two files, {name}_encoder and {name}_decoder, and the folder vae_approx lacks one. Put both "
            "there, or choose another VAE.",
        )
    space = next(space for space, called in small_vae.NAMES.items() if called == name)
    with opening("vae_name"):
        return small_vae.open_small_vae(decoder, encoder, space)


def text_state(*, clip_name: str, folders: Folders) -> str:
    """Changes when the file is replaced."""
    return file_state(folders.model("text_encoders", clip_name))


@node("CLIPLoader", category="advanced/loaders", display_name="Load CLIP", fingerprint=text_state)
def clip_loader(
    *,
    clip_name: TextName,
    type: TextKind,  # noqa: A002 the socket's name
    device: Device | None = None,
    folders: Injected[Folders],
) -> Clip:
    """Open a text encoder in a file of its own.

    CLIP-L is for SD 1.x, OpenCLIP ViT-H for SD 2.x, OpenCLIP bigG for the refiner of SDXL.
    """
    if type != "stable_diffusion":
        raise InputError("type", f"Text encoders for {type} are not supported yet; stable_diffusion is.")
    with opening("clip_name"):
        opened = separate.open_text(folders.model("text_encoders", clip_name), embedding_folders(folders))
    return _placed(opened, device)


def dual_text_state(*, clip_name1: str, clip_name2: str, folders: Folders) -> str:
    """Changes when one of the files is replaced."""
    return ";".join(file_state(folders.model("text_encoders", name)) for name in (clip_name1, clip_name2))


@node("DualCLIPLoader", category="advanced/loaders", fingerprint=dual_text_state)
def dual_clip_loader(
    *,
    clip_name1: TextName,
    clip_name2: TextName,
    type: DualTextKind,  # noqa: A002 the socket's name
    device: Device | None = None,
    folders: Injected[Folders],
) -> Clip:
    """Open the two text models of SDXL, CLIP-L and OpenCLIP bigG, in either order."""
    if type != "sdxl":
        raise InputError("type", f"Text encoders for {type} are not supported yet; sdxl is.")
    with opening("clip_name1"):
        first = folders.model("text_encoders", clip_name1)
    with opening("clip_name2"):
        paths = first, folders.model("text_encoders", clip_name2)
        opened = separate.open_dual_text(paths, embedding_folders(folders))
    return _placed(opened, device)


def pipeline_state(*, model_path: str, folders: Folders) -> str:
    """Changes when a file of the folder is replaced."""
    folder = folders.model("diffusers", f"{model_path}/{PIPELINE}").parent
    return ";".join(file_state(path) for path in sorted(folder.rglob("*")) if path.is_file())


@node("DiffusersLoader", category="advanced/loaders/deprecated", fingerprint=pipeline_state)
def diffusers_loader(*, model_path: PipelineName, folders: Injected[Folders]) -> Checkpoint:
    """Open a folder that diffusers saved a pipeline to."""
    with opening("model_path"):
        folder = folders.model("diffusers", f"{model_path}/{PIPELINE}").parent
        opened = pipeline_folder.open_pipeline(folder, embedding_folders(folders))
    return Checkpoint(with_small_vae(opened.model, folders), opened.text_encoder, opened.vae)


def _placed(encoder: TextEncoder, device: str | None) -> TextEncoder:
    """The encoder, whose text models compute on the CPU if that is asked for."""
    if device == "cpu":
        for network in encoder.networks:
            network.pinned = torch.device("cpu")
    return encoder
