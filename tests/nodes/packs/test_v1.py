"""V1 classes as node types: everything that a class may say of itself, and all that its functions may answer."""

# ruff: noqa: ARG001, ARG005 - functions of packs take what they take

import asyncio
import inspect
import json
import pickle
from enum import Enum
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from executor.context import ExecutingContext, executing
from executor.schema import MISSING, ExecutionBlocker, PackType, Result
from nodes.packs import v1, v1_inputs
from nodes.packs.instances import Instances


def make_class(required=None, optional=None, hidden=None, **attributes):
    """A V1 class whose function gives back what it was called with."""

    class Node:
        RETURN_TYPES = ("INT",)
        FUNCTION = "run"
        CATEGORY = "toys"

        @classmethod
        def INPUT_TYPES(cls):  # noqa: N802
            sections = {"required": required, "optional": optional, "hidden": hidden}
            return {name: section for name, section in sections.items() if section is not None}

        def run(self, **given):
            return (given,)

    for name, value in attributes.items():
        setattr(Node, name, value)
    return Node


def adapt(cls, **options):
    return v1.node_type("Toy", cls, options.pop("display_name", None), "custom_nodes.toys", "digest", **options)


def definition(required=None, optional=None, hidden=None, **attributes):
    return adapt(make_class(required, optional, hidden, **attributes)).definition


def socket(entry, **attributes):
    return definition({"x": entry}, **attributes).inputs[0]


class Wild(str):
    """The wildcard of many packs."""

    __slots__ = ()

    def __ne__(self, other):
        return False


class Kind(str, Enum):  # noqa: UP042 - its text is not its value
    """Types written as an enum."""

    STRING = "STRING"


class AnyName(dict):
    """A section that takes every name."""

    def __contains__(self, name):
        return True


class Rather(list):
    """Choices in a list of a class of their own."""


SOCKETS = [
    # what a pack writes, then: type, default, widget kind, choices
    (("INT", {"default": 3, "min": 0, "max": 9}), "INT", 3, "number", ()),
    (("INT",), "INT", MISSING, "number", ()),
    (["FLOAT", {"default": 0.5}], "FLOAT", 0.5, "number", ()),
    ("IMAGE", "IMAGE", MISSING, None, ()),
    (("STRING", None), "STRING", MISSING, "text", ()),
    (("STRING", {"default": None}), "STRING", MISSING, "text", ()),
    (("STRING", {"default": 5}), "STRING", "5", "text", ()),
    (("FLOAT", {"default": "0.5"}), "FLOAT", 0.5, "number", ()),
    (("INT", {"default": "many"}), "INT", MISSING, "number", ()),
    (("BOOLEAN", {"default": 1}), "BOOLEAN", True, "toggle", ()),
    (("INT", {"default": 1, "forceInput": True}), "INT", 1, None, ()),
    ((["a", "b"],), "COMBO", MISSING, "combo", ("a", "b")),
    ((("a", "b"), {"default": "b"}), "COMBO", "b", "combo", ("a", "b")),
    (([1, 2.5, "c", None],), "COMBO", MISSING, "combo", (1, 2.5, "c")),
    (({"a": 1, "b": 2}.keys(),), "COMBO", MISSING, "combo", ("a", "b")),
    ((Rather(["a"]),), "COMBO", MISSING, "combo", ("a",)),
    (("COMBO", {"options": ["a", "b"]}), "COMBO", MISSING, "combo", ("a", "b")),
    (([],), "COMBO", MISSING, "combo", ()),
    ((Kind.STRING, {"default": "t"}), "STRING", "t", "text", ()),
    ((Wild("*"),), "*", MISSING, None, ()),
    ((int,), "INT", MISSING, "number", ()),
    ((dict,), "dict", MISSING, None, ()),
    ((), "*", MISSING, None, ()),
    (("MY_TYPE", {"default": lambda: 3}), "MY_TYPE", MISSING, None, ()),
]


@pytest.mark.parametrize(
    ("entry", "kind", "default", "widget", "choices"), SOCKETS, ids=[repr(one[0]) for one in SOCKETS]
)
def test_an_input_is_read_in_every_shape_that_packs_write(entry, kind, default, widget, choices):
    made = socket(entry)
    assert (made.type, made.default) == (kind, default)
    assert (made.widget and made.widget.kind, made.widget.choices if made.widget else ()) == (widget, choices)


OPTIONS = [
    ({"min": float("-inf"), "max": float("inf")}, {}),
    ({"max": "lots", "step": True}, {}),
    ({"max": 0xFFFFFFFFFFFFFFFF}, {"max": 0xFFFFFFFFFFFFFFFF}),
    ({"display": Kind.STRING, "values": {1, 2}, "check": print}, {"display": "STRING", "values": [1, 2]}),
    ({"max": torch.tensor(7)}, {"max": 7}),
]


@pytest.mark.parametrize(("options", "expected"), OPTIONS)
def test_options_become_plain_data(options, expected):
    assert dict(socket(("INT", options)).options) == expected


SAID = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.sampled_from(Kind)
ODD = st.builds(object) | st.just(print) | st.just(int) | st.just(torch.tensor(2.5)) | st.just(torch.zeros(2))
VALUES = st.recursive(
    SAID | ODD,
    lambda inner: (
        st.lists(inner)
        | st.tuples(inner, inner)
        | st.frozensets(SAID)
        | st.dictionaries(SAID | st.tuples(st.integers()), inner)
    ),
)


@given(VALUES)
def test_whatever_options_hold_can_be_said_in_json(value):
    said = v1_inputs.plain(value)
    assert said is MISSING or json.loads(json.dumps(said, allow_nan=False)) == said


def test_options_with_a_meaning_have_a_place_of_their_own():
    made = socket(("IMAGE", {"lazy": True, "rawLink": True, "tooltip": 5}))
    assert (made.lazy, made.raw_link, made.tooltip) == (True, True, "5")


def test_required_inputs_come_first_and_the_first_of_a_name_counts():
    made = definition({"a": ("INT",), "b": ("IMAGE",)}, {"c": ("MASK",), "a": ("STRING",)})
    assert [(one.name, one.type, one.required) for one in made.inputs] == [
        ("a", "INT", True),
        ("b", "IMAGE", True),
        ("c", "MASK", False),
    ]


DEFINITIONS = [
    ("no sections", {}, {"inputs": (), "accepts": "links"}),
    ("a section of None", {"optional": None}, {"inputs": ()}),
    ("no further names", {"run": lambda self, x=0: (x,)}, {"accepts": "declared"}),
    ("any name", {"optional": AnyName()}, {"accepts": "any"}),
    (
        "hidden inputs",
        {"hidden": {"p": "PROMPT", "i": ("UNIQUE_ID",), "d": "DYNPROMPT", "x": ("STRING", {}), "y": 5}},
        {"injected": {"p": "PROMPT", "i": "UNIQUE_ID", "d": "DYNPROMPT"}, "per_id": True},
    ),
    ("other hidden inputs", {"hidden": {"e": "EXTRA_PNGINFO"}}, {"per_id": False}),
    ("not idempotent", {"NOT_IDEMPOTENT": True}, {"per_id": True}),
    ("an output", {"OUTPUT_NODE": True, "CATEGORY": None}, {"is_output": True, "category": ""}),
    ("whole lists", {"INPUT_IS_LIST": True}, {"input_is_list": True}),
    ("whole lists, in a tuple", {"INPUT_IS_LIST": (True, False)}, {"input_is_list": True}),
    (
        "marks",
        {"DEPRECATED": True, "EXPERIMENTAL": True, "API_NODE": True, "SEARCH_ALIASES": ["one", "two"]},
        {"deprecated": True, "experimental": True, "api_node": True, "search_aliases": ("one", "two")},
    ),
    ("a description", {"DESCRIPTION": "What it does."}, {"description": "What it does.", "version": "digest"}),
    ("lanes", {}, {"lane": "device", "python_module": "custom_nodes.toys"}),
    ("a lane of its own", {"LANE": "thread"}, {"lane": "thread"}),
    ("no such lane", {"LANE": "loop"}, {"lane": "device"}),
]


@pytest.mark.parametrize(
    ("attributes", "expected"), [one[1:] for one in DEFINITIONS], ids=[one[0] for one in DEFINITIONS]
)
def test_a_class_says_what_it_is(attributes, expected):
    made = definition(**attributes)
    assert {name: getattr(made, name) for name in expected} == expected


OUTPUTS = [
    ({"RETURN_TYPES": ("IMAGE", "MASK")}, [("IMAGE", "IMAGE", False, None), ("MASK", "MASK", False, None)]),
    ({"RETURN_TYPES": ("IMAGE",), "RETURN_NAMES": ("picture",)}, [("picture", "IMAGE", False, None)]),
    ({"RETURN_TYPES": ("A", "B"), "RETURN_NAMES": ("a",)}, [("a", "A", False, None), ("B", "B", False, None)]),
    ({"RETURN_TYPES": "IMAGE", "RETURN_NAMES": "picture"}, [("picture", "IMAGE", False, None)]),
    ({"RETURN_TYPES": (["a", "b"],)}, [("COMBO", "COMBO", False, None)]),
    ({"RETURN_TYPES": (Wild("*"), Kind.STRING)}, [("*", "*", False, None), ("STRING", "STRING", False, None)]),
    ({"RETURN_TYPES": ("A", "B"), "OUTPUT_IS_LIST": (True,)}, [("A", "A", True, None), ("B", "B", False, None)]),
    ({"RETURN_TYPES": ("A",), "OUTPUT_TOOLTIPS": ("What A is.",)}, [("A", "A", False, "What A is.")]),
    ({"RETURN_TYPES": ()}, []),
]


@pytest.mark.parametrize(("attributes", "expected"), OUTPUTS)
def test_outputs_are_read_in_every_shape_that_packs_write(attributes, expected):
    made = definition(**attributes)
    assert [(one.name, one.type, one.is_list, one.tooltip) for one in made.outputs] == expected


def test_a_type_that_compares_itself_keeps_its_way():
    made = definition({"x": (Wild("*"),)}, RETURN_TYPES=(Wild("ANY"), "A"))
    assert [type(one) for one in (made.inputs[0].type, made.outputs[0].type)] == [PackType, PackType]
    assert type(made.outputs[1].type) is str
    assert (made.outputs[0].type.original != "anything") is False


def test_a_definition_crosses_to_processes_that_know_no_pack():
    made = definition(
        {"a": (Wild("*"), {"x": Wild("y")}), "b": ([Kind.STRING],)}, RETURN_TYPES=(Wild("*"), Kind.STRING)
    )
    texts = [made.inputs[0].type, made.inputs[1].widget.choices[0], *(one.type for one in made.outputs)]
    assert b"test_v1" not in pickle.dumps(made)
    assert texts == ["*", "STRING", "*", "STRING"]


BAD_CLASSES = [
    ({"FUNCTION": None}, "names no FUNCTION"),
    ({"FUNCTION": "absent"}, "'absent'"),
    ({"INPUT_TYPES": classmethod(lambda cls: ["x"])}, "list, not a dict"),
]


@pytest.mark.parametrize(("attributes", "words"), BAD_CLASSES)
def test_a_class_that_cannot_be_a_node_says_why(attributes, words):
    with pytest.raises(TypeError, match=words):
        adapt(make_class(**attributes))


def test_refreshing_asks_for_the_inputs_again_and_keeps_the_last_ones_if_that_fails(caplog):
    names = ["a"]

    def input_types(cls):
        return {"required": {"x": (list(names), {"default": names[0]})}}

    made = adapt(make_class(INPUT_TYPES=classmethod(input_types)))
    names.append("b")
    assert made.refresh().inputs[0].widget.choices == ("a", "b")
    names.clear()
    assert made.refresh() == made.definition
    assert "INPUT_TYPES of Toy" in caplog.text


def call(node_type, node_id="1", **inputs):
    """One call, as the executor makes it."""
    token = executing.set(ExecutingContext("job", node_id, 0, None, []))
    try:
        answer = node_type.call(**inputs)
        return asyncio.run(answer) if inspect.isawaitable(answer) else answer
    finally:
        executing.reset(token)


BLOCKER = ExecutionBlocker("no")
UI = {"text": ["a"]}
LINK = ["9.0.0.1", 0]
RESULTS = [
    # what the function of a node with two outputs, the second a list, returns; then the result
    ((1, [2]), Result((1, [2]))),
    ([1, (2, 3)], Result((1, [2, 3]))),
    ((1, [2], 3), Result((1, [2]))),
    ((1,), Result((1, []))),
    (BLOCKER, Result((BLOCKER, BLOCKER))),
    ((1, BLOCKER), Result((1, BLOCKER))),
    ({"ui": UI}, Result((None, []), UI)),
    ({"ui": UI, "result": (1, [2])}, Result((1, [2]), UI)),
    ({"ui": {"text": "ab", "n": (1,)}}, Result((None, []), {"text": ["a", "b"], "n": (1,)})),
    ({"result": BLOCKER}, Result((BLOCKER, BLOCKER))),
    (
        {"result": (LINK, LINK), "expand": {"9.0.0.1": {"class_type": "X", "inputs": {"a": LINK, "b": 5}}}},
        Result((LINK, LINK), None, {"9.0.0.1": {"class_type": "X", "inputs": {"a": LINK, "b": 5}}}),
    ),
    ({"expand": {}, "result": (1, [2])}, Result((1, [2]), None, {})),
    (SimpleNamespace(args=(1, [2]), ui=UI, expand=None, block_execution=None), Result((1, [2]), UI)),
    (SimpleNamespace(args=(), ui=None, expand=None, block_execution="no"), Result((BLOCKER, BLOCKER))),
]


@pytest.mark.parametrize(("answer", "expected"), RESULTS)
@pytest.mark.parametrize("later", [False, True], ids=["function", "coroutine"])
def test_an_answer_is_read_in_every_form_that_packs_give(answer, expected, later):
    async def run_later(self):
        await asyncio.sleep(0)
        return answer

    function = run_later if later else lambda self: answer
    made = adapt(make_class(RETURN_TYPES=("A", "B"), OUTPUT_IS_LIST=(False, True), run=function))
    assert made.definition.lane == ("loop" if later else "device")
    assert call(made) == expected


class Endless(tuple):
    """A tuple of types as packs make it whose code for the editor adds outputs."""

    def __getitem__(self, index):
        return super().__getitem__(index) if isinstance(index, slice) or index < len(self) else "*"


def test_a_tuple_of_types_without_an_end_lets_a_node_have_further_outputs():
    made = adapt(make_class(RETURN_TYPES=Endless(("A",)), RETURN_NAMES=Endless(("a",)), run=lambda self: (1, 2, 3)))
    assert made.definition.further_outputs
    assert [(output.name, output.type) for output in made.definition.outputs] == [("a", "A")]
    assert call(made) == Result((1, 2, 3))
    assert not definition(RETURN_TYPES=("A",)).further_outputs
    assert not definition(RETURN_TYPES=type("Plain", (tuple,), {})(("A",))).further_outputs
    blocked = call(adapt(make_class(RETURN_TYPES=Endless(), run=lambda self: BLOCKER)))
    assert set(blocked.outputs) == {BLOCKER}
    assert len(blocked.outputs) == made.definition.most_outputs - 1


@pytest.mark.parametrize("answer", [None, (None,), "the name of a file", 3])
def test_a_node_without_outputs_may_return_anything(answer):
    assert call(adapt(make_class(RETURN_TYPES=(), run=lambda self: answer))) == Result()


@pytest.mark.parametrize(("answer", "words"), [(None, "nothing"), ("text", "a str"), (torch.zeros(2), "a Tensor")])
def test_an_answer_that_is_no_result_blames_the_pack(answer, words):
    with pytest.raises(TypeError, match=f"Toy returned {words} .* custom_nodes.toys"):
        call(adapt(make_class(run=lambda self: answer)))


@pytest.mark.parametrize("later", [False, True], ids=["function", "coroutine"])
@pytest.mark.parametrize("error", [SystemExit(3), GeneratorExit()])
def test_what_would_end_the_worker_is_an_error_of_the_node(later, error):
    def run(self):
        raise error

    async def run_later(self):
        run(self)

    with pytest.raises(RuntimeError, match=type(error).__name__):
        call(adapt(make_class(run=run_later if later else run)))


@pytest.mark.parametrize("later", [False, True], ids=["function", "coroutine"])
def test_code_of_packs_runs_without_gradients_and_leaves_the_thread_as_it_was(later):
    async def run_later(self):
        await asyncio.sleep(0)
        return (torch.is_inference_mode_enabled(),)

    async def beside(answer):
        task = asyncio.ensure_future(answer)
        seen = torch.is_inference_mode_enabled()
        return seen, (await task).outputs

    made = adapt(make_class(run=run_later if later else lambda self: (torch.is_inference_mode_enabled(),)))
    if later:
        assert asyncio.run(beside(made.call())) == (False, (True,))
    else:
        assert made.call().outputs == (True,)
    assert not torch.is_inference_mode_enabled()


async def test_a_coroutine_of_a_pack_hears_that_it_is_cancelled():
    heard = []

    async def run(self):
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            heard.append("cancelled")
            raise

    task = asyncio.ensure_future(adapt(make_class(run=run)).call())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert heard == ["cancelled"]


@pytest.mark.parametrize(("whole_lists", "expected"), [(False, {"x": 1, "p": {}}), (True, {"x": [1], "p": [{}]})])
def test_hidden_inputs_are_passed_and_are_lists_where_all_are(whole_lists, expected):
    made = adapt(make_class({"x": ("INT",)}, hidden={"p": "PROMPT"}, INPUT_IS_LIST=whole_lists))
    assert call(made, x=[1] if whole_lists else 1, p={}).outputs == (expected,)


def test_each_node_has_an_object_that_keeps_its_attributes():
    def run(self):
        self.count = getattr(self, "count", 0) + 1
        return (self.count,)

    kept = Instances()
    made, other = (adapt(make_class(run=run), instances=kept) for _ in range(2))
    counts = [call(made, "1"), call(made, "1"), call(made, "2"), call(other, "1"), call(made, "1")]
    assert [one.outputs for one in counts] == [(1,), (2,), (1,), (1,), (3,)]
    kept.clear()
    assert call(made, "1").outputs == (1,)


def test_only_so_many_nodes_keep_their_object():
    kept = Instances(limit=2)
    first = kept.of(dict, "1")
    first["mark"] = True
    kept.of(dict, "2")
    assert kept.of(dict, "1") == {"mark": True}
    kept.of(dict, "3")
    assert (kept.of(dict, "1"), kept.of(dict, "2")) == ({"mark": True}, {})
