"""Nodes that put LoRA files on models. What comes in stays as it is, and shares what the LoRA does not change."""

from typing import Annotated, NamedTuple

from executor.folders import Folders
from executor.schema import FolderChoices, Injected, Widget
from nodes.declare import node
from nodes.diffusion.weights.lora import fit_lora
from nodes.diffusion.weights.lora_file import open_lora
from nodes.model_files import file_state, opening
from nodes.types import Clip, Model

LoraName = Annotated[str, Widget("combo", choices=FolderChoices("loras"))]
Strength = Annotated[float, Widget("number", min=-100.0, max=100.0, step=0.01)]


class Patched(NamedTuple):
    """Outputs of nodes that change a model and its text encoder."""

    MODEL: Model
    CLIP: Clip


def lora_state(*, lora_name: str, folders: Folders) -> str:
    """Changes when the file is replaced."""
    return file_state(folders.model("loras", lora_name))


@node("LoraLoader", category="loaders", display_name="Load LoRA", fingerprint=lora_state)
def lora_loader(
    *,
    model: Model,
    clip: Clip,
    lora_name: LoraName,
    strength_model: Strength = 1.0,
    strength_clip: Strength = 1.0,
    folders: Injected[Folders],
) -> Patched:
    """Change a model and its text encoder by a LoRA file: LoRA, LoCon, LoHa, LoKr, DoRA, or whole differences.

    Several can be chained. At strength 0 nothing changes; below 0 it does the opposite.
    """
    if strength_model == 0 and strength_clip == 0:
        return Patched(model, clip)
    with opening("lora_name"):
        fitted = fit_lora(open_lora(folders.model("loras", lora_name)), model, clip)
    return Patched(fitted.patch_model(model, strength_model), fitted.patch_encoder(clip, strength_clip))


@node("LoraLoaderModelOnly", category="loaders", fingerprint=lora_state)
def lora_loader_model_only(
    *, model: Model, lora_name: LoraName, strength_model: Strength = 1.0, folders: Injected[Folders]
) -> Model:
    """Change a model by a LoRA file, and leave the text encoder as it is."""
    if strength_model == 0:
        return model
    with opening("lora_name"):
        fitted = fit_lora(open_lora(folders.model("loras", lora_name)), model, None)
    return fitted.patch_model(model, strength_model)
