"""A folder that diffusers saved a pipeline to: one subfolder for each network, in one file or several.

Only tensors and the scheduler's prediction type are read; sizes come from shapes, as everywhere.
"""

import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import Tensor

from nodes.diffusion.checkpoints.detect import FAMILIES
from nodes.diffusion.checkpoints.header import CheckpointError
from nodes.diffusion.checkpoints.open import Checkpoint
from nodes.diffusion.checkpoints.separate import text_of, unet_of, vae_of
from nodes.diffusion.checkpoints.source import Source, open_source
from nodes.diffusion.families.family import Family
from nodes.diffusion.sampling.prediction import DiscreteSampling, Prediction, zero_terminal_snr

_STEMS = ("diffusion_pytorch_model", "model", "pytorch_model")
_ENDINGS = (".safetensors", ".fp16.safetensors", ".bin", ".fp16.bin")
_PREDICTIONS: dict[str, Prediction] = {"epsilon": "eps", "v_prediction": "v"}


def open_pipeline(folder: Path, embeddings: tuple[Path, ...] = ()) -> Checkpoint:
    """The three values of an SD 1.x, SD 2.x or SDXL pipeline. Raises CheckpointError with a sentence for the user."""
    scheduler = folder / "scheduler" / "scheduler_config.json"
    said = _json(scheduler) if scheduler.is_file() else {}
    model = unet_of(_network(folder, "unet"), prediction=_prediction(folder, said))
    if said.get("rescale_betas_zero_snr"):
        table = zero_terminal_snr(model.sampling.table)
        model = replace(model, sampling=DiscreteSampling(_prediction(folder, said) or "eps", table))
    family = _family(model.family)
    vae = vae_of(_network(folder, "vae"), family.space)
    sources = [_network(folder, "text_encoder" if text.role != "g" else "text_encoder_2") for text in family.text]
    encoder = text_of(family, sources, embeddings)
    if family.name == "sd2":
        encoder = replace(encoder, layer=-1)  # its pipelines' text models end at the layer that the family reads
    return Checkpoint(replace(model, vae=vae), encoder, vae)


def _network(folder: Path, name: str) -> Source:
    """The tensors of a subfolder, from one file or from the shards that an index lists."""
    place = folder / name
    for ending in _ENDINGS:
        for stem in _STEMS:
            if (path := place / (stem + ending)).is_file():
                return _titled(open_source(path), folder, name)
    for index in sorted(place.glob("*.index.json")):
        files = sorted(set(_json(index).get("weight_map", {}).values()))
        return _titled(_joined(index, [open_source(place / Path(file).name) for file in files]), folder, name)
    raise CheckpointError(f"{folder.name} holds no {name}: the folder {folder.name}/{name} has no model file.")


def _joined(path: Path, shards: list[Source]) -> Source:
    homes = {name: shard for shard in shards for name in shard.shapes}

    def read(names: Iterable[str]) -> dict[str, Tensor]:
        wanted = set(names)
        return {
            name: value
            for shard in shards
            for name, value in shard.read([name for name in shard.shapes if name in wanted]).items()
        }

    return Source(path, {name: shard.shapes[name] for name, shard in homes.items()}, read)


def _titled(source: Source, folder: Path, name: str) -> Source:
    """Its own file names say nothing, so errors name the folder."""
    return replace(source, label=f"{folder.name}/{name}")


def _prediction(folder: Path, said: dict[str, Any]) -> Prediction | None:
    """What the scheduler's configuration says; None if there is none."""
    if not said:
        return None
    prediction = said.get("prediction_type", "epsilon")
    if prediction not in _PREDICTIONS:
        raise CheckpointError(f"{folder.name} predicts '{prediction}', which is not supported; eps and v are.")
    return _PREDICTIONS[prediction]


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path.parent.name}/{path.name} is not readable ({error}).") from error
    return content if isinstance(content, dict) else {}


def _family(name: str) -> Family:
    return next(family for family in FAMILIES if family.name == name)
