"""Nodes that open whole checkpoints."""

from dataclasses import replace
from typing import Annotated, Literal, NamedTuple

from executor.folders import Folders
from executor.schema import FolderChoices, Injected, InputError, Widget
from nodes.declare import node
from nodes.diffusion.checkpoints import open as files
from nodes.diffusion.families.sd1 import BETA_RANGE
from nodes.diffusion.sampling.prediction import Prediction, make_discrete
from nodes.model_files import Checkpoint, embedding_folders, file_state, opening, with_small_vae

__all__ = ["Checkpoint", "checkpoint_loader", "checkpoint_loader_simple"]

CheckpointName = Annotated[str, Widget("combo", choices=FolderChoices("checkpoints"))]
ConfigName = Literal[
    "anything_v3.yaml",
    "v1-inference.yaml",
    "v1-inference_clip_skip_2.yaml",
    "v1-inference_clip_skip_2_fp16.yaml",
    "v1-inference_fp16.yaml",
    "v1-inpainting-inference.yaml",
    "v2-inference-v.yaml",
    "v2-inference-v_fp32.yaml",
    "v2-inference.yaml",
    "v2-inference_fp32.yaml",
    "v2-inpainting-inference.yaml",
]


class Config(NamedTuple):
    """What a configuration says that a file's shapes do not."""

    family: str
    prediction: Prediction
    layer: int


def checkpoint_state(*, ckpt_name: str, folders: Folders) -> str:
    """Changes when the file is replaced."""
    return file_state(folders.model("checkpoints", ckpt_name))


@node(
    "CheckpointLoaderSimple",
    category="loaders",
    display_name="Load Checkpoint",
    fingerprint=checkpoint_state,
)
def checkpoint_loader_simple(*, ckpt_name: CheckpointName, folders: Injected[Folders]) -> Checkpoint:
    """Open a checkpoint: the model that denoises, the text encoder, and the autoencoder."""
    with opening("ckpt_name"):
        opened = files.open_checkpoint(folders.model("checkpoints", ckpt_name), embedding_folders(folders))
    return Checkpoint(with_small_vae(opened.model, folders), opened.text_encoder, opened.vae)


@node(
    "CheckpointLoader",
    category="advanced/loaders",
    display_name="Load Checkpoint With Config (DEPRECATED)",
    fingerprint=checkpoint_state,
    deprecated=True,
)
def checkpoint_loader(*, config_name: ConfigName, ckpt_name: CheckpointName, folders: Injected[Folders]) -> Checkpoint:
    """Open a checkpoint, and take from the configuration what the model predicts and which text layer it reads."""
    opened = checkpoint_loader_simple(ckpt_name=ckpt_name, folders=folders)
    config = _config(config_name)
    if opened.MODEL.family != config.family:
        raise InputError(
            "config_name",
            f"'{config_name}' is for {config.family} checkpoints and '{ckpt_name}' is {opened.MODEL.family}. Choose "
            "another configuration, or use CheckpointLoaderSimple, which needs none.",
        )
    model = replace(opened.MODEL, sampling=make_discrete(config.prediction, *BETA_RANGE))
    return Checkpoint(model, replace(opened.CLIP, layer=config.layer), opened.VAE)


def _config(name: str) -> Config:
    if name.startswith("v2"):
        return Config("sd2", "v" if name.startswith("v2-inference-v") else "eps", -2)
    skips = name == "anything_v3.yaml" or "clip_skip_2" in name
    return Config("sd1", "eps", -2 if skips else -1)
