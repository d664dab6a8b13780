"""Both shapes of `/object_info` are read, and an input is written back as it was."""

import pytest

from executor.object_info import definition_from_object_info, input_from_info, input_info
from executor.schema import MISSING, FolderChoices, InputSocket, Widget

INPUTS = [
    ("seed", ["INT", {"default": 0, "min": 0, "max": 9, "control_after_generate": True}], "INT", "seed"),
    ("noise_seed", ["INT", {"default": 0}], "INT", "seed"),
    ("seed", ["INT", {"default": 0, "control_after_generate": False}], "INT", "number"),
    ("cfg", ["FLOAT", {"default": 8.0, "step": 0.1, "round": 0.01}], "FLOAT", "number"),
    ("denoise", ["FLOAT", {"default": 1.0, "display": "slider"}], "FLOAT", "slider"),
    ("color", ["INT", {"default": 0, "display": "color"}], "INT", "color"),
    ("text", ["STRING", {"multiline": True, "dynamicPrompts": True}], "STRING", "text"),
    ("text", ["STRING", {"forceInput": True}], "STRING", None),
    ("flag", ["BOOLEAN"], "BOOLEAN", "toggle"),
    ("name", [["a", "b"], {"default": "b"}], "COMBO", "combo"),
    ("name", [["a", "b"]], "COMBO", "combo"),
    ("name", ["COMBO", {"options": ["a", "b"], "multiselect": False}], "COMBO", "combo"),
    ("model", ["MODEL", {"tooltip": "What denoises."}], "MODEL", None),
    ("any", "*", "*", None),
    ("kind", ["COMFY_DYNAMICCOMBO_V3", {"options": [{"key": "a", "inputs": {}}]}], "COMFY_DYNAMICCOMBO_V3", None),
]


@pytest.mark.parametrize(("name", "entry", "kind", "widget"), INPUTS)
def test_inputs_are_read(name, entry, kind, widget):
    socket = input_from_info(name, entry, required=True)
    assert (socket.name, socket.type) == (name, kind)
    assert (socket.widget.kind if socket.widget else None) == widget
    options = entry[1] if isinstance(entry, list) and len(entry) > 1 else {}
    assert socket.default == options.get("default", MISSING)
    if kind == "COMBO":
        assert socket.widget.choices == ("a", "b")
    if "options" in options:
        assert socket.options["options"] == options["options"]


def test_a_raw_link_is_a_field_and_no_further_option():
    socket = input_from_info("a", ["MODEL", {"rawLink": True, "advanced": True}], required=True)
    assert socket.raw_link
    assert dict(socket.options) == {"advanced": True}


def test_outputs_know_the_template_that_they_match():
    info = {"output": ["COMFY_MATCHTYPE_V3", "INT"], "output_matchtypes": ["t", None]}
    assert [socket.matches for socket in definition_from_object_info("Switch", info).outputs] == ["t", None]


def test_a_definition_keeps_the_order_that_saved_workflows_rely_on():
    info = {
        "input": {
            "required": {"b": ["INT", {}], "a": ["INT", {}]},
            "optional": {"c": ["MODEL"]},
            "hidden": {"x": "PROMPT"},
        },
        "input_order": {"required": ["a", "b"], "optional": ["c"]},
        "output": ["IMAGE", ["x", "y"]],
        "output_name": ["picture", "choice"],
        "output_is_list": [False, True],
        "output_node": True,
        "display_name": "Thing maker",
        "category": "things",
        "deprecated": True,
    }
    definition = definition_from_object_info("MakeThing", info)
    assert [(socket.name, socket.required) for socket in definition.inputs] == [("a", True), ("b", True), ("c", False)]
    assert [(s.name, s.type, s.is_list) for s in definition.outputs] == [
        ("picture", "IMAGE", False),
        ("choice", "COMBO", True),
    ]
    assert (definition.class_type, definition.display_name, definition.category) == (
        "MakeThing",
        "Thing maker",
        "things",
    )
    assert definition.is_output
    assert definition.deprecated


BOUNDED = Widget("number", min=0, max=9, step=1)
LONG_TEXT = Widget("text", multiline=True, dynamic_prompts=True)
PICTURE = Widget("combo", choices=("x",), upload="image")
LORA = Widget("combo", choices=FolderChoices("loras"))

WRITTEN = [
    (InputSocket("a", "INT", BOUNDED, default=3), (), ["INT", {"default": 3, "min": 0, "max": 9, "step": 1}]),
    (InputSocket("a", "FLOAT", Widget("slider", max=2)), (), ["FLOAT", {"max": 2.0, "display": "slider"}]),
    (InputSocket("a", "INT", Widget("seed")), (), ["INT", {"control_after_generate": True}]),
    (InputSocket("a", "INT"), (), ["INT", {"forceInput": True}]),
    (InputSocket("a", "COMBO", PICTURE), ["x"], [["x"], {"image_upload": True}]),
    (InputSocket("a", "COMBO", LORA), ["l"], [["l"], {}]),
    (InputSocket("a", "COMBO", LORA, default="l"), ["l", "m"], [["l", "m"], {}]),
    (InputSocket("a", "COMBO", LORA, default="m"), ["l", "m"], [["l", "m"], {"default": "m"}]),
    (
        InputSocket("a", "COMBO", PICTURE, default="x", options={"multiselect": False, "options": ["x"]}),
        ["x", "y"],
        ["COMBO", {"default": "x", "image_upload": True, "multiselect": False, "options": ["x", "y"]}],
    ),
    (InputSocket("a", "COMBO", LORA, options={"remote": {}}), [], ["COMBO", {"remote": {}}]),
    (InputSocket("a", "STRING", LONG_TEXT), (), ["STRING", {"multiline": True, "dynamicPrompts": True}]),
    (InputSocket("a", "MODEL", tooltip="t", lazy=True), (), ["MODEL", {"lazy": True, "tooltip": "t"}]),
    (InputSocket("a", "MODEL", options={"rawLink": True}), (), ["MODEL", {"rawLink": True}]),
    (InputSocket("a", "MODEL", raw_link=True), (), ["MODEL", {"rawLink": True}]),
]


@pytest.mark.parametrize(("socket", "choices", "entry"), WRITTEN, ids=range(len(WRITTEN)))
def test_inputs_are_written_as_clients_know_them(socket, choices, entry):
    assert input_info(socket, choices) == entry
