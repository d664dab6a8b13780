"""Pictures and texts are shown and saved in newer ways."""

import json
from pathlib import Path

import pytest
import torch
from PIL import Image

from executor.folders import Folders
from executor.schema import InputError, RunInfo
from nodes.showing import AsPng, image_compare, save_image_advanced, save_text

RUN = RunInfo({"1": {"class_type": "ImageCompare", "inputs": {}}}, {"workflow": {"nodes": [1]}}, "1")
BLACK, WHITE = torch.zeros(1, 2, 3, 3), torch.ones(2, 2, 3, 3)


def levels(folder: Path, entries: list[dict[str, str]]) -> list[int]:
    return [Image.open(folder / entry["filename"]).getpixel((0, 0))[0] for entry in entries]


def test_two_pictures_are_shown_and_not_kept(folders: Folders) -> None:
    shown = image_compare(image_a=BLACK, image_b=WHITE, folders=folders, run=RUN).ui
    assert levels(folders.temp, shown["a_images"]) == [0]
    assert levels(folders.temp, shown["b_images"]) == [255, 255]
    assert not list(folders.output.iterdir())
    assert list(image_compare(image_b=WHITE, folders=folders, run=RUN).ui) == ["b_images"]
    assert image_compare(folders=folders, run=RUN).ui == {}


def test_pictures_are_saved_with_their_workflow_and_passed_on(folders: Folders) -> None:
    made = save_image_advanced(images=WHITE, filename_prefix="a/b", format=AsPng(), folders=folders, run=RUN)
    assert made.outputs == (WHITE,)
    assert [entry["filename"] for entry in made.ui["images"]] == ["b_00001_.png", "b_00002_.png"]
    with Image.open(folders.output / "a" / "b_00002_.png") as picture:
        assert json.loads(picture.text["prompt"]) == RUN.prompt


def test_a_text_is_saved_and_passed_on(folders: Folders) -> None:
    made = save_text(text="naïve\n✓", filename_prefix="Text/it", format="md", folders=folders)
    assert (made.outputs, made.ui["text"]) == (("naïve\n✓",), ["naïve\n✓"])
    assert (folders.output / "Text" / "it_00001_.md").read_text(encoding="utf-8") == "naïve\n✓"
    with pytest.raises(InputError, match="leads outside"):
        save_text(text="", filename_prefix="../../it", folders=folders)
