"""Pictures come in with rotation and transparency, and go out whole, numbered, and carrying their workflow."""

import json
import resource
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from executor.folders import Folders
from executor.schema import InputError, RunInfo
from nodes.declare import Shown
from nodes.diffusion.values import Latent
from nodes.image import image_digest, load_image, load_image_output, output_digest, preview_image, save_image
from nodes.image_animation import save_animated_png, save_animated_webp
from nodes.latent import save_latent

RUN = RunInfo({"1": {"class_type": "SaveImage", "inputs": {}}}, {"workflow": {"nodes": [1], "text": "Grüße 猫"}}, "1")


def put(folders: Folders, name: str, picture: Image.Image, **options: object) -> str:
    picture.save(folders.input / name, **options)  # type: ignore[arg-type]
    return name


def test_colours_are_scaled_and_an_opaque_picture_has_an_empty_mask(folders: Folders) -> None:
    name = put(folders, "a.png", Image.new("RGB", (3, 2), (255, 0, 51)))
    image, mask = load_image(image=name, folders=folders)
    assert image.shape == (1, 2, 3, 3)
    assert image[0, 0, 0].tolist() == pytest.approx([1.0, 0.0, 0.2])
    assert mask.shape == (1, 2, 3)
    assert not mask.any()


def test_transparency_becomes_the_mask(folders: Folders) -> None:
    picture = Image.new("RGBA", (2, 1), (10, 20, 30, 255))
    picture.putpixel((1, 0), (10, 20, 30, 51))
    _, mask = load_image(image=put(folders, "a.png", picture), folders=folders)
    assert mask.flatten().tolist() == pytest.approx([0.0, 0.8])


def test_a_transparent_palette_colour_becomes_the_mask(folders: Folders) -> None:
    picture = Image.new("P", (2, 1))
    picture.putpalette([255, 0, 0, 0, 255, 0])
    picture.putpixel((1, 0), 1)
    image, mask = load_image(image=put(folders, "a.png", picture, transparency=1), folders=folders)
    assert mask.flatten().tolist() == [0.0, 1.0]
    assert image[0, 0, 0].tolist() == [1.0, 0.0, 0.0]


def test_a_rotated_photograph_stands_upright(folders: Folders) -> None:
    picture = Image.new("RGB", (4, 2))
    exif = picture.getexif()
    exif[0x0112] = 6
    image, _ = load_image(image=put(folders, "a.jpg", picture, exif=exif), folders=folders)
    assert image.shape == (1, 4, 2, 3)


def test_sixteen_bit_grey_keeps_its_range(folders: Folders) -> None:
    picture = Image.fromarray(np.array([[0, 32768, 65535]], dtype=np.uint16))
    image, _ = load_image(image=put(folders, "a.png", picture), folders=folders)
    assert image[0, 0, :, 1].tolist() == pytest.approx([0.0, 0.5, 1.0], abs=0.005)


def test_the_frames_of_an_animation_are_a_batch(folders: Folders) -> None:
    frames = [Image.new("RGB", (2, 2), colour) for colour in ("red", "lime", "blue")]
    image, mask = load_image(
        image=put(folders, "a.gif", frames[0], save_all=True, append_images=frames[1:]), folders=folders
    )
    assert image[:, 0, 0].tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 1]]
    assert mask.shape == (3, 2, 2)


def test_the_digest_follows_the_content(folders: Folders) -> None:
    put(folders, "a.png", Image.new("RGB", (2, 2)))
    first = image_digest(image="a.png", folders=folders)
    assert image_digest(image="a.png", folders=folders) == first
    put(folders, "a.png", Image.new("RGB", (2, 2), "red"))
    assert image_digest(image="a.png", folders=folders) != first
    with pytest.raises(ValueError, match=r"'gone\.png' is not in the input folder"):
        image_digest(image="gone.png", folders=folders)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("text.png", b"this is no picture", "'text.png' is no readable picture: its format is not known."),
        ("cut.png", None, "'cut.png' is no readable picture"),
        ("empty.jpg", b"", "'empty.jpg' is no readable picture"),
        ("../secret.png", None, "leads outside its folder"),
        ("gone.png", None, "There is no picture 'gone.png'"),
    ],
)
def test_what_is_no_picture_is_refused_by_name(
    folders: Folders, name: str, content: bytes | None, message: str
) -> None:
    if name == "cut.png":
        noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
        whole = folders.input / put(folders, name, Image.fromarray(noise))
        content = whole.read_bytes()[:5000]
    if content is not None:
        (folders.input / name).write_bytes(content)
    with pytest.raises(InputError) as caught:
        load_image(image=name, folders=folders)
    assert message in str(caught.value)
    assert caught.value.input_name == "image"


def save(folders: Folders, prefix: str, count: int = 1) -> list[str]:
    shown = save_image(images=torch.rand(count, 8, 16, 3), filename_prefix=prefix, folders=folders, run=RUN)
    assert isinstance(shown, Shown)
    entries = shown.ui["images"]
    assert all(entry["type"] == "output" for entry in entries)
    return [f"{entry['subfolder']}/{entry['filename']}" for entry in entries]


def test_saved_pictures_are_numbered_on_across_runs(folders: Folders) -> None:
    assert save(folders, "cat", 2) == ["/cat_00001_.png", "/cat_00002_.png"]
    assert save(folders, "cat") == ["/cat_00003_.png"]
    (folders.output / "cat_00041_.png").touch()
    (folders.output / "cat_black_00099_.png").touch()
    assert save(folders, "cat") == ["/cat_00042_.png"]
    assert save(folders, "dog") == ["/dog_00001_.png"]
    assert not list(folders.output.glob(".*"))


@pytest.mark.parametrize(
    ("prefix", "expected"),
    [
        ("a/b/cat", ["a/b/cat_00001_.png", "a/b/cat_00002_.png"]),
        ("%width%x%height%", ["/16x8_00001_.png", "/16x8_00002_.png"]),
        ("n%batch_num%", ["/n0_00001_.png", "/n1_00002_.png"]),
        ("a/../cat", ["/cat_00001_.png", "/cat_00002_.png"]),
        ("50% [x] (1)+", ["/50% [x] (1)+_00001_.png", "/50% [x] (1)+_00002_.png"]),
    ],
)
def test_a_prefix_names_subfolder_and_file(folders: Folders, prefix: str, expected: list[str]) -> None:
    assert save(folders, prefix, 2) == expected
    assert all((folders.output / name.lstrip("/")).is_file() for name in expected)


def test_dates_are_filled_in(folders: Folders) -> None:
    (name,) = save(folders, "%year%-%month%-%day%_%hour%%minute%%second%")
    date, _ = name.lstrip("/").split("_", 1)
    assert [len(part) for part in date.split("-")] == [4, 2, 2]
    assert "%" not in name


@pytest.mark.parametrize("prefix", ["../out", "/etc/out", "a/../../out", "", "folder/", "C:/out"])
def test_nothing_is_written_outside_the_output_folder(folders: Folders, prefix: str) -> None:
    before = sorted(folders.output.parent.rglob("*"))
    with pytest.raises(InputError) as caught:
        save(folders, prefix)
    assert caught.value.input_name == "filename_prefix"
    assert sorted(folders.output.parent.rglob("*")) == before


def test_a_saved_picture_carries_prompt_and_workflow_and_its_pixels(folders: Folders) -> None:
    pixels = torch.rand(1, 8, 16, 3)
    save_image(images=pixels, filename_prefix="cat", folders=folders, run=RUN)
    path = folders.output / "cat_00001_.png"
    with Image.open(path) as opened:
        assert isinstance(opened.info, dict)
        assert json.loads(opened.info["prompt"]) == RUN.prompt
        assert json.loads(opened.info["workflow"]) == RUN.extra_pnginfo["workflow"]
        saved = torch.from_numpy(np.array(opened)).float() / 255
    assert float((saved - pixels[0]).abs().max()) <= 1 / 255
    assert path.stat().st_mode & 0o444 == 0o444, "other users of the machine may look at it, as the umask allows"


def test_a_preview_lies_in_the_temporary_folder_under_a_new_name_each_time(folders: Folders) -> None:
    names = set()
    for _ in range(2):
        shown = preview_image(images=torch.rand(1, 8, 8, 3), folders=folders, run=RUN)
        (entry,) = shown.ui["images"]
        assert entry["type"] == "temp"
        assert (folders.temp / entry["filename"]).is_file()
        names.add(entry["filename"])
    assert len(names) == 2
    assert not any(folders.output.iterdir())


def test_a_disk_that_takes_no_more_is_reported_and_leaves_no_half_file(folders: Folders) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, hard))
    try:
        with pytest.raises(InputError, match="cannot be written: File too large"):
            save(folders, "cat")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not any(folders.output.iterdir())


def test_a_saved_picture_is_loaded_from_the_output_folder(folders: Folders) -> None:
    for place, level in ((folders.input, 0), (folders.output, 255)):
        Image.new("RGB", (2, 1), (level,) * 3).save(place / "a.png")
    for name, level in {"a.png": 1.0, "a.png [output]": 1.0, "a.png [input]": 0.0}.items():
        assert load_image_output(image=name, folders=folders).IMAGE.unique().tolist() == [level]
    assert output_digest(image="a.png", folders=folders) != output_digest(image="a.png [input]", folders=folders)
    with pytest.raises(InputError, match=r"There is no picture 'b\.png' in its folder"):
        load_image_output(image="b.png", folders=folders)


def test_nothing_that_is_saved_says_how_it_was_made_where_nobody_wants_that(folders: Folders) -> None:
    silent = replace(RUN, saves_metadata=False)
    image = torch.zeros(1, 8, 8, 3)
    save_image(images=image, filename_prefix="a", folders=folders, run=silent)
    save_animated_png(images=image, filename_prefix="b", folders=folders, run=silent)
    save_animated_webp(images=image, filename_prefix="c", method="default", folders=folders, run=silent)
    save_latent(samples=Latent(torch.zeros(1, 4, 1, 1)), filename_prefix="d", folders=folders, run=silent)
    saved = sorted(folders.output.iterdir())
    assert [path.suffix for path in saved] == [".png", ".png", ".webp", ".latent"]
    for path in saved:
        assert b"SaveImage" not in path.read_bytes()
        assert b"workflow" not in path.read_bytes()
