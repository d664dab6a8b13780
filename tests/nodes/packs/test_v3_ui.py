"""What V3 nodes show and save: pictures that carry their workflow, animations, sound, texts."""

import json
import wave

import pytest
from PIL import Image

from executor.folders import Folders
from executor.installation import make_folders
from tests.nodes.packs.v3_nodes import shims

PROMPT = {"7": {"class_type": "Toy", "inputs": {}}}
WORKFLOW = {"nodes": [], "name": "a café"}

SAVING = f"""
def save(show, hidden=(io.Hidden.prompt, io.Hidden.extra_pnginfo), **given):
    made = adapt(toy(schema(hidden=list(hidden)), lambda cls: io.NodeOutput(1, ui=show(cls))))
    around = {{"prompt": {PROMPT!r}, "extra_pnginfo": {{"workflow": {WORKFLOW!r}}}}}
    result = made.call(**{{name: around[name] for name in made.definition.injected}})
    return json.loads(json.dumps(result.ui))

pictures = torch.stack([torch.full((6, 8, 3), level) for level in (0.0, 1.0)])
Helper = ui.ImageSaveHelper
"""


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return tmp_path_factory.mktemp("base")


@pytest.fixture(scope="module")
def folders(base) -> Folders:
    return make_folders(base)


@pytest.fixture(scope="module")
def found(base):
    with shims(base) as run:
        yield lambda code: run(SAVING + code)


def opened(folders, entry):
    return Image.open(folders.resolve(entry["type"], entry["filename"], entry["subfolder"]))


def test_saved_pictures_are_numbered_and_carry_their_workflow(found, folders):
    show = 'save(lambda cls: Helper.get_save_images_ui(pictures, "of_%width%/cat", cls))'
    first, second = (found(f'found["ui"] = {show}')["ui"] for _ in range(2))
    assert first == {
        "images": [{"filename": f"cat_{number:05}_.png", "subfolder": "of_8", "type": "output"} for number in (1, 2)]
    }
    assert [entry["filename"] for entry in second["images"]] == ["cat_00003_.png", "cat_00004_.png"]
    with opened(folders, first["images"][1]) as picture:
        assert picture.size == (8, 6)
        assert picture.getpixel((0, 0)) == (255, 255, 255)
        assert json.loads(picture.text["prompt"]) == PROMPT
        assert json.loads(picture.text["workflow"]) == WORKFLOW


def test_a_node_that_knows_nothing_of_its_run_saves_pictures_without_texts(found, folders):
    shown = found('found["ui"] = save(lambda cls: Helper.get_save_images_ui(pictures, "bare", cls), hidden=())')["ui"]
    with opened(folders, shown["images"][0]) as picture:
        assert picture.text == {}


def test_previews_go_to_the_folder_for_what_is_soon_forgotten(found, folders):
    shown = found(
        """
found["image"] = save(lambda cls: ui.PreviewImage(pictures, cls=cls))
found["mask"] = save(lambda cls: ui.PreviewMask(torch.full((1, 6, 8), 0.5)))
found["again"] = save(lambda cls: ui.PreviewImage(pictures[:1], animated=True))
"""
    )
    assert [entry["type"] for entry in shown["image"]["images"]] == ["temp", "temp"]
    assert (shown["image"]["animated"], shown["again"]["animated"]) == ([False], [True])
    assert shown["again"]["images"][0]["filename"] != shown["image"]["images"][0]["filename"]
    with opened(folders, shown["image"]["images"][0]) as picture:
        assert json.loads(picture.text["prompt"]) == PROMPT
    with opened(folders, shown["mask"]["images"][0]) as picture:
        assert (picture.mode, picture.size, picture.getpixel((1, 1))) == ("RGB", (8, 6), (127, 127, 127))
        assert picture.text == {}


def test_an_animated_png_carries_its_workflow_behind_the_first_picture(found, folders):
    shown = found('found["ui"] = save(lambda cls: Helper.get_save_animated_png_ui(pictures, "moving", cls, 4.0, 4))')[
        "ui"
    ]
    assert shown["animated"] == [True]
    path = folders.resolve("output", shown["images"][0]["filename"])
    with Image.open(path) as picture:
        assert (picture.format, picture.n_frames, picture.info["duration"]) == ("PNG", 2, 250)
    content = path.read_bytes()
    at = content.index(b"comfprompt\0")
    assert content.index(b"IDAT") < at
    assert content[at:].startswith(b"comfprompt\0" + json.dumps(PROMPT).encode())


def test_an_animated_webp_carries_its_workflow_in_exif(found, folders):
    code = """
found["ui"] = save(
    lambda cls: Helper.get_save_animated_webp_ui(
        pictures, "moving", cls, fps=10.0, lossless=True, quality=80, method="fastest"
    )
)
"""
    shown = found(code)["ui"]
    with opened(folders, shown["images"][0]) as picture:
        assert (picture.format, picture.n_frames) == ("WEBP", 2)
        exif = picture.getexif()
        assert exif[0x0110] == f"prompt:{json.dumps(PROMPT)}"
        assert exif[0x010F] == f"workflow:{json.dumps(WORKFLOW)}"


def test_one_picture_is_no_animation_and_none_are_refused(found):
    seen = found(
        """
found["one"] = save(lambda cls: Helper.get_save_animated_png_ui(pictures[:1], "still", cls, 4.0, 4))
found["none"] = attempt(Helper.save_animated_png, pictures[:0], "still", io.FolderType.output, None, 4.0)
found["shape"] = attempt(Helper.save_images, torch.zeros(1, 2, 2, 2), "x", io.FolderType.output, None)
found["outside"] = attempt(Helper.save_images, pictures, "../x", io.FolderType.output, None)
"""
    )
    assert "animated" not in seen["one"]
    assert seen["none"] == "ValueError: 0 frames at 4.0 a second make no animation."
    assert seen["shape"].startswith("ValueError: Pictures have the shape (N, H, W, 3)")
    assert seen["outside"].startswith("PathError: ")


def test_sound_is_saved_as_wav_and_other_formats_are_refused(found, folders):
    seen = found(
        """
samples = torch.tensor([[[0.0, 1.0, -1.0], [0.5, -2.0, 2.0]]])
audio = {"waveform": samples, "sample_rate": 8000}
found["preview"] = save(lambda cls: ui.PreviewAudio(audio, cls=cls))
found["saved"] = save(lambda cls: ui.AudioSaveHelper.get_save_audio_ui(audio, "tone", cls, format="wav"))
found["flac"] = attempt(ui.AudioSaveHelper.save_audio, audio, "tone", io.FolderType.output, None)
"""
    )
    assert seen["preview"]["audio"][0]["type"] == "temp"
    assert seen["saved"] == {"audio": [{"filename": "tone_00001_.wav", "subfolder": "", "type": "output"}]}
    with wave.open(str(folders.resolve("output", "tone_00001_.wav"))) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate(), file.getnframes()) == (2, 2, 8000, 3)
        frames = file.readframes(3)
    values = [int.from_bytes(frames[i : i + 2], "little", signed=True) for i in range(0, 12, 2)]
    assert values == [0, 16384, 32767, -32767, -32767, 32767]
    assert seen["flac"] == (
        "AudioUnavailable: Heddle cannot write flac files; save the sound with format='wav' instead."
    )


def test_what_is_shown_has_the_shape_that_clients_know(found):
    seen = found(
        """
result = ui.SavedResult("a.mp4", "sub", io.FolderType.output)
found["video"] = save(lambda cls: ui.PreviewVideo([result]))
found["images"] = save(lambda cls: ui.SavedImages([result], is_animated=True))
found["text"] = save(lambda cls: ui.PreviewText("a text"))
found["3d"] = save(lambda cls: ui.PreviewUI3D("a.glb", {"zoom": 1}))
found["behind"] = save(lambda cls: ui.PreviewUI3D("a.glb", None, bg_image=pictures))
found["parts"] = [result.filename, result.subfolder, result.type.value]
"""
    )
    entry = {"filename": "a.mp4", "subfolder": "sub", "type": "output"}
    assert seen["video"] == seen["images"] == {"images": [entry], "animated": [True]}
    assert seen["text"] == {"text": ["a text"]}
    assert seen["3d"] == {"result": ["a.glb", {"zoom": 1}, None]}
    assert seen["behind"]["result"][2].startswith("temp/preview_")
    assert seen["parts"] == ["a.mp4", "sub", "output"]


def test_pictures_carry_no_texts_where_metadata_is_turned_off(tmp_path):
    with shims(tmp_path, {"disable_metadata": True}) as found:
        shown = found(SAVING + 'found["ui"] = save(lambda cls: ui.PreviewImage(pictures, cls=cls))')["ui"]
    with opened(make_folders(tmp_path), shown["images"][0]) as picture:
        assert picture.text == {}
