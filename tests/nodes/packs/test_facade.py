"""Built-in nodes as classes: their shape, and that calling them by their public names does what the node does."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import pytest
import torch
from PIL import Image as Pictures

from executor.context import ExecutingContext, executing
from executor.folders import Folders
from executor.progress import Progress
from executor.schema import FolderChoices, Injected, NodeType, Result, RunInfo, Widget
from nodes.builtin import builtin_nodes
from nodes.declare import Shown, node
from nodes.diffusion.memory.device import DeviceMemory
from nodes.diffusion.values import Condition, Latent
from nodes.packs.facade import facade_class, missing_class
from nodes.packs.facade_names import CHOICES, METHODS, ORDERS
from nodes.packs.saving import saving_classes
from nodes.packs.surroundings import Surroundings, make_surroundings
from tests.nodes.conftest import Watcher


class Both(NamedTuple):
    """Outputs of the toy node."""

    text: str
    count: int


@node("Toy", category="toys", display_name="A Toy")
def toy(
    *,
    text: str,
    mode: Literal["loud", "quiet"],
    file: Annotated[str, Widget("combo", choices=FolderChoices("loras"))] = "one.safetensors",
    times: Annotated[int, Widget("number", min=1, max=9)] = 2,
    suffix: str | None = None,
    progress: Injected[Progress],
    run: Injected[RunInfo],
) -> Both:
    """Says something."""
    progress.step(1, 2)
    said = text.upper() if mode == "loud" else text
    return Both(f"{said * times}{suffix or ''}{file[0]}{run.node_id}{run.prompt}", times)


@node("ToyShow", category="toys", is_output=True)
def toy_show(*, text: str) -> Shown:
    """Shows something."""
    return Shown({"text": [text]})


@node("ToyLater", category="toys", lane="loop")
async def toy_later(*, text: str) -> str:
    """Answers on the loop."""
    return text


@node("ToyNeedy", category="toys")
def toy_needy(*, resource: Injected[dict]) -> str:  # type: ignore[type-arg]
    """Needs what is not there."""
    return str(resource)


def type_of(function: Any) -> NodeType:
    made: NodeType = function.node_type
    return made


@pytest.fixture
def around(tmp_path: Path, memory: DeviceMemory) -> Surroundings:
    for place in ("input", "output", "temp", "user", "loras"):
        (tmp_path / place).mkdir()
    (tmp_path / "loras" / "one.safetensors").touch()
    places = [tmp_path / place for place in ("input", "output", "temp", "user")]
    folders = Folders(*places, {"loras": (tmp_path / "loras",)})
    return make_surroundings(folders, builtin_nodes(), {"DeviceMemory": memory})


@pytest.fixture
def toys(around: Surroundings) -> Any:
    return facade_class(type_of(toy), around)


def test_a_class_has_the_v1_shape_of_its_definition(toys: Any) -> None:
    assert toys.INPUT_TYPES() == {
        "required": {
            "text": ("STRING", {}),
            "mode": (["loud", "quiet"], {}),
            "file": (["one.safetensors"], {}),
            "times": ("INT", {"default": 2, "min": 1, "max": 9}),
        },
        "optional": {"suffix": ("STRING", {})},
        "hidden": {"prompt": "PROMPT", "extra_pnginfo": "EXTRA_PNGINFO"},
    }
    assert (toys.RETURN_TYPES, toys.RETURN_NAMES) == (("STRING", "INT"), ("text", "count"))
    assert (toys.CATEGORY, toys.OUTPUT_NODE, toys.DESCRIPTION) == ("toys", False, "Says something.")
    assert toys.__name__ == "Toy"


@pytest.mark.parametrize("class_type", CHOICES)
def test_a_class_shows_its_choices_as_lists_that_inputs_of_packs_take(class_type: str, around: Surroundings) -> None:
    made: Any = facade_class(around.node_types[class_type], around)
    required = made.INPUT_TYPES()["required"]
    for attribute, name in CHOICES[class_type].items():
        assert getattr(made, attribute) == list(required[name][0])


@pytest.mark.parametrize(
    ("values", "named", "expected"),
    [
        pytest.param(("a", "loud"), {}, ("AAo{}", 2), id="by position, the rest by default"),
        pytest.param((), {"mode": "quiet", "text": "a", "times": 3}, ("aaao{}", 3), id="by name"),
        pytest.param(("a",), {"mode": "quiet", "suffix": None}, ("aao{}", 2), id="an optional input that is None"),
        pytest.param(("a", "quiet"), {"suffix": "!", "prompt": {"1": 2}}, ("aa!o{'1': 2}", 2), id="hidden inputs"),
    ],
)
def test_arguments(values: Sequence[Any], named: Mapping[str, Any], expected: tuple[Any, ...], toys: Any) -> None:
    assert getattr(toys(), toys.FUNCTION)(*values, **named) == expected
    assert toys.execute(*values, **named).args == expected, "newer nodes are called on the class"


@pytest.mark.parametrize(
    ("values", "named", "expected"),
    [
        (("a",), {}, "Toy was not given mode."),
        (("a", "loud"), {"text": "b"}, "Toy was given 'text' by position and by name."),
        (("a", "loud"), {"colour": "b"}, "Toy has no input 'colour'; it has text, mode, file, times, suffix, prompt,"),
        (tuple("abcdefgh"), {}, "Toy takes 7 arguments"),
    ],
)
def test_arguments_that_do_not_fit(values: Any, named: Any, expected: str, toys: Any) -> None:
    with pytest.raises(TypeError) as raised:
        toys().execute(*values, **named)
    assert str(raised.value).startswith(expected)


def test_a_node_that_takes_any_name_is_given_it(around: Surroundings) -> None:
    def call(**inputs: Any) -> Result:
        return Result((repr(inputs),))

    definition = replace(type_of(toy_later).definition, accepts="any", lane="thread")
    wide: Any = facade_class(NodeType(definition, call), around)
    assert wide.execute("a", other=1) == ("{'text': 'a', 'other': 1}",)


def test_a_call_inside_a_run_reports_to_that_run(toys: Any, watcher: Watcher) -> None:
    token = executing.set(ExecutingContext("job", "7", 0, watcher, []))
    try:
        assert toys().execute("a", "quiet") == ("aao7{}", 2)
    finally:
        executing.reset(token)
    assert watcher.steps == [(1, 2)]


def test_a_resource_that_is_not_there_is_named(around: Surroundings) -> None:
    with pytest.raises(LookupError, match="ToyNeedy needs the resource 'dict'"):
        facade_class(type_of(toy_needy), around).execute()  # type: ignore[attr-defined]


async def test_what_a_node_shows_and_when_it_answers(around: Surroundings) -> None:
    show: Any = facade_class(type_of(toy_show), around)
    assert show().execute("x") == {"ui": {"text": ["x"]}, "result": ()}
    later: Any = facade_class(type_of(toy_later), around)
    assert await later().execute("x") == ("x",)


def test_every_public_name_takes_the_inputs_of_its_node() -> None:
    for class_type, order in ORDERS.items():
        if class_type in (known := builtin_nodes()):
            assert sorted(order) == sorted(socket.name for socket in known[class_type].definition.inputs), class_type
    assert ORDERS.keys() <= METHODS.keys()


def classes(around: Surroundings) -> Any:
    """The classes of all built-in nodes, by name."""
    made = {name: facade_class(node_type, around) for name, node_type in around.node_types.items()}
    return made | saving_classes(around)


def test_latents_and_pictures_cross_as_packs_know_them(around: Surroundings) -> None:
    known = classes(around)
    (latent,) = known["EmptyLatentImage"]().generate(64, 32)
    assert latent["samples"].shape == (1, 4, 4, 8)
    (larger,) = known["LatentUpscaleBy"]().upscale(latent, "nearest-exact", 2.0)
    assert larger["samples"].shape == (1, 4, 8, 16)
    (scaled,) = known["ImageScale"]().upscale(torch.zeros(1, 4, 4, 3), "bilinear", 8, 6, "disabled")
    assert scaled.shape == (1, 6, 8, 3)
    one, two = ([[torch.ones(1, 1, 4) * n, {"pooled_output": torch.zeros(1, 4)}]] for n in (1, 2))
    (both,) = known["ConditioningCombine"]().combine(one, two)
    assert [float(tokens[0, 0, 0]) for tokens, _ in both] == [1.0, 2.0]


def test_a_class_can_be_subclassed(around: Surroundings) -> None:
    base: Any = classes(around)["EmptyLatentImage"]

    class Twice(base):  # type: ignore[misc]
        def generate(self, width: int, height: int) -> Any:
            return super().generate(width * 2, height, batch_size=3)

    assert Twice().generate(64, 64)[0]["samples"].shape == (3, 4, 8, 16)
    assert "width" in Twice.INPUT_TYPES()["required"]


def test_the_file_that_a_node_reads_is_its_is_changed(around: Surroundings) -> None:
    loader = classes(around)["LoadImage"]
    path = around.folders.input / "a.png"
    Pictures.new("RGB", (2, 2)).save(path)
    before = loader.IS_CHANGED(image="a.png")
    Pictures.new("RGB", (2, 2), "red").save(path)
    assert before != loader.IS_CHANGED(image="a.png")
    assert loader.IS_CHANGED("a.png") == loader.IS_CHANGED(image="a.png")
    picture, mask = loader().load_image("a.png")
    assert (picture.shape, mask.shape) == ((1, 2, 2, 3), (1, 2, 2))


def saved_texts(around: Surroundings, place: str, shown: Mapping[str, str]) -> dict[str, Any]:
    """The text chunks of a picture that a node showed."""
    with Pictures.open(around.folders.resolve(place, shown["filename"], shown["subfolder"])) as opened:
        return dict(opened.info)


def test_pictures_are_saved_as_the_object_says(around: Surroundings) -> None:
    known = classes(around)
    images, workflow = torch.zeros(2, 4, 4, 3), {"workflow": {"nodes": []}}
    shown = known["SaveImage"]().save_images(images, "p/cat", {"1": {}}, workflow)["ui"]["images"]
    assert [one["filename"] for one in shown] == ["cat_00001_.png", "cat_00002_.png"]
    assert {(one["subfolder"], one["type"]) for one in shown} == {("p", "output")}
    assert saved_texts(around, "output", shown[0]) == {"prompt": '{"1": {}}', "workflow": '{"nodes": []}'}

    class Preview(known["SaveImage"]):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            self.output_dir, self.type = str(around.folders.temp), "temp"
            self.prefix_append, self.compress_level = "_mine", 1

    (entry,) = Preview().save_images(images[:1])["ui"]["images"]
    assert entry == {"filename": "ComfyUI_mine_00001_.png", "subfolder": "", "type": "temp"}
    assert saved_texts(around, "temp", entry) == {}

    preview = known["PreviewImage"]
    assert issubclass(preview, known["SaveImage"])
    assert list(preview.INPUT_TYPES()["required"]) == ["images"]
    (entry,) = preview().save_images(images[:1])["ui"]["images"]
    assert entry["filename"].startswith("ComfyUI_temp_")
    assert entry["type"] == "temp"


def test_a_node_that_is_not_there_says_so_when_it_is_used() -> None:
    missing: Any = missing_class("LoraLoader")
    for use in (missing().load_lora, missing.INPUT_TYPES):
        with pytest.raises(RuntimeError, match="the built-in node LoraLoader, which Heddle does not have yet"):
            use()


def test_bridged_values_come_back_as_ours(around: Surroundings) -> None:
    """A facade's result, taken as ours again, is what the node itself gives."""
    from nodes.packs import bridge

    (latent,) = classes(around)["EmptyLatentImage"]().generate(64, 64)
    ours = bridge.from_pack(latent, "LATENT")
    assert isinstance(ours, Latent)
    condition = Condition(torch.zeros(1, 2, 4), torch.zeros(1, 4))
    assert bridge.from_pack(bridge.to_pack((condition,)), "CONDITIONING")[0].tokens.shape == (1, 2, 4)
