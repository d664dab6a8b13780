"""Moving pictures: what Pillow alone reads back from them."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image, ImageSequence

from executor.folders import Folders
from executor.schema import InputError, RunInfo
from nodes.image_animation import save_animated_png, save_animated_webp

FRAMES = torch.stack([torch.full((6, 8, 3), level) for level in (0.0, 0.4, 1.0)])
RUN = RunInfo({"1": {"class_type": "Ünïcode ✓", "inputs": {}}}, {"workflow": {"nodes": ["naïve"]}, "more": 1}, "9")


def folders(tmp_path: Path) -> Folders:
    return Folders(tmp_path / "in", tmp_path / "out", tmp_path / "temp", tmp_path / "user", {})


def opened(tmp_path: Path, shown: Any) -> Image.Image:
    (entry,) = shown.ui["images"]
    assert shown.ui["animated"] == [True]
    assert entry["type"] == "output"
    return Image.open(tmp_path / "out" / entry["subfolder"] / entry["filename"])


def levels(picture: Image.Image) -> list[int]:
    return [frame.convert("RGB").getpixel((3, 3))[0] for frame in ImageSequence.Iterator(picture)]


def test_an_animated_png_has_its_frames_its_rate_and_the_workflow(tmp_path: Path) -> None:
    shown = save_animated_png(
        images=FRAMES, filename_prefix="moving/it_%width%", fps=4.0, folders=folders(tmp_path), run=RUN
    )
    assert shown.ui["images"] == [{"filename": "it_8_00001_.png", "subfolder": "moving", "type": "output"}]
    with opened(tmp_path, shown) as picture:
        assert (picture.n_frames, picture.size, picture.info["duration"]) == (3, (8, 6), 250)
        assert levels(picture) == [0, 102, 255]
        texts = {}
        content = Path(picture.filename).read_bytes()
    place = 8
    kinds = []
    while place < len(content):
        length, kind = int.from_bytes(content[place : place + 4], "big"), content[place + 4 : place + 8]
        kinds.append(kind)
        if kind == b"comf":
            name, value = content[place + 8 : place + 8 + length].split(b"\0", 1)
            texts[name.decode()] = json.loads(value)
        place += 12 + length
    assert texts == {"prompt": RUN.prompt, **RUN.extra_pnginfo}
    assert kinds.index(b"IDAT") < kinds.index(b"comf")


@pytest.mark.parametrize(("lossless", "method"), [(True, "default"), (True, "fastest"), (False, "slowest")])
def test_an_animated_webp_has_its_frames_its_rate_and_the_workflow(tmp_path: Path, lossless, method) -> None:
    shown = save_animated_webp(
        images=FRAMES, fps=10.0, lossless=lossless, quality=90, method=method, folders=folders(tmp_path), run=RUN
    )
    with opened(tmp_path, shown) as picture:
        assert (picture.n_frames, picture.size) == (3, (8, 6))
        assert levels(picture) == (
            [0, 102, 255] if lossless else [pytest.approx(level, abs=6) for level in (0, 102, 255)]
        )
        exif = picture.getexif()
        picture.seek(1)
        picture.load()
        assert picture.info["duration"] == 100
    texts = {tag: exif[tag].partition(":") for tag in (0x0110, 0x010F, 0x010E)}
    assert {tag: name for tag, (name, _, _) in texts.items()} == {0x0110: "prompt", 0x010F: "workflow", 0x010E: "more"}
    assert [json.loads(value) for _, _, value in texts.values()] == [RUN.prompt, {"nodes": ["naïve"]}, 1]


def test_one_frame_is_an_animation_too_and_a_bad_prefix_is_named(tmp_path: Path) -> None:
    for save, suffix in ((save_animated_png, ".png"), (save_animated_webp, ".webp")):
        rest = {"method": "default"} if suffix == ".webp" else {}
        shown = save(images=FRAMES[:1], folders=folders(tmp_path), run=RUN, **rest)
        with opened(tmp_path, shown) as picture:
            assert levels(picture) == [0]
        with pytest.raises(InputError) as caught:
            save(images=FRAMES, filename_prefix="../out", folders=folders(tmp_path), run=RUN, **rest)
        assert caught.value.input_name == "filename_prefix"
