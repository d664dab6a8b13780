"""What the nodes of an expansion become: leniently read, since code made them; and what is refused nevertheless."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from executor.expansion_prompt import expanded_nodes
from executor.graph import Link
from executor.schema import FolderChoices, InputSocket, NodeDefinition, OutputSocket, Widget

TENSOR = object()
COMBO = {"options": [{"key": "a", "inputs": {"required": {"n": ["INT", {}]}}}, {"key": "b"}]}


def define(class_type, *inputs, outputs=1, **more):
    sockets = tuple(OutputSocket(f"out{i}", "*") for i in range(outputs))
    return NodeDefinition(class_type, inputs, sockets, category="", display_name=class_type, **more)


VALUE = InputSocket("value", "INT", Widget("number", min=0, max=9))
DEFINITIONS = {
    definition.class_type: definition
    for definition in (
        define("Int", VALUE),
        define("Default", InputSocket("value", "INT", Widget("number"), default=5)),
        define("Optional", InputSocket("value", "INT", Widget("number"), default=5, required=False)),
        define("Float", InputSocket("value", "FLOAT", Widget("number"))),
        define("String", InputSocket("value", "STRING", Widget("text"))),
        define("Flag", InputSocket("value", "BOOLEAN", Widget("toggle"))),
        define("File", InputSocket("value", "COMBO", Widget("combo", choices=FolderChoices("input")))),
        define("Image", InputSocket("value", "IMAGE")),
        define("Raw", InputSocket("value", "FLOW", raw_link=True)),
        define("Links", VALUE, accepts="links"),
        define("Any", VALUE, accepts="any"),
        define("Mode", InputSocket("value", "COMFY_DYNAMICCOMBO_V3", options=COMBO)),
        define("End", InputSocket("value", "*"), outputs=0),
    )
}
KNOWN = frozenset({"7", "2"})


def expand(raw):
    nodes, errors = expanded_nodes(raw, DEFINITIONS, KNOWN)
    return {node.id: dict(node.inputs) for node in nodes}, [(e.node_id, e.type, e.message, e.details) for e in errors]


LITERALS = [
    ("Int", 100, 100),
    ("Int", "64", 64),
    ("Int", 64.0, 64),
    ("Int", 64.5, 64.5),
    ("Int", "x", "x"),
    ("Int", TENSOR, TENSOR),
    ("Int", [64, 64], [64, 64]),
    ("Int", ("7", 0), ("7", 0)),
    ("Int", ["7", 0], Link("7", 0)),
    ("Int", ["7", 0.0], Link("7", 0)),
    ("Int", ["7", -1], ["7", -1]),
    ("Int", ["7", True], ["7", True]),
    ("Int", ["7", 0, 0], ["7", 0, 0]),
    ("Int", {"__value__": ["7", 0]}, ["7", 0]),
    ("Float", 1, 1.0),
    ("Float", "nan", "nan"),
    ("String", 5, "5"),
    ("String", True, True),
    ("Flag", "false", False),
    ("Flag", 2, 2),
    ("File", "gone.png", "gone.png"),
    ("Image", None, None),
    ("Image", TENSOR, TENSOR),
    ("Raw", ["7", 1], Link("7", 1)),
    ("Raw", "x", "x"),
    ("Default", None, 5),
]


@pytest.mark.parametrize(("class_type", "value", "expected"), LITERALS)
def test_literals_pass_as_they_are_unless_nothing_is_lost_by_converting_them(class_type, value, expected):
    nodes, errors = expand({"a": {"class_type": class_type, "inputs": {"value": value}}})
    assert errors == []
    assert nodes["a"] == {"value": expected}
    assert type(nodes["a"]["value"]) is type(expected)


INPUTS = [
    ("nothing given", "Int", {}, {}),
    ("nothing given at all", "Int", None, {}),
    ("a default", "Default", {}, {"value": 5}),
    ("no default where the node runs without", "Optional", {}, {}),
    ("others are dropped", "Int", {"value": 1, "x": 2, "y": ["7", 0]}, {"value": 1}),
    ("links are kept", "Links", {"value": 1, "x": 2, "y": ["7", 0]}, {"value": 1, "y": Link("7", 0)}),
    ("all is kept", "Any", {"x": TENSOR, "y": ["7", 0]}, {"x": TENSOR, "y": Link("7", 0)}),
    ("an option", "Mode", {"value": "a", "value.n": "3", "value.m": 1}, {"value": "a", "value.n": 3}),
    ("an unknown option", "Mode", {"value": "x", "value.n": "3"}, {"value": "x", "value.n": "3"}),
    ("no option", "Mode", {"value.n": ["7", 0]}, {"value.n": Link("7", 0)}),
]


@pytest.mark.parametrize(("class_type", "inputs", "expected"), [c[1:] for c in INPUTS], ids=[c[0] for c in INPUTS])
def test_inputs_are_read_leniently(class_type, inputs, expected):
    entry = {"class_type": class_type, "inputs": inputs, "_meta": {"title": "t"}, "override_display_id": "7"}
    assert expand({"a": entry}) == ({"a": expected}, [])


def test_nodes_of_an_expansion_link_to_each_other_in_any_order():
    raw = {
        "5.0.0.1": {"class_type": "End", "inputs": {"value": ["5.0.0.2", 0]}},
        "5.0.0.2": {"class_type": "Image", "inputs": {"value": ["7", 3]}},
    }
    nodes, errors = expand(raw)
    assert errors == []
    assert list(nodes) == ["5.0.0.1", "5.0.0.2"]
    assert nodes["5.0.0.1"] == {"value": Link("5.0.0.2", 0)}


REFUSED = [
    ({"class_type": "Gone", "inputs": {}}, "missing_node_type", "Node type 'Gone' is not known here"),
    ({"inputs": {}}, "invalid_prompt", "'a'"),
    ([1], "invalid_prompt", "'a'"),
    ({"class_type": "Int", "inputs": [1]}, "invalid_prompt", "'a'"),
    ({"class_type": "Int", "inputs": {"value": ["9", 0]}}, "bad_linked_input", "'a' (Int)"),
    ({"class_type": "Int", "inputs": {"value": ["end", 0]}}, "bad_linked_input", "'a' (Int)"),
    ({"class_type": "Links", "inputs": {"other": ["9", 0]}}, "bad_linked_input", "'a' (Links)"),
]


@pytest.mark.parametrize(("entry", "kind", "piece"), REFUSED)
def test_what_cannot_run_is_told_with_the_node_and_what_to_do(entry, kind, piece):
    _, [(node_id, found, message, details)] = expand({"a": entry, "end": {"class_type": "End"}})
    assert (node_id, found) == ("a", kind)
    assert piece in message
    assert details


def test_an_id_that_the_run_has_already_is_refused():
    nodes, [(node_id, kind, message, details)] = expand({"2": {"class_type": "Int", "inputs": {"value": 1}}})
    assert (nodes, node_id, kind) == ({}, "2", "invalid_prompt")
    assert message == "The id of the expanded node '2' (Int) is taken"
    assert details == "the run has a node '2' already; the node that expands must give new ids."


def test_a_dangling_link_says_where_links_may_lead():
    _, [(*_, details)] = expand({"a": {"class_type": "Int", "inputs": {"value": ["euler", 20]}}})
    assert details == (
        "value: there is no node 'euler' in the expansion or in the run; link to one that there is;"
        ' a list that is no link goes as {"__value__": [...]}.'
    )


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=3)
    | st.sampled_from(["a", "7", "value"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2) | st.integers(), inner, max_size=3),
    max_leaves=8,
)
names = st.sampled_from(["value", "value.n", "other", 3])
entries = st.fixed_dictionaries(
    {"class_type": st.sampled_from([*DEFINITIONS, "Gone", 3])}, optional={"inputs": st.dictionaries(names, anything)}
)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from(["a", "b", 3]), entries | anything))
def test_no_expansion_raises(raw):
    nodes, errors = expanded_nodes(raw, DEFINITIONS, KNOWN)
    assert {node.id for node in nodes} | {error.node_id for error in errors} == {str(key) for key in raw}
    assert all(isinstance(name, str) for node in nodes for name in node.inputs)
