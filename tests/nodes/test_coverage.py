"""How many of the known image node classes there are, family by family; printed with `pytest -rP`."""

import json
from pathlib import Path

from nodes.builtin import builtin_nodes

CLASSES: dict[str, list[str]] = json.loads((Path(__file__).parent / "data" / "classes.json").read_text())
"""Family -> the classes that saved workflows may name."""

WHOLE = (
    "Model merging / saving",
    "Samplers (all-in-one)",
    "Custom sampling: runners",
    "Custom sampling: SAMPLER factories",
    "Custom sampling: sigma utilities",
    "Custom sampling: GUIDERs",
    "Custom sampling: NOISE",
    "Mask",
)
"""Families without a gap."""

OTHER_MODELS = {"Flux2Scheduler", "OptimalStepsScheduler"}
"""Schedulers of models that are not loaded."""
UNPUBLISHED = {"GITSScheduler"}
"""Its levels are a table that no paper prints."""


def test_the_classes_are_counted_by_family() -> None:
    made = set(builtin_nodes())
    rows = [(family, sum(name in made for name in names), len(names)) for family, names in CLASSES.items()]
    rows.append(("all of them", sum(row[1] for row in rows), sum(row[2] for row in rows)))
    print("\n".join(f"{family:40} {count:4} of {total}" for family, count, total in rows))  # noqa: T201 its purpose
    assert rows[-1][2] == len({name for names in CLASSES.values() for name in names}), "each is counted once"
    assert rows[-1][1] > 0


def test_everything_that_sampling_is_put_together_from_is_there() -> None:
    made = set(builtin_nodes())
    missing = {name for family in WHOLE for name in CLASSES[family]} - made
    assert missing == set()
    schedulers = set(CLASSES["Custom sampling: SIGMAS schedulers"])
    assert schedulers - made == OTHER_MODELS | UNPUBLISHED


LOADING_AND_TEXT = {
    "CheckpointLoader",
    "CheckpointLoaderSimple",
    "CLIPLoader",
    "CLIPSetLastLayer",
    "CLIPTextEncode",
    "CLIPTextEncodeSDXL",
    "CLIPTextEncodeSDXLRefiner",
    "DiffusersLoader",
    "DualCLIPLoader",
    "InpaintModelConditioning",
    "InstructPixToPixConditioning",
    "UNETLoader",
    "VAELoader",
}


def test_everything_that_sd1_sd2_and_sdxl_load_and_encode_with_is_there() -> None:
    assert set(builtin_nodes()) >= LOADING_AND_TEXT


STEERED_BY_PICTURES = {
    "CLIPVisionEncode",
    "CLIPVisionLoader",
    "ControlNetApply",
    "ControlNetApplyAdvanced",
    "ControlNetApplySD3",
    "ControlNetLoader",
    "DiffControlNetLoader",
    "GLIGENLoader",
    "GLIGENTextBoxApply",
    "PhotoMakerEncode",
    "PhotoMakerLoader",
    "SetUnionControlNetType",
    "StyleModelApply",
    "StyleModelLoader",
    "unCLIPCheckpointLoader",
    "unCLIPConditioning",
}


def test_everything_that_sd1_sd2_and_sdxl_are_steered_with_is_there() -> None:
    assert set(builtin_nodes()) >= STEERED_BY_PICTURES
