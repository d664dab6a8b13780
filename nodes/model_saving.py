"""Nodes that write models into the output folder, with all that changed them, and what one of them has learned."""

import json
from collections.abc import Mapping
from typing import Annotated, Literal

from executor.folders import Folders
from executor.schema import Injected, InputError, RunInfo, Widget
from nodes.coding import naming
from nodes.declare import Shown, node
from nodes.diffusion.checkpoints.saving import (
    Entries,
    checkpoint_entries,
    model_entries,
    pieces,
    specification,
    text_entries,
    vae_entries,
)
from nodes.diffusion.memory.device import DeviceMemory
from nodes.diffusion.weights.extract import extracted
from nodes.output_files import OutputSeries, naming_prefix
from nodes.types import Clip, Model, Vae

CATEGORY = "advanced/model_merging"


@node("CheckpointSave", category=CATEGORY, display_name="Save Checkpoint", is_output=True)
def checkpoint_save(
    *,
    model: Model,
    clip: Clip,
    vae: Vae,
    filename_prefix: str = "checkpoints/ComfyUI",
    folders: Injected[Folders],
    run: Injected[RunInfo],
) -> Shown:
    """Write a whole checkpoint. Weights keep the type that they have in their files."""
    with naming("clip"):
        entries = checkpoint_entries(model, clip, vae)
    return _save(entries, filename_prefix, folders, run, specification(model, filename_prefix))


@node("ModelSave", category=CATEGORY, is_output=True)
def model_save(
    *,
    model: Model,
    filename_prefix: str = "diffusion_models/ComfyUI",
    folders: Injected[Folders],
    run: Injected[RunInfo],
) -> Shown:
    """Write the model that denoises into a file of its own."""
    return _save(model_entries(model), filename_prefix, folders, run, specification(model, filename_prefix))


@node("VAESave", category=CATEGORY, is_output=True)
def vae_save(
    *, vae: Vae, filename_prefix: str = "vae/ComfyUI_vae", folders: Injected[Folders], run: Injected[RunInfo]
) -> Shown:
    """Write an autoencoder into a file of its own."""
    return _save(vae_entries(vae), filename_prefix, folders, run, {})


@node("CLIPSave", category=CATEGORY, is_output=True)
def clip_save(
    *, clip: Clip, filename_prefix: str = "clip/ComfyUI", folders: Injected[Folders], run: Injected[RunInfo]
) -> Shown:
    """Write each text model of a text encoder into a file of its own: `..._clip_l`, `..._clip_g` or `..._clip_h`."""
    for one in clip.models:
        _save(text_entries(one), f"{filename_prefix}_clip_{one.role}", folders, run, {})
    return Shown({})


@node("LoraSave", category="_for_testing", display_name="Extract and Save Lora", is_output=True, experimental=True)
def lora_save(
    *,
    filename_prefix: str = "loras/ComfyUI_extracted_lora",
    rank: Annotated[int, Widget("number", min=1, max=4096, step=1)] = 8,
    lora_type: Literal["standard", "full_diff"],
    bias_diff: bool = True,
    model_diff: Model | None = None,
    text_encoder_diff: Clip | None = None,
    folders: Injected[Folders],
    run: Injected[RunInfo],
    memory: Injected[DeviceMemory],
) -> Shown:
    """Write a difference of models (ModelMergeSubtract) or text encoders (CLIPMergeSubtract) as a LoRA of this rank."""
    if model_diff is None and text_encoder_diff is None:
        raise InputError("model_diff", "There is no difference to save. Connect ModelMergeSubtract, or its like.")
    tensors = extracted(
        model_diff, text_encoder_diff, rank=None if lora_type == "full_diff" else rank, biases=bias_diff,
        device=memory.device,
    )  # fmt: skip
    if not tensors:
        raise InputError("model_diff", "The two models do not differ, so there is nothing to save.")
    return _save(tensors, filename_prefix, folders, run, {})


def _save(entries: Entries, prefix: str, folders: Folders, run: RunInfo, further: Mapping[str, str]) -> Shown:
    """As the next file of a series; its header says how it was made."""
    metadata = {name: json.dumps(value) for name, value in run.metadata.items() if value is not None} | dict(further)
    with naming_prefix():
        OutputSeries(folders, "output", prefix).save(".safetensors", lambda: pieces(entries, metadata))
    return Shown({})
