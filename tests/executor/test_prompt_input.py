"""Inputs of one node: dynamic ones, undeclared ones, raw links, and those that a node checks itself."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from executor.folders import Folders
from executor.graph import Link
from executor.object_info import definition_from_object_info
from executor.prompt import parse_prompt
from executor.schema import InputSocket, NodeDefinition, OutputSocket, Widget
from tests.executor.toys import definitions, folders

NUMBER = ["INT", {"min": 0, "max": 9}]
MODE = [
    "COMFY_DYNAMICCOMBO_V3",
    {
        "options": [
            {"key": "plain"},
            {"key": "to", "inputs": {"required": {"width": NUMBER}, "optional": {"height": NUMBER}}},
            {"key": "by", "inputs": {"required": {"factor": ["FLOAT", {"default": 2.0}]}}},
            {"key": "match", "inputs": {"required": {"other": ["IMAGE,MASK", {}]}}},
        ]
    },
]
GROWN = ["COMFY_AUTOGROW_V3", {"template": {"input": {"required": {"n": NUMBER}}, "prefix": "n", "min": 1, "max": 2}}]
LAZY = ["COMFY_AUTOGROW_V3", {"template": {"input": {"required": {"n": ["*", {"lazy": True}]}}, "prefix": "n"}}]
SLOT = ["COMFY_DYNAMICSLOT_V3", {"slotType": "IMAGE", "inputs": {"required": {"strength": NUMBER}}}]
MATCH = ["COMFY_MATCHTYPE_V3", {"template": {"template_id": "t", "allowed_types": "IMAGE,MASK"}}]


def define(name, required, outputs=("INT",), **more):
    definition = definition_from_object_info(name, {"input": {"required": required}, "output": list(outputs)})
    return NodeDefinition(name, definition.inputs, definition.outputs, category="", display_name=name, **more)


CHECKED = {"a": NUMBER, "of": [["red", "blue"], {}], "mode": MODE}
DEFINITIONS = definitions() | {
    definition.class_type: definition
    for definition in (
        define("Image", {}, ["IMAGE"]),
        define("Mode", {"mode": MODE}),
        define("Grow", {"all": GROWN}),
        define("Lazy", {"all": LAZY, "one": ["*", {"lazy": True}]}),
        define("Slot", {"slot": SLOT}),
        define("Match", {"a": MATCH}),
        define("Raw", {"a": ["INT", {"rawLink": True, "lazy": True}]}),
        define("Links", {"a": NUMBER}, accepts="links"),
        define("Any", {"a": NUMBER}, accepts="any"),
        define("ChecksAll", CHECKED, checks="all"),
        define("ChecksOne", CHECKED, checks=frozenset({"a", "mode"})),
        define("ChecksTypes", {"a": ["IMAGE"]}, checks_types=True),
    )
}  # fmt: skip


def parse(tmp_path, inputs, class_type, definitions=DEFINITIONS):
    raw = {
        "one": {"class_type": "Number", "inputs": {"value": 1}},
        "image": {"class_type": "Image", "inputs": {}},
        "n": {"class_type": class_type, "inputs": inputs},
        "s": {"class_type": "Show", "inputs": {"value": ["n", 0]}},
    }
    return parse_prompt(raw, definitions, folders(tmp_path))


def links(inputs):
    return {name: Link(*value) if isinstance(value, tuple) else value for name, value in inputs.items()}


ONE, IMAGE = ("one", 0), ("image", 0)
VALUES = [
    ("Mode", {"mode": "plain"}, {"mode": "plain"}),
    ("Mode", {"mode": "plain", "mode.width": 3}, {"mode": "plain"}),
    ("Mode", {"mode": "to", "mode.width": "3"}, {"mode": "to", "mode.width": 3}),
    ("Mode", {"mode": "to", "mode.width": ["one", 0]}, {"mode": "to", "mode.width": ONE}),
    ("Mode", {"mode": "by"}, {"mode": "by", "mode.factor": 2.0}),
    ("Mode", {"mode": "match", "mode.other": ["image", 0]}, {"mode": "match", "mode.other": IMAGE}),
    ("Grow", {"all.n1": ["one", 0], "all.n0": 4.0, "all": "x"}, {"all.n0": 4, "all.n1": ONE}),
    ("Grow", {"all.n1": None, "all.n0": 1}, {"all.n0": 1}),
    ("Slot", {"slot": ["image", 0], "slot.strength": 3}, {"slot": IMAGE, "slot.strength": 3}),
    ("Match", {"a": ["image", 0]}, {"a": IMAGE}),
    ("Raw", {"a": ["one", 0.0]}, {"a": ONE}),
    ("Raw", {"a": 5}, {"a": 5}),
    ("Links", {"a": 1, "x": ["image", 0], "y": 2}, {"a": 1, "x": IMAGE}),
    ("Any", {"a": 1, "x": ["image", 0], "y.z": {"__value__": [1]}, "w": None}, {"a": 1, "x": IMAGE, "y.z": [1]}),
    ("ChecksAll", {"a": "99", "of": "green", "mode": "plain"}, {"a": 99, "of": "green", "mode": "plain"}),
    (
        "ChecksOne",
        {"a": 99, "of": "red", "mode": "to", "mode.width": 99},
        {"a": 99, "mode": "to", "mode.width": 99, "of": "red"},
    ),
    ("ChecksTypes", {"a": ["one", 0]}, {"a": ONE}),
]


@pytest.mark.parametrize(("class_type", "inputs", "expected"), VALUES, ids=[f"{case[0]} {case[1]}" for case in VALUES])
def test_inputs_are_parsed(tmp_path, class_type, inputs, expected):
    parsed = parse(tmp_path, inputs, class_type)
    assert parsed.validation.errors == ()
    found = dict(parsed.graph.nodes["n"].inputs)
    assert found == links(expected)
    assert {name: type(value) for name, value in found.items()} == {
        name: type(value) for name, value in links(expected).items()
    }


KEYS = "['plain', 'to', 'by', 'match']"
QUOTED = "'plain', 'to', 'by', 'match'"
ERRORS = [
    ("Mode", {}, "required_input_missing", "mode", "mode"),
    ("Mode", {"mode": "x"}, "value_not_in_list", "mode", f"mode: 'x' not in {KEYS}"),
    (
        "Mode",
        {"mode": "x", "mode.width": 3, "mode.other": ["image", 0]},
        "value_not_in_list",
        "mode",
        f"mode: 'x' not in {KEYS}",
    ),
    ("Mode", {"mode": {}}, "value_not_in_list", "mode", f"mode: {{}} not in {KEYS}"),
    (
        "Mode",
        {"mode": ["one", 0]},
        "invalid_dynamic_input",
        "mode",
        f"mode: which inputs there are cannot depend on a link, so choose one of {QUOTED}.",
    ),
    (
        "Mode",
        {"mode.width": 3},
        "invalid_dynamic_input",
        "mode",
        f"mode: 'mode.width' is given but no option is chosen; choose one of {QUOTED}.",
    ),
    ("Mode", {"mode": "to"}, "required_input_missing", "mode.width", "width"),
    ("Mode", {"mode": "to", "mode.width": 10}, "value_bigger_than_max", "mode.width", "mode.width"),
    (
        "Mode",
        {"mode": "to", "mode.width": 1, "mode.height": "x"},
        "invalid_input_type",
        "mode.height",
        "mode.height, 'x', 'x' is not a number",
    ),
    (
        "Mode",
        {"mode": "match", "mode.other": ["one", 0]},
        "return_type_mismatch",
        "mode.other",
        "mode.other, received_type(INT) mismatch input_type(IMAGE,MASK)",
    ),
    (
        "Mode",
        {"mode": "match", "mode.other": 3},
        "bad_linked_input",
        "mode.other",
        "mode.other: IMAGE,MASK comes only from another node, so connect one.",
    ),
    (
        "Mode",
        {"mode": "plain", "mode.width": ["one", 0]},
        "bad_linked_input",
        "mode.width",
        "mode.width: Mode has no input of this name; remove the link or connect it again.",
    ),
    ("Grow", {}, "required_input_missing", "all", "all"),
    ("Grow", {"all.n0": None}, "required_input_missing", "all", "all"),
    (
        "Grow",
        {"all": ["one", 0]},
        "invalid_dynamic_input",
        "all",
        "all: it takes no link itself; connect to the inputs that it grows ('all.', then a name).",
    ),
    (
        "Grow",
        {"all.n0": 1, "all.n1": 1, "all.n2": 1},
        "invalid_dynamic_input",
        "all",
        "all: it takes at most 2 inputs but 3 are given; remove 1 of them.",
    ),
    (
        "Grow",
        {"all.n0": ["image", 0]},
        "return_type_mismatch",
        "all.n0",
        "all.n0, received_type(IMAGE) mismatch input_type(INT)",
    ),
    ("Slot", {}, "required_input_missing", "slot", "slot"),
    ("Slot", {"slot": ["image", 0]}, "required_input_missing", "slot.strength", "strength"),
    ("Match", {"a": ["one", 0]}, "return_type_mismatch", "a", "a, received_type(INT) mismatch input_type(IMAGE,MASK)"),
    ("Match", {"a": 3}, "bad_linked_input", "a", "a: IMAGE,MASK comes only from another node, so connect one."),
    ("Raw", {"a": ["image", 0]}, "return_type_mismatch", "a", "a, received_type(IMAGE) mismatch input_type(INT)"),
    ("Raw", {"a": ["one", 7]}, "bad_linked_input", "a", "a: node 'one' (Number) has 1 outputs, so there is no [7]."),
    (
        "Links",
        {"a": 1, "x": ["gone", 0]},
        "bad_linked_input",
        "x",
        "x: there is no node 'gone'; connect the input again.",
    ),
    (
        "Links",
        {"a": 1, "x": ["one", 7]},
        "bad_linked_input",
        "x",
        "x: node 'one' (Number) has 1 outputs, so there is no [7].",
    ),
    ("ChecksAll", {"a": 1, "of": "red", "mode": "x"}, "value_not_in_list", "mode", f"mode: 'x' not in {KEYS}"),
    ("ChecksAll", {"a": "x", "of": "red", "mode": "plain"}, "invalid_input_type", "a", "a, 'x', 'x' is not a number"),
    (
        "ChecksOne",
        {"a": 1, "of": "green", "mode": "plain"},
        "value_not_in_list",
        "of",
        "of: 'green' not in ['red', 'blue']",
    ),
    (
        "ChecksTypes",
        {"a": ["one", 7]},
        "bad_linked_input",
        "a",
        "a: node 'one' (Number) has 1 outputs, so there is no [7].",
    ),
]


@pytest.mark.parametrize(("class_type", "inputs", "kind", "name", "details"), ERRORS, ids=range(len(ERRORS)))
def test_errors_name_the_input_and_the_remedy(tmp_path, class_type, inputs, kind, name, details):
    summary, error = parse(tmp_path, inputs, class_type).validation.errors
    assert (error.type, error.details) == (kind, details)
    assert error.extra_info["input_name"] == name
    assert (error.node_id, error.dependent_outputs) == ("n", ("s",))
    assert summary.type == "prompt_outputs_failed_validation"


def test_what_feeds_a_broken_dynamic_input_is_checked_too(tmp_path):
    raw = {
        "bad": {"class_type": "Number", "inputs": {"value": "x"}},
        "n": {"class_type": "Mode", "inputs": {"mode": "x", "mode.width": ["bad", 0]}},
        "s": {"class_type": "Show", "inputs": {"value": ["n", 0]}},
    }
    errors = parse_prompt(raw, DEFINITIONS, folders(tmp_path)).validation.errors
    assert [(error.node_id, error.dependent_outputs) for error in errors[1:]] == [("bad", ("s",)), ("n", ("s",))]


def test_lazy_inputs_are_known_also_where_others_brought_them(tmp_path):
    parsed = parse(tmp_path, {"all.n0": ["one", 0], "all.n1": 3, "one": ["one", 0]}, "Lazy")
    assert parsed.graph.nodes["n"].lazy == {"all.n0", "one"}


def test_a_raw_link_makes_nobody_wait_but_is_an_edge_to_every_check(tmp_path):
    def verdict(above):
        raw = {
            "above": above,
            "n": {"class_type": "Raw", "inputs": {"a": ["above", 0]}},
            "s": {"class_type": "Show", "inputs": {"value": ["n", 0]}},
        }
        parsed = parse_prompt(raw, DEFINITIONS, folders(tmp_path))
        return parsed.graph, [error.type for error in parsed.validation.errors if error.node_id]

    graph, errors = verdict({"class_type": "Number", "inputs": {"value": 1}})
    assert errors == []
    assert set(graph.nodes) == {"above", "n", "s"}  # an expansion may link to what stands behind
    raw = graph.nodes["n"]
    assert (list(raw.needed_links()), list(raw.read_links()), raw.lazy) == ([], [], frozenset())
    assert graph.order(["s"]) == ("above", "n", "s")  # what it is signed with
    assert verdict({"class_type": "Number", "inputs": {"value": "x"}})[1] == ["invalid_input_type"]
    assert verdict({"class_type": "Add", "inputs": {"a": ["n", 0]}})[1] == ["dependency_cycle"]


def test_a_chain_of_20000_nodes_with_dynamic_inputs_parses(tmp_path):
    raw = {"n0": {"class_type": "Number", "inputs": {"value": 1}}}
    for i in range(1, 20_001):
        source = [f"n{i - 1}", 0]
        inputs = {"all.n0": source, "all.n1": 2} if i % 2 else {"mode": "to", "mode.width": source}
        raw[f"n{i}"] = {"class_type": "Grow" if i % 2 else "Mode", "inputs": inputs}
    raw["s"] = {"class_type": "Show", "inputs": {"value": ["n20000", 0]}}
    parsed = parse_prompt(raw, DEFINITIONS, folders(tmp_path))
    assert parsed.validation.errors == ()
    assert len(parsed.graph.nodes) == 20_002


scalars = st.none() | st.booleans() | st.integers(-3, 99) | st.floats() | st.sampled_from(["to", "one", "red", "x", ""])
ids = st.sampled_from(["n1", "n2", "n3", "n4", "s"])
wire_links = st.tuples(ids, st.integers(0, 2)).map(list)
values = st.recursive(
    wire_links | scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["__value__", "x"]), inner, max_size=2),
    max_leaves=5,
)
names = st.sampled_from(
    ["a", "b", "of", "value", "mode", "mode.width", "mode.other", "all", "all.n0", "all.n1", "all.n0.x", "slot",
     "slot.strength", "x", "mode.", ".", ""]
)  # fmt: skip
entries = st.fixed_dictionaries(
    {"class_type": st.sampled_from([*sorted(DEFINITIONS), "Gone"])}, optional={"inputs": st.dictionaries(names, values)}
)
NOWHERE = Folders(Path("nowhere"), Path("nowhere"), Path("nowhere"), Path("nowhere"), {})


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(ids, entries | values) | values)
def test_no_prompt_raises_and_what_may_run_is_whole(raw):
    parsed = parse_prompt(raw, DEFINITIONS, NOWHERE)
    nodes = parsed.graph.nodes
    assert all(link.source in nodes for node in nodes.values() for link in node.links())
    assert set(parsed.validation.outputs) <= set(nodes)
    assert bool(parsed.validation.outputs) or bool(parsed.validation.errors)
    parsed.graph.order()
    told = {error.node_id for error in parsed.validation.errors}
    assert not told & set(nodes)


CHOICES = Widget("combo", choices=("a",))


def test_an_optional_option_that_is_not_chosen_brings_nothing(tmp_path):
    mode = definition_from_object_info("Mode", {"input": {"optional": {"mode": MODE}}, "output": ["INT"]})
    parsed = parse(tmp_path, {}, "Mode", DEFINITIONS | {"Mode": mode})
    assert parsed.validation.errors == ()
    assert dict(parsed.graph.nodes["n"].inputs) == {}


def test_a_default_option_brings_its_inputs(tmp_path):
    entry = [MODE[0], MODE[1] | {"default": "by"}]
    mode = definition_from_object_info("Mode", {"input": {"required": {"mode": entry}}, "output": ["INT"]})
    parsed = parse(tmp_path, {}, "Mode", DEFINITIONS | {"Mode": mode})
    assert dict(parsed.graph.nodes["n"].inputs) == {"mode": "by", "mode.factor": 2.0}


def test_a_definition_that_names_an_input_twice_takes_it_once(tmp_path):
    twice = (InputSocket("a", "COMBO", CHOICES), InputSocket("a", "COMBO", CHOICES, required=False))
    definition = NodeDefinition("Twice", twice, (OutputSocket("o", "INT"),), category="", display_name="")
    parsed = parse(tmp_path, {"a": "a", "b": 2}, "Twice", DEFINITIONS | {"Twice": definition})
    assert dict(parsed.graph.nodes["n"].inputs) == {"a": "a"}
