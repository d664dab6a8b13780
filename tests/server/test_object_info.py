"""Definitions in the shape that clients build their nodes from, compared with entries recorded from ComfyUI."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.schema import HIDDEN, FolderChoices, InputSocket, NodeDefinition, OutputSocket, Widget
from server.protocol.object_info import entry, object_info
from tests.server.conftest import Server

FILES = {"checkpoints": ["a.safetensors", "b.safetensors"], "input": ["cat.png"]}
SAMPLERS = ("euler", "heun")


def number(name: str, default: float, wire_type: str = "INT", **bounds: Any) -> InputSocket:
    return InputSocket(name, wire_type, Widget(bounds.pop("kind", "number"), **bounds), default)


def combo(name: str, *choices: str, default: str | None = None, **more: Any) -> InputSocket:
    given_default = {} if default is None else {"default": default}
    return InputSocket(name, "COMBO", Widget("combo", choices=choices), **given_default, **more)


def outputs(*types: str) -> tuple[OutputSocket, ...]:
    return tuple(OutputSocket(name, name) for name in types)


K_SAMPLER = NodeDefinition(
    "KSampler",
    (
        InputSocket("model", "MODEL"),
        number("seed", 0, kind="seed", min=0, max=2**64 - 1),
        number("steps", 20, min=1, max=10000),
        number("cfg", 8, "FLOAT", min=0, max=100, step=0.1, round=0.01),
        combo("sampler_name", *SAMPLERS, default="euler"),
        InputSocket("latent_image", "LATENT"),
    ),
    outputs("LATENT"),
    "sampling",
    "KSampler",
    injected={"progress": "Progress"},
)
TEXT = NodeDefinition(
    "CLIPTextEncode",
    (InputSocket("text", "STRING", Widget("text", multiline=True, dynamic_prompts=True)), InputSocket("clip", "CLIP")),
    outputs("CONDITIONING"),
    "conditioning",
    "CLIP Text Encode (Prompt)",
)
SAVE = NodeDefinition(
    "SaveImage",
    (InputSocket("images", "IMAGE"), InputSocket("filename_prefix", "STRING", Widget("text"), "ComfyUI")),
    (),
    "image",
    "Save Image",
    is_output=True,
    injected={"run": "RunInfo", "folders": "Folders"},
)
LOAD = NodeDefinition(
    "LoadImage",
    (InputSocket("image", "COMBO", Widget("combo", choices=FolderChoices("input"), upload="image")),),
    outputs("IMAGE", "MASK"),
    "image",
    "Load Image",
)
CHECKPOINT = NodeDefinition(
    "CheckpointLoaderSimple",
    (InputSocket("ckpt_name", "COMBO", Widget("combo", choices=FolderChoices("checkpoints"))),),
    outputs("MODEL", "CLIP", "VAE"),
    "loaders",
    "Load Checkpoint",
)
APPLY = NodeDefinition(
    "ControlNetApplyAdvanced",
    (
        InputSocket("positive", "CONDITIONING"),
        number("strength", 1, "FLOAT", min=0, max=10, step=0.01),
        InputSocket("vae", "VAE", required=False),
    ),
    (OutputSocket("positive", "CONDITIONING"), OutputSocket("negative", "CONDITIONING")),
    "conditioning/controlnet",
    "Apply ControlNet",
)


def recorded(inputs, order, output, names, display, category, *, output_node=False):
    """An entry as the peer gives it, less the keys that are ours to word."""
    return {
        "input": inputs,
        "input_order": order,
        "output": output,
        "output_is_list": [False] * len(output),
        "output_name": names,
        "display_name": display,
        "python_module": "nodes",
        "category": category,
        "output_node": output_node,
    }


CASES = [
    (
        K_SAMPLER,
        recorded(
            {
                "required": {
                    "model": ["MODEL", {}],
                    "seed": ["INT", {"default": 0, "min": 0, "max": 2**64 - 1, "control_after_generate": True}],
                    "steps": ["INT", {"default": 20, "min": 1, "max": 10000}],
                    "cfg": ["FLOAT", {"default": 8.0, "min": 0.0, "max": 100.0, "step": 0.1, "round": 0.01}],
                    "sampler_name": [["euler", "heun"], {}],
                    "latent_image": ["LATENT", {}],
                }
            },
            {"required": ["model", "seed", "steps", "cfg", "sampler_name", "latent_image"]},
            ["LATENT"],
            ["LATENT"],
            "KSampler",
            "sampling",
        ),
    ),
    (
        TEXT,
        recorded(
            {"required": {"text": ["STRING", {"multiline": True, "dynamicPrompts": True}], "clip": ["CLIP", {}]}},
            {"required": ["text", "clip"]},
            ["CONDITIONING"],
            ["CONDITIONING"],
            "CLIP Text Encode (Prompt)",
            "conditioning",
        ),
    ),
    (
        SAVE,
        recorded(
            {
                "required": {"images": ["IMAGE", {}], "filename_prefix": ["STRING", {"default": "ComfyUI"}]},
                "hidden": {"prompt": "PROMPT", "extra_pnginfo": "EXTRA_PNGINFO"},
            },
            {"required": ["images", "filename_prefix"], "hidden": ["prompt", "extra_pnginfo"]},
            [],
            [],
            "Save Image",
            "image",
            output_node=True,
        ),
    ),
    (
        LOAD,
        recorded(
            {"required": {"image": [["cat.png"], {"image_upload": True}]}},
            {"required": ["image"]},
            ["IMAGE", "MASK"],
            ["IMAGE", "MASK"],
            "Load Image",
            "image",
        ),
    ),
    (
        CHECKPOINT,
        recorded(
            {"required": {"ckpt_name": [["a.safetensors", "b.safetensors"], {}]}},
            {"required": ["ckpt_name"]},
            ["MODEL", "CLIP", "VAE"],
            ["MODEL", "CLIP", "VAE"],
            "Load Checkpoint",
            "loaders",
        ),
    ),
    (
        APPLY,
        recorded(
            {
                "required": {
                    "positive": ["CONDITIONING", {}],
                    "strength": ["FLOAT", {"default": 1.0, "min": 0.0, "max": 10.0, "step": 0.01}],
                },
                "optional": {"vae": ["VAE", {}]},
            },
            {"required": ["positive", "strength"], "optional": ["vae"]},
            ["CONDITIONING", "CONDITIONING"],
            ["positive", "negative"],
            "Apply ControlNet",
            "conditioning/controlnet",
        ),
    ),
]


@pytest.mark.parametrize(("definition", "expected"), CASES, ids=lambda case: getattr(case, "class_type", ""))
def test_a_definition_reads_as_the_recorded_entry(definition, expected):
    found = entry(definition, FILES.__getitem__)
    ours = {"name": definition.class_type, "description": ""}
    assert found == expected | ours
    assert [list(section) for section in found["input"].values()] == list(found["input_order"].values())


@pytest.mark.parametrize(
    ("socket", "expected"),
    [
        (InputSocket("a", "INT"), ["INT", {"forceInput": True}]),
        (InputSocket("a", "BOOLEAN", Widget("toggle"), False), ["BOOLEAN", {"default": False}]),
        (combo("a", "x", "y", default="y"), [["x", "y"], {"default": "y"}]),
        (combo("a"), [[], {}]),
        (number("a", 1, "FLOAT", kind="slider", max=1), ["FLOAT", {"default": 1.0, "max": 1.0, "display": "slider"}]),
        (InputSocket("a", "*", lazy=True, tooltip="why"), ["*", {"lazy": True, "tooltip": "why"}]),
        (InputSocket("a", "X", options={"rawLink": True}), ["X", {"rawLink": True}]),
        (number("a", 1, control_after_generate=True), ["INT", {"default": 1, "control_after_generate": True}]),
    ],
)
def test_an_input_shows_what_an_editor_needs(socket, expected):
    definition = NodeDefinition("N", (socket,), (), "", "N")
    assert entry(definition, FILES.__getitem__)["input"]["required"] == {"a": expected}


def test_marks_appear_only_where_they_are_set():
    plain = NodeDefinition("N", (), (), "", "N")
    assert entry(plain, FILES.__getitem__)["input"] == {"required": {}}
    assert not {"deprecated", "experimental", "is_input_list", "search_aliases", "api_node"} & set(
        entry(plain, FILES.__getitem__)
    )
    marked = NodeDefinition(
        "N", (), (), "", "N", deprecated=True, input_is_list=True, search_aliases=("x",), api_node=True
    )
    found = entry(marked, FILES.__getitem__)
    assert found["api_node"] is True
    assert (found["deprecated"], found["is_input_list"], found["search_aliases"]) == (True, True, ["x"])


@pytest.mark.parametrize("resource", HIDDEN)
def test_hidden_inputs_of_packs_keep_their_own_names(resource):
    definition = NodeDefinition("N", (), (), "", "N", injected={"mine": resource, "memory": "DeviceMemory"})
    found = entry(definition, FILES.__getitem__)
    assert found["input"]["hidden"] == {"mine": resource}
    assert found["input_order"] == {"required": [], "hidden": ["mine"]}


A = OutputSocket("a", "IMAGE")
TOLD = OutputSocket("b", "MASK", tooltip="What is kept.")
MATCHED = OutputSocket("c", "COMFY_MATCHTYPE_V3", matches="T")


@pytest.mark.parametrize(
    ("outputs", "tooltips", "matches"),
    [
        ((), None, None),
        ((A,), None, None),
        ((A, TOLD), [None, "What is kept."], None),
        ((MATCHED, A), None, ["T", None]),
        ((TOLD, MATCHED), ["What is kept.", None], [None, "T"]),
    ],
)
def test_outputs_tell_their_tooltips_and_the_inputs_that_they_match(outputs, tooltips, matches):
    found = entry(NodeDefinition("N", (), outputs, "", "N"), FILES.__getitem__)
    assert found.get("output_tooltips") == tooltips
    assert found.get("output_matchtypes") == matches


DYNAMIC = {
    "COMFY_AUTOGROW_V3": {"template": {"input": {"required": {"image": ["IMAGE", {}]}}, "prefix": "image", "min": 2}},
    "COMFY_DYNAMICCOMBO_V3": {"options": [{"key": "scale", "inputs": {"required": {"by": ["FLOAT", {"min": 0.5}]}}}]},
    "COMFY_MATCHTYPE_V3": {"template": {"template_id": "T", "allowed_types": "IMAGE,MASK"}},
    "COMFY_DYNAMICSLOT_V3": {"slotType": "IMAGE", "inputs": {"required": {"mask": ["MASK", {}]}}},
}


@pytest.mark.parametrize("wire_type", DYNAMIC)
def test_inputs_that_grow_keep_their_options_as_they_are(wire_type):
    socket = InputSocket("grows", wire_type, options=DYNAMIC[wire_type])
    found = entry(NodeDefinition("N", (socket,), (), "", "N"), FILES.__getitem__)
    assert found["input"]["required"]["grows"] == [wire_type, DYNAMIC[wire_type]]


def test_a_folder_is_listed_once_for_all_nodes():
    asked = []

    def choices(folder: str) -> list[str]:
        asked.append(folder)
        return FILES[folder]

    found = object_info({"a": CHECKPOINT, "b": CHECKPOINT, "c": LOAD}, choices)
    assert list(found) == ["a", "b", "c"]
    assert asked == ["checkpoints", "input"]


async def test_choices_are_the_files_of_the_moment(server: Server):
    async def choices():
        _, body = await server.get("/object_info/Load")
        _, everything = await server.get("/object_info")
        assert everything["Load"] == body["Load"]
        return body["Load"]["input"]["required"]["ckpt_name"][0]

    assert await choices() == []
    (server.folders.models["checkpoints"][0] / "new.safetensors").write_bytes(b"x")
    assert await choices() == ["new.safetensors"]


@given(
    st.lists(
        st.tuples(st.text(min_size=1, max_size=8), st.sampled_from(["INT", "FLOAT", "MODEL", "COMBO"]), st.booleans()),
        unique_by=lambda item: item[0],
        max_size=8,
    )
)
def test_no_input_is_lost_or_moved(items):
    sockets = tuple(
        combo(name, "x", required=required) if kind == "COMBO" else InputSocket(name, kind, required=required)
        for name, kind, required in items
    )
    found = entry(NodeDefinition("N", sockets, (), "", "N"), FILES.__getitem__)
    for section, required in (("required", True), ("optional", False)):
        assert found["input_order"].get(section, []) == [name for name, _, needed in items if needed is required]
