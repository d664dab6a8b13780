"""V3 schemas in the words of `/object_info`, equal to entries recorded from ComfyUI 0.8.0, and as definitions."""

import json
from pathlib import Path

import pytest

from executor.schema import MISSING, OutputSocket, Widget
from server.protocol.object_info import entry
from tests.nodes.packs.v3_nodes import shims


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    with shims(tmp_path_factory.mktemp("base")) as run:
        yield run


DATA = Path(__file__).parents[1] / "data"
RECORDED = {
    name: entry
    for file in ("v3_nodes.json", "dynamic_nodes.json")
    for name, entry in json.loads((DATA / file).read_text()).items()
}

SCHEMAS = """
def number(name, default, low, high, **more):
    return io.Int.Input(name, default=default, min=low, max=high, **more)

def side(name, default=512):
    return number(name, default, 0, 16384, step=1)

def crop():
    return io.Combo.Input("crop", options=["disabled", "center"], default="center")

def factor(name, high):
    return io.Float.Input(name, default=1.0, min=0.01, max=high, step=0.01)

switch = io.MatchType.Template("switch")
kind = io.MatchType.Template("input_type", allowed_types=[io.Image, io.Mask])
Option = io.DynamicCombo.Option
extras = "comfy_extras.nodes_"
schemas = {
    "logic": io.Schema(
        node_id="ComfySwitchNode", display_name="Switch", category="logic", is_experimental=True,
        inputs=[
            io.Boolean.Input("switch"),
            io.MatchType.Input("on_false", template=switch, lazy=True),
            io.MatchType.Input("on_true", template=switch, lazy=True),
        ],
        outputs=[io.MatchType.Output(template=switch, display_name="output")],
    ),
    "mask": io.Schema(
        node_id="MaskPreview", display_name="Preview Mask", category="mask", is_output_node=True,
        inputs=[io.Mask.Input("mask")], hidden=[io.Hidden.prompt, io.Hidden.extra_pnginfo],
    ),
    "custom_sampler": io.Schema(
        node_id="SamplerCustom", category="sampling/custom_sampling",
        inputs=[
            io.Model.Input("model"),
            io.Boolean.Input("add_noise", default=True),
            number("noise_seed", 0, 0, 2**64 - 1, control_after_generate=True),
            io.Float.Input("cfg", default=8.0, min=0.0, max=100.0, step=0.1, round=0.01),
            io.Conditioning.Input("positive"),
            io.Conditioning.Input("negative"),
            io.Sampler.Input("sampler"),
            io.Sigmas.Input("sigmas"),
            io.Latent.Input("latent_image"),
        ],
        outputs=[io.Latent.Output(display_name="output"), io.Latent.Output(display_name="denoised_output")],
    ),
    "wanmove": io.Schema(
        node_id="WanMoveTracksFromCoords", category="conditioning/video_models",
        inputs=[
            io.String.Input("track_coords", force_input=True, default="[]", optional=True),
            io.Mask.Input("track_mask", optional=True),
        ],
        outputs=[io.Tracks.Output(), io.Int.Output(display_name="track_length")],
    ),
    "lt_audio": io.Schema(
        node_id="LTXVEmptyLatentAudio", display_name="LTXV Empty Latent Audio", category="latent/audio",
        inputs=[
            number("frames_number", 97, 1, 1000, step=1, display_mode=io.NumberDisplay.number),
            number("frame_rate", 25, 1, 1000, step=1, display_mode=io.NumberDisplay.number),
            number("batch_size", 1, 1, 4096, display_mode=io.NumberDisplay.number),
            io.Vae.Input("audio_vae", display_name="Audio VAE"),
        ],
        outputs=[io.Latent.Output(display_name="Latent")],
    ),
    "load_3d": io.Schema(
        node_id="Load3D", display_name="Load 3D & Animation", category="3d", is_experimental=True,
        inputs=[
            io.Combo.Input("model_file", options=[], upload=io.UploadType.model),
            io.Load3D.Input("image"),
            number("width", 1024, 1, 4096, step=1),
            number("height", 1024, 1, 4096, step=1),
        ],
        outputs=[
            one.Output(display_name=name)
            for one, name in [
                (io.Image, "image"), (io.Mask, "mask"), (io.String, "mesh_path"), (io.Image, "normal"),
                (io.Load3DCamera, "camera_info"), (io.Video, "recording_video"),
            ]
        ],
    ),
    "images": io.Schema(
        node_id="GetImageSize", display_name="Get Image Size", category="image",
        inputs=[io.Image.Input("image")], hidden=[io.Hidden.unique_id],
        outputs=[io.Int.Output(display_name=name) for name in ("width", "height", "batch_size")],
    ),
    "post_processing": io.Schema(
        node_id="BatchImagesNode", display_name="Batch Images", category="image",
        inputs=[
            io.Autogrow.Input(
                "images", template=io.Autogrow.TemplatePrefix(io.Image.Input("image"), prefix="image", min=2, max=50)
            )
        ],
        outputs=[io.Image.Output()],
    ),
    "post_processing ": io.Schema(
        node_id="ResizeImageMaskNode", display_name="Resize Image/Mask", category="transform",
        inputs=[
            io.MatchType.Input("input", template=kind),
            io.DynamicCombo.Input(
                "resize_type",
                options=[
                    Option("scale by multiplier", [factor("multiplier", 8.0)]),
                    Option("scale dimensions", [side("width"), side("height"), crop()]),
                    Option("scale longer dimension", [side("longer_size")]),
                    Option("scale shorter dimension", [side("shorter_size")]),
                    Option("scale width", [side("width")]),
                    Option("scale height", [side("height")]),
                    Option("scale total pixels", [factor("megapixels", 16.0)]),
                    Option("match size", [io.MultiType.Input("match", [io.Image, io.Mask]), crop()]),
                ],
            ),
            io.Combo.Input(
                "scale_method", options=["nearest-exact", "bilinear", "area", "bicubic", "lanczos"], default="area"
            ),
        ],
        outputs=[io.MatchType.Output(template=kind, display_name="resized")],
    ),
}
for module, one in schemas.items():
    cls = toy(one)
    cls.RELATIVE_PYTHON_MODULE = extras + module.strip()
    found[one.node_id] = cls.GET_NODE_INFO_V1().as_dict(), cls.INPUT_TYPES(), adapt(cls).definition
"""


@pytest.fixture(scope="module")
def schemas(found):
    return found(SCHEMAS)


@pytest.mark.parametrize("name", RECORDED)
def test_a_schema_reads_as_the_recorded_entry_of_its_node(schemas, name):
    said, input_types, _ = schemas[name]
    recorded = RECORDED[name]
    assert {key: said[key] for key in recorded} == recorded
    assert input_types == recorded["input"]
    assert set(said) - set(recorded) <= {"description", "output_tooltips", "search_aliases"}


@pytest.mark.parametrize("name", RECORDED)
def test_the_definition_says_what_the_entry_says(schemas, name):
    definition, recorded = schemas[name][2], RECORDED[name]
    sections = recorded["input"]
    given = {**sections["required"], **sections.get("optional", {})}
    assert [socket.name for socket in definition.inputs] == list(given)
    for socket in definition.inputs:
        kind, options = given[socket.name]
        assert socket.type == kind
        assert socket.required == (socket.name in sections["required"])
        assert socket.default == options.get("default", MISSING)
        assert socket.lazy == options.get("lazy", False)
        own = ("default", "lazy")
        assert dict(socket.options) == {key: value for key, value in options.items() if key not in own}
    assert definition.injected == {key: value[0] for key, value in sections.get("hidden", {}).items()}
    matches = recorded["output_matchtypes"] or [None] * len(recorded["output"])
    assert definition.outputs == tuple(
        OutputSocket(output, kind, is_list, None, match)
        for output, kind, is_list, match in zip(
            recorded["output_name"], recorded["output"], recorded["output_is_list"], matches, strict=True
        )
    )
    assert definition.display_name == recorded["display_name"] or recorded["display_name"] is None
    assert definition.is_output == recorded["output_node"]
    assert definition.experimental == recorded["experimental"]
    assert definition.category == recorded["category"]


@pytest.mark.parametrize("name", RECORDED)
def test_the_server_words_the_definition_as_the_recorded_entry(schemas, name):
    recorded = RECORDED[name]
    told = entry(schemas[name][2], {}.__getitem__)
    module, display_name = "custom_nodes.toys", recorded["display_name"] or name
    assert told == recorded | {"python_module": module, "display_name": display_name, "description": ""}


INPUTS = [
    ('io.Boolean.Input("x", label_on="yes", label_off="no")', ["BOOLEAN", {"label_on": "yes", "label_off": "no"}]),
    (
        'io.Int.Input("x", "Shown", True, "a tip", True)',
        ["INT", {"display_name": "Shown", "tooltip": "a tip", "lazy": True}],
    ),
    ('io.Int.Input("x", display_mode=io.NumberDisplay.slider)', ["INT", {"display": "slider"}]),
    (
        'io.Int.Input("x", control_after_generate=io.ControlAfterGenerate.increment)',
        ["INT", {"control_after_generate": "increment"}],
    ),
    ('io.Float.Input("x", round=False, socketless=True)', ["FLOAT", {"round": False, "socketless": True}]),
    (
        'io.String.Input("x", multiline=True, placeholder="text", dynamic_prompts=True)',
        ["STRING", {"multiline": True, "placeholder": "text", "dynamicPrompts": True}],
    ),
    ('io.Color.Input("x")', ["COLOR", {"default": "#ffffff"}]),
    (
        'io.Combo.Input("x", options=io.FolderType, default=io.FolderType.temp)',
        ["COMBO", {"default": "temp", "multiselect": False, "options": ["input", "output", "temp"]}],
    ),
    (
        'io.Combo.Input("x", options=["a"], upload=io.UploadType.image, image_folder=io.FolderType.input)',
        ["COMBO", {"multiselect": False, "options": ["a"], "image_folder": "input", "image_upload": True}],
    ),
    (
        'io.Combo.Input("x", remote=io.RemoteOptions("/list", True, timeout=100))',
        [
            "COMBO",
            {
                "multiselect": False,
                "remote": {
                    "route": "/list", "refresh_button": True, "control_after_refresh": "first", "timeout": 100,
                },
            },
        ],
    ),
    (
        'io.MultiCombo.Input("x", options=["a", "b"], default=["b"], chip=True)',
        ["COMBO", {"default": ["b"], "multiselect": True, "options": ["a", "b"], "multi_select": {"chip": True}}],
    ),
    ('io.Image.Input("x", raw_link=True, advanced=True)', ["IMAGE", {"rawLink": True, "advanced": True}]),
    ('io.Image.Input("x", extra_dict={"mine": 1})', ["IMAGE", {"mine": 1}]),
    ('io.AnyType.Input("x")', ["*", {}]),
    ('io.Custom("MINE").Input("x")', ["MINE", {}]),
    ('Mine.Input("x", 3)', ["MY_TYPE", {"sides": 3}]),
    ('io.MultiType.Input("x", types=[io.Int, io.Float, io.Int])', ["INT,FLOAT", {}]),
    (
        'io.MultiType.Input(io.Float.Input("x", default=0.5), types=[io.Image])',
        ["FLOAT,IMAGE", {"default": 0.5, "widgetType": "FLOAT"}],
    ),
    (
        'io.Autogrow.Input("x", template=io.Autogrow.TemplateNames(io.Int.Input("n"), names=["a", "b"], min=0))',
        ["COMFY_AUTOGROW_V3", {"template": {"input": {"required": {"n": ["INT", {}]}}, "names": ["a", "b"], "min": 0}}],
    ),
    (
        'io.DynamicSlot.Input(io.Image.Input("x"), inputs=[io.Int.Input("n", optional=True)])',
        ["COMFY_DYNAMICSLOT_V3", {"slotType": "IMAGE", "inputs": {"required": {}, "optional": {"n": ["INT", {}]}}}],
    ),
]  # fmt: skip


def test_every_kind_of_input_reads_as_its_entry(found):
    entries = found(
        f"""
        @io.comfytype(io_type="MY_TYPE")
        class Mine(io.ComfyTypeIO):
            Type = set

            class Input(io.Input):
                def __init__(self, id, sides, **more):
                    super().__init__(id, **more)
                    self.sides = sides

                def as_dict(self):
                    return super().as_dict() | {{"sides": self.sides}}

        for code in {[code for code, _ in INPUTS]!r}:
            one = eval(code)
            found[code] = [one.get_io_type(), json.loads(json.dumps(one.as_dict()))]
        found["types"] = [Mine.io_type, Mine.Output().io_type, io.Image.Output().io_type, io.Int.io_type]
        """,
    )
    assert entries.pop("types") == ["MY_TYPE", "MY_TYPE", "IMAGE", "INT"]
    assert entries == dict(INPUTS)


WRONG = [
    ("io.Int.Input('a'), io.Int.Input('a')", "Toy has two inputs called 'a'; ids must differ."),
    ("io.Int.Input('')", "An input of type INT has no id."),
    ("io.Autogrow.Input('a', io.Autogrow.TemplatePrefix(io.Int.Input('n'), 'p', min=3, max=2))", "0 <= min <= max"),
    ("io.Autogrow.Input('a', io.Autogrow.TemplateNames(io.Int.Input('n'), ['b', 'b']))", "1 to 100 different names"),
    ("io.DynamicSlot.Input(io.MatchType.Input('a', io.MatchType.Template('t')), [])", "'a' cannot be a slot"),
    ("io.MatchType.Input('a', io.MatchType.Template(''))", "needs an id"),
]


def test_a_schema_that_makes_no_sense_is_refused_in_one_sentence(found):
    answers = found(
        f"""
        for code in {[code for code, _ in WRONG]!r}:
            found[code] = attempt(lambda: adapt(toy(schema(*eval(f"[{{code}}]")))))
        found["outputs"] = attempt(adapt, toy(schema(outputs=[io.Int.Output("a"), io.Int.Output("a")])))
        found["none"] = attempt(adapt, type("Bare", (io.ComfyNode,), {{}}))
        found["other"] = attempt(adapt, type("Other", (), {{"define_schema": classmethod(lambda cls: None)}}))
        found["no schema"] = attempt(adapt, toy(None))
        """,
    )
    for code, sentence in WRONG:
        assert sentence in answers[code]
        assert answers[code].startswith("ValueError: ")
    assert answers["outputs"] == "ValueError: Toy has two outputs called 'a'; ids must differ."
    assert answers["none"] == "TypeError: Bare has no define_schema, which every V3 node needs."
    assert answers["other"] == "TypeError: Other is given as a V3 node but is not derived from io.ComfyNode."
    assert answers["no schema"] == "TypeError: define_schema of Toy returned no io.Schema."


def test_what_follows_from_the_schema_is_in_the_definition(found):
    made = found(
        """
        class Given(str):
            pass

        def open_ended(cls, **given):
            return io.NodeOutput()

        def closed(cls, a=None):
            return io.NodeOutput()

        async def later(cls, **given):
            return io.NodeOutput()

        def definition(run=closed, *inputs, **more):
            methods = {name: more.pop(name) for name in ("LANE", "validate_inputs") if name in more}
            return adapt(toy(schema(*inputs, **more), run, **methods)).definition

        found["plain"] = definition()
        found["output"] = definition(is_output_node=True)
        found["api"] = definition(is_api_node=True, hidden=[io.Hidden.dynprompt])
        found["id"] = definition(hidden=[io.Hidden.unique_id])
        found["fresh"] = definition(not_idempotent=True)
        found["open"] = definition(open_ended)
        found["all"] = definition(accept_all_inputs=True)
        found["later"] = definition(later)
        found["free"] = definition(LANE="thread")
        found["marks"] = definition(
            display_name="A toy", description="It plays.", is_input_list=True, is_deprecated=True,
            search_aliases=["game"], outputs=[io.Int.Output("i", "Shown", "a tip", is_output_list=True)],
        )
        found["clash"] = definition(closed, io.String.Input("prompt"), is_output_node=True)
        found["named"] = definition(
            closed, io.Int.Input("a"), io.Int.Input("b"), validate_inputs=lambda cls, b, input_types: True
        )
        found["checked"] = definition(closed, io.Int.Input("a"), validate_inputs=lambda cls, **given: True)
        found["number"] = definition(
            closed, io.Float.Input("a", default=1, min=0, max=2, step=0.5, display_mode="slider")
        )
        cls = toy(schema(outputs=[io.Int.Output(), io.Image.Output("mine")]))
        found["ids"] = [output.id for output in cls.GET_SCHEMA().outputs]
        cls = toy(schema(outputs=[io.Int.Output(display_name="n", is_output_list=True)], is_input_list=True))
        found["v1"] = [
            cls.CATEGORY, cls.FUNCTION, cls.RETURN_TYPES, cls.RETURN_NAMES, cls.OUTPUT_IS_LIST, cls.INPUT_IS_LIST,
            cls.OUTPUT_NODE, cls.DEPRECATED, cls.NOT_IDEMPOTENT, toy(schema(), later).FUNCTION,
        ]
        """,
    )
    plain = made["plain"]
    assert (plain.class_type, plain.display_name, plain.category) == ("Toy", "Toy", "toys")
    assert (plain.python_module, plain.version, plain.lane) == ("custom_nodes.toys", "digest", "device")
    assert (plain.accepts, plain.per_id, plain.injected, plain.checks) == ("declared", False, {}, frozenset())
    assert made["output"].injected == {"prompt": "PROMPT", "extra_pnginfo": "EXTRA_PNGINFO"}
    assert made["output"].is_output
    assert made["api"].api_node
    assert set(made["api"].injected.values()) == {"DYNPROMPT", "AUTH_TOKEN_COMFY_ORG", "API_KEY_COMFY_ORG"}
    assert (made["id"].injected, made["id"].per_id, made["fresh"].per_id) == ({"unique_id": "UNIQUE_ID"}, True, True)
    assert (made["open"].accepts, made["all"].accepts) == ("links", "any")
    assert (made["later"].lane, made["free"].lane) == ("loop", "thread")
    marks = made["marks"]
    assert (marks.display_name, marks.description, marks.input_is_list) == ("A toy", "It plays.", True)
    assert (marks.deprecated, marks.search_aliases) == (True, ("game",))
    assert marks.outputs == (OutputSocket("Shown", "INT", True, "a tip"),)
    assert made["clash"].injected == {"hidden prompt": "PROMPT", "extra_pnginfo": "EXTRA_PNGINFO"}
    assert (made["named"].checks, made["named"].checks_types) == ({"b"}, True)
    assert (made["checked"].checks, made["checked"].checks_types) == ("all", False)
    assert made["number"].inputs[0].widget == Widget("slider", min=0, max=2, step=0.5)
    assert made["ids"] == ["_0_INT_", "mine"]
    assert made["v1"] == [
        "toys", "EXECUTE_NORMALIZED", ["INT"], ["n"], [True], True, False, False, False, "EXECUTE_NORMALIZED_ASYNC",
    ]  # fmt: skip


def test_classes_of_a_pack_do_not_leave_its_process(found):
    seen = found(
        """
        from enum import StrEnum
        from executor.schema import PackType

        class Word(StrEnum):
            A = "a"

        class Wild(str):
            def __ne__(self, other):
                return False

        wild = io.Custom(Wild("*"))
        inputs = [wild.Input("x"), io.Combo.Input("c", options=[Word.A], default=Word.A, tooltip=Word.A)]
        made = adapt(toy(io.Schema(
            node_id=Word.A, display_name=Word.A, category=Word.A, description=Word.A, search_aliases=[Word.A],
            inputs=inputs, outputs=[wild.Output(display_name=Word.A, tooltip=Word.A)],
        ))).definition
        found["wild"] = [isinstance(made.inputs[0].type, PackType), isinstance(made.outputs[0].type, PackType)]
        found["definition"] = made
        """
    )
    made = seen["definition"]  # it came through a pipe, whose other end knows no Word
    assert seen["wild"] == [True, True]
    texts = (made.class_type, made.display_name, made.category, made.description, *made.search_aliases)
    assert texts == ("a",) * 5
    assert (made.inputs[1].widget.choices, made.inputs[1].default, made.inputs[1].tooltip) == (("a",), "a", "a")
    assert made.outputs == (OutputSocket("a", "*", False, "a"),)
