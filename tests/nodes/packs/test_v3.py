"""V3 classes as node types: what reaches their class methods, and what becomes of all that these may answer."""

import pytest

from executor.schema import ExecutionBlocker, Result
from tests.nodes.packs.v3_nodes import shims


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    with shims(tmp_path_factory.mktemp("base")) as run:
        yield run


TWO = "outputs=[io.Int.Output(), io.Int.Output()]"

ANSWERS = [
    ("io.NodeOutput(1, 2)", Result((1, 2))),
    ("io.NodeOutput(1)", Result((1, None))),
    ("io.NodeOutput(1, 2, 3)", Result((1, 2))),
    ("io.NodeOutput()", Result((None, None))),
    ("None", Result((None, None))),
    ("(1, 2)", Result((1, 2))),
    ('{"result": (1, 2), "ui": {"text": ["a"]}}', Result((1, 2), {"text": ["a"]})),
    ('{"result": ExecutionBlocker("no")}', Result((ExecutionBlocker("no"), ExecutionBlocker("no")))),
    ('{"result": io.NodeOutput(1, 2)}', Result((1, 2))),
    ('io.NodeOutput(1, 2, ui={"text": ("a",)})', Result((1, 2), {"text": ("a",)})),
    ('io.NodeOutput(1, 2, ui=ui.PreviewText("a"))', Result((1, 2), {"text": ("a",)})),
    ("ExecutionBlocker(None)", Result((ExecutionBlocker(None), ExecutionBlocker(None)))),
    ('ExecutionBlocker("no")', Result((ExecutionBlocker("no"), ExecutionBlocker("no")))),
    ('io.NodeOutput(block_execution="no")', Result((ExecutionBlocker("no"), ExecutionBlocker("no")))),
    ('io.NodeOutput(block_execution="")', Result((ExecutionBlocker(None), ExecutionBlocker(None)))),
    ("io.NodeOutput(1, ExecutionBlocker('no'))", Result((1, ExecutionBlocker("no")))),
    ("5", "TypeError: execute returned a int; return io.NodeOutput(...) instead."),
    ("[1, 2]", "TypeError: execute returned a list; return io.NodeOutput(...) instead."),
    (
        "io.NodeOutput(expand={'a': {'class_type': 'X', 'inputs': {}}})",
        "RuntimeError: Toy wants to expand into other nodes, but its schema does not say enable_expand=True. "
        "This is a mistake in custom_nodes.toys.",
    ),
]


def test_every_form_of_answer_becomes_a_result(found):
    results = found(
        f"""
        def answering(code):
            return lambda cls: eval(code)

        async def later(cls):
            await asyncio.sleep(0)
            return io.NodeOutput(1, 2)

        for code in {[code for code, _ in ANSWERS]!r}:
            found[code] = attempt(adapt(toy(schema({TWO}), answering(code))).call)
        found["later"] = asyncio.run(adapt(toy(schema({TWO}), later)).call())
        """,
    )
    assert results.pop("later") == Result((1, 2))
    assert results == dict(ANSWERS)


def test_a_node_that_may_expand_does(found):
    made = found(
        """
        def run(cls, value):
            inputs = {"a": value, "b": ["x", 1]}
            return io.NodeOutput(["x", 0], 5, expand={"x": {"class_type": "Other", "inputs": inputs}})

        two = [io.Int.Output(), io.Int.Output()]
        found["made"] = adapt(toy(schema(io.Int.Input("value"), outputs=two, enable_expand=True), run)).call(value=3)
        """,
    )["made"]
    assert made.outputs == (["x", 0], 5)
    assert made.expand == {"x": {"class_type": "Other", "inputs": {"a": 3, "b": ["x", 1]}}}


def test_a_call_knows_what_the_schema_asked_to_know_and_keeps_nothing(found):
    seen = found(
        """
        class Counter(io.ComfyNode):
            calls = 0

            @classmethod
            def define_schema(cls):
                return schema(
                    io.String.Input("prompt"), is_output_node=True, hidden=[io.Hidden.unique_id, io.Hidden.dynprompt]
                )

            @classmethod
            def execute(cls, prompt):
                known = [cls.hidden.unique_id, cls.hidden.prompt, cls.hidden.extra_pnginfo, cls.hidden.dynprompt]
                error = attempt(lambda: setattr(cls, "calls", 1))
                return io.NodeOutput([prompt, known, cls.hidden.api_key_comfy_org, error, cls.twice(2), cls.__name__])

            @classmethod
            def twice(cls, value):
                return 2 * value

        made = adapt(Counter)
        around = {"unique_id": "7", "hidden prompt": {"7": {}}, "extra_pnginfo": {}, "dynprompt": "the run"}
        found["call"] = made.call(prompt="a text", **around).outputs[0]
        found["calls"] = Counter.calls
        found["outside"] = Counter.hidden.unique_id
        """,
    )
    text, known, key, error, twice, name = seen["call"]
    assert (text, twice, name, key) == ("a text", 4, "Counter", None)
    assert known == ["7", {"7": {}}, {}, "the run"]
    assert error == (
        "AttributeError: 'calls' cannot be set on Counter while it runs: V3 nodes keep no state on their class."
    )
    assert (seen["calls"], seen["outside"]) == (0, None)


def test_code_of_packs_runs_without_gradients_and_leaves_the_loop_as_it_was(found):
    modes = found(
        """
        def run(cls):
            return io.NodeOutput(torch.is_inference_mode_enabled())

        async def later(cls):
            before = torch.is_inference_mode_enabled()
            await asyncio.sleep(0)
            return io.NodeOutput((before, torch.is_inference_mode_enabled()))

        async def both():
            task = asyncio.ensure_future(adapt(toy(schema(), later)).call())
            await asyncio.sleep(0)
            return torch.is_inference_mode_enabled(), (await task).outputs

        found["sync"] = adapt(toy(schema(), run)).call().outputs
        found["async"] = asyncio.run(both())
        """,
    )
    assert modes == {"sync": (True,), "async": (False, ((True, True),))}


NESTED = """
Option = io.DynamicCombo.Option
sound = io.Autogrow.Input("sounds", io.Autogrow.TemplatePrefix(io.Audio.Input("sound"), "sound"))
inner = io.DynamicCombo.Input("inner", [Option("k", [io.Audio.Input("x")])])
dynamic = [
    sound,
    io.DynamicCombo.Input("mode", [Option("a", []), Option("b", [io.Int.Input("width"), inner, sound])]),
    io.DynamicSlot.Input(io.Audio.Input("slot"), [io.Int.Input("size")]),
    io.Audio.Input("plain"),
    io.Audio.Input("raw", raw_link=True),
]
audio = {"waveform": 1, "sample_rate": 2}
given = {
    "sounds": {"sound0": audio},
    "mode": {"mode": "b", "width": 5, "inner": {"inner": "k", "x": audio}, "sounds": {"sound1": audio}},
    "slot": {"slot": audio, "size": 3},
    "plain": audio,
    "raw": ["4", 0],
}
"""


def test_values_cross_the_bridge_wherever_they_are_and_only_there(found):
    seen = found(
        NESTED
        + """
class Bridge:
    @staticmethod
    def lend(value):
        return ("pack", value)

    @staticmethod
    def from_pack(value, wire_type):
        return (wire_type, value)

ours, v3.bridge = v3.bridge, Bridge
found["arguments"] = {}
matched = io.MatchType.Template("t")
outputs = [io.Latent.Output(), io.MatchType.Output(matched), io.Image.Output(is_output_list=True)]
keep = lambda cls, **arguments: found.update(arguments=arguments) or io.NodeOutput(1, 2, [3, 4])
found["outputs"] = adapt(toy(schema(*dynamic, outputs=outputs), keep)).call(**given).outputs
whole = lambda cls, **arguments: found.update(whole=arguments)
adapt(toy(schema(*dynamic, is_input_list=True), whole)).call(
    plain=[1, 2], mode={"mode": ["b"], "width": [1], "inner": {"inner": ["k"], "x": [audio]}}
)
v3.bridge = ours
""",
    )
    audio = {"waveform": 1, "sample_rate": 2}
    known = ("pack", audio)
    inner = {"inner": ("pack", "k"), "x": known}
    assert seen["arguments"] == {
        "sounds": {"sound0": known},
        "mode": {"mode": ("pack", "b"), "width": ("pack", 5), "inner": inner, "sounds": {"sound1": known}},
        "slot": {"slot": known, "size": ("pack", 3)},
        "plain": known,
        "raw": ["4", 0],
    }
    assert seen["outputs"] == (("LATENT", 1), ("*", 2), [("IMAGE", 3), ("IMAGE", 4)])
    assert seen["whole"] == {
        "plain": [("pack", 1), ("pack", 2)],
        "mode": {"mode": [("pack", "b")], "width": [("pack", 1)], "inner": {"inner": [("pack", "k")], "x": [known]}},
    }


def test_a_node_names_the_lazy_inputs_it_needs_by_their_dotted_names(found):
    asked = found(
        NESTED
        + """
def needs(cls, plain, mode=None, sounds=None, slot=None):
    found["seen"] = {"plain": plain, "mode": mode, "sounds": sounds, "slot": slot}
    return [key for value, key in sounds.values() if value is None]

async def later(cls, **given):
    await asyncio.sleep(0)
    return ["plain"] if given["plain"] is None else []

made = adapt(toy(schema(*dynamic), check_lazy_status=needs))
found["names"] = made.needs(**{**given, "sounds": {"sound0": None, "sound1": audio}, "plain": None})
found["nothing"] = adapt(toy(schema(), check_lazy_status=lambda cls: None)).needs()
made = adapt(toy(schema(*dynamic), check_lazy_status=later))
found["later"] = [asyncio.run(made.needs(plain=value)) for value in (None, 1)]
found["without"] = adapt(toy(schema(*dynamic))).needs
""",
    )
    audio = {"waveform": 1, "sample_rate": 2}
    assert asked["names"] == ("sounds.sound0",)
    assert asked["seen"] == {
        "plain": None,
        "mode": {
            "mode": ("b", "mode"),
            "width": (5, "mode.width"),
            "inner": {"inner": ("k", "mode.inner"), "x": (audio, "mode.inner.x")},
            "sounds": {"sound1": (audio, "mode.sounds.sound1")},
        },
        "sounds": {"sound0": (None, "sounds.sound0"), "sound1": (audio, "sounds.sound1")},
        "slot": {"slot": (audio, "slot"), "size": (3, "slot.size")},
    }
    assert (asked["nothing"], asked["later"], asked["without"]) == ((), [("plain",), ()], None)


@pytest.fixture(scope="module")
def fingerprints(found):
    return found(
        """
        async def later(cls, a):
            await asyncio.sleep(0)
            return a

        def fails(cls, a):
            raise OSError("it is gone")

        def taken(function, **given):
            made = adapt(toy(schema(io.Int.Input("a"), hidden=[io.Hidden.unique_id]), fingerprint_inputs=function))
            answers = [made.fingerprint(**given), made.fingerprint(**given)]
            if inspect.isawaitable(answers[0]):
                answers = [asyncio.run(wait(one)) for one in answers]
            return answers

        async def wait(answer):
            return await answer

        found["one"] = taken(lambda cls, a: a, a=1)
        found["other"] = taken(lambda cls, a: a, a=2)
        found["linked"] = taken(lambda cls, a: a is None)
        found["never"] = taken(lambda cls, a: float("nan"), a=1)
        found["object"] = taken(lambda cls, a: object(), a=1)
        found["fails"] = taken(fails, a=1)
        found["later"] = taken(later, a=1)
        found["id"] = taken(lambda cls, a: cls.hidden.unique_id, a=1)
        found["seven"] = taken(lambda cls, a: "7", a=1)
        found["without"] = adapt(toy(schema())).fingerprint
        """,
    )


@pytest.mark.parametrize(
    ("name", "is_same"),
    [
        ("one", True),
        ("linked", True),
        ("later", True),
        ("id", True),
        ("never", False),
        ("object", False),
        ("fails", False),
    ],
)
def test_the_fingerprint_is_the_same_while_the_answer_is(fingerprints, name, is_same):
    first, second = fingerprints[name]
    assert isinstance(first, str)
    assert (first == second) is is_same


def test_the_fingerprint_differs_with_the_answer(fingerprints):
    assert fingerprints["one"][0] != fingerprints["other"][0]
    assert fingerprints["one"][0] == fingerprints["later"][0]
    assert fingerprints["id"][0] == fingerprints["seven"][0]  # the class knows the node's id then already
    assert fingerprints["without"] is None


VERDICTS = [
    ("lambda cls, a: True", {"a": 1}, []),
    ("lambda cls, a: 'too small'", {"a": 1}, ["a - too small"]),
    ("lambda cls, a: False", {"a": 1}, ["a"]),
    ("lambda cls, a, b: b is None or 'linked'", {"a": 1, "input_types": {"b": "INT"}}, []),
    ("lambda cls, a, b: 'no'", {"a": 1, "input_types": {"b": "INT"}}, ["a - no", "b - no"]),
    ("lambda cls, **given: 'no'", {"a": 1, "b": 2}, ["a - no", "b - no"]),
    ("lambda cls, input_types: input_types == {'b': 'INT'} or 'no'", {"input_types": {"b": "INT"}}, []),
    ("lambda cls, a: cls.hidden.unique_id == '7'", {"a": 1}, []),
]


def test_what_a_node_says_against_its_inputs_is_said_of_each_that_it_saw(found):
    answers = found(
        f"""
        inputs = [io.Int.Input("a"), io.Int.Input("b")]
        for index, (code, given, _) in enumerate({VERDICTS!r}):
            found[index] = adapt(toy(schema(*inputs), validate_inputs=eval(code))).validate(**given)

        async def later(cls, a):
            return "not now"

        async def wait(answer):
            return await answer

        found["later"] = asyncio.run(wait(adapt(toy(schema(*inputs), validate_inputs=later)).validate(a=1)))
        found["without"] = adapt(toy(schema(*inputs))).validate
        """,
    )
    assert answers.pop("later") == ["a - not now"]
    assert answers.pop("without") is None
    assert [list(answer) for answer in answers.values()] == [expected for *_, expected in VERDICTS]


def test_choices_that_changed_are_seen_and_a_schema_that_fails_later_stays_as_it_was(found):
    seen = found(
        """
        files = ["a"]

        def define(cls):
            if not files:
                raise OSError("no files")
            return schema(io.Combo.Input("file", options=list(files)))

        made = adapt(toy(None, define_schema=define))
        found["first"] = made.definition
        files.append("b")
        found["second"] = made.refresh()
        files.clear()
        found["third"] = made.refresh()
        """,
    )
    assert seen["first"].inputs[0].widget.choices == ("a",)
    assert seen["second"].inputs[0].widget.choices == ("a", "b")
    assert seen["third"] == seen["first"]


def test_v1_style_inspection_calls_the_function_that_the_class_names(found):
    seen = found(
        """
        async def later(cls, a):
            return (a,)

        sync = toy(schema(io.Int.Input("a")), lambda cls, a: (a,))
        output = getattr(sync(), sync.FUNCTION)(a=1)
        coroutine = toy(schema(io.Int.Input("a")), later)
        found["outputs"] = output.result, output[0], list(output)
        found["later"] = asyncio.run(getattr(coroutine, coroutine.FUNCTION)(a=2)).args
        """,
    )
    assert seen["outputs"] == ((1,), 1, [1])
    assert seen["later"] == (2,)
