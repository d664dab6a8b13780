"""Nodes that open model files."""

from typing import Annotated, NamedTuple

from executor.folders import Folders, PathError
from executor.schema import FolderChoices, Injected, InputError, Widget
from nodes.declare import node
from nodes.diffusion.checkpoints.header import CheckpointError
from nodes.diffusion.checkpoints.open import open_checkpoint
from nodes.types import Clip, Model, Vae

CheckpointName = Annotated[str, Widget("combo", choices=FolderChoices("checkpoints"))]


class Checkpoint(NamedTuple):
    """Outputs of the checkpoint loader."""

    MODEL: Model
    CLIP: Clip
    VAE: Vae


def checkpoint_state(*, ckpt_name: str, folders: Folders) -> str:
    """Changes when the file is replaced: its place, size and time of change. A digest would read gigabytes."""
    path = folders.model("checkpoints", ckpt_name)
    state = path.stat()
    return f"{path}:{state.st_size}:{state.st_mtime_ns}"


@node(
    "CheckpointLoaderSimple",
    category="loaders",
    display_name="Load Checkpoint",
    fingerprint=checkpoint_state,
)
def checkpoint_loader_simple(*, ckpt_name: CheckpointName, folders: Injected[Folders]) -> Checkpoint:
    """Open a checkpoint: the model that denoises, the text encoder, and the autoencoder."""
    try:
        opened = open_checkpoint(folders.model("checkpoints", ckpt_name), folders.models.get("embeddings", ()))
    except (PathError, CheckpointError) as error:
        raise InputError("ckpt_name", str(error)) from error
    return Checkpoint(opened.model, opened.text_encoder, opened.vae)
