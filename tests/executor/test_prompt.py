"""What is wrong with a prompt, in the words of the protocol; and what of it may still run."""

import pytest

from executor.graph import Link
from executor.prompt import parse_prompt
from tests.executor.toys import chain, definitions, folders, prompt

KNOWN = definitions()


def parse(tmp_path, raw, targets=None):
    return parse_prompt(raw, KNOWN, folders(tmp_path), targets)


def summary(parsed):
    return [(error.node_id, error.type, error.details) for error in parsed.validation.errors]


REFUSED = [
    ("null", None, "no_prompt"),
    ("a list", [1, 2], "invalid_prompt"),
    ("a text", "{}", "invalid_prompt"),
    ("no node at all", {}, "prompt_no_outputs"),
    ("no output", prompt("a = Number 1"), "prompt_no_outputs"),
    ("a node that is a list", {"1": [1]}, "invalid_prompt"),
    ("a node without a class", {"1": {"inputs": {}}}, "invalid_prompt"),
    ("a class that is a number", {"1": {"class_type": 7, "inputs": {}}}, "invalid_prompt"),
    ("inputs that are a list", {"1": {"class_type": "Show", "inputs": [1]}}, "invalid_prompt"),
    ("an unknown class", {"1": {"class_type": "Shwo", "inputs": {}}}, "missing_node_type"),
    ("no inputs given", {"1": {"class_type": "Show"}}, "prompt_outputs_failed_validation"),
]


@pytest.mark.parametrize(("raw", "kind"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_a_prompt_of_which_nothing_can_run_says_first_why(tmp_path, raw, kind):
    parsed = parse(tmp_path, raw)
    assert parsed.validation.outputs == ()
    first = parsed.validation.errors[0]
    assert (first.type, first.node_id) == (kind, None)
    assert first.message
    assert len(parsed.graph.nodes) == 0


@pytest.mark.parametrize(
    ("targets", "outputs"), [(None, ("d", "e")), (["e"], ("e",)), (["b", "e", "x"], ("e",)), ([], ()), (["b"], ())]
)
def test_targets_choose_among_the_outputs(tmp_path, targets, outputs):
    parsed = parse(tmp_path, prompt("a = Number 3\nb = Add a 1\nd = Show b\ne = Show a"), targets)
    assert parsed.validation.outputs == outputs
    if not outputs:
        assert parsed.validation.errors[0].type == "prompt_no_outputs"


def test_an_unknown_class_anywhere_refuses_the_prompt_and_other_errors_are_told_too(tmp_path):
    raw = prompt("a = Number 1\ns = Show a\nn = Number x\nt = Show n")
    raw["9"] = {"class_type": "Gone", "inputs": {"x": ["n", 0]}, "_meta": {"title": "My node"}}
    raw["8"] = {"class_type": "Lost", "inputs": {}}
    parsed = parse(tmp_path, raw)
    assert parsed.validation.outputs == ()
    found = [(error.type, error.node_id) for error in parsed.validation.errors]
    assert found == [
        ("missing_node_type", None),
        ("missing_node_type", "9"),
        ("missing_node_type", "8"),
        ("invalid_input_type", "n"),
    ]
    first = parsed.validation.errors[0]
    assert first.extra_info == {"node_id": "9", "class_type": "Gone", "node_title": "My node"}
    assert first.details == "Node ID '#9'"
    assert "'Gone'" in first.message


NO_LINK = 'a: it is no link; connect the input again, or send a list as {"__value__": [...]}.'
ERRORS = [
    ("Number value=1.5", "invalid_input_type", "value, 1.5, 1.5 is not a whole number"),
    ("Number value=-2000", "value_smaller_than_min", "value"),
    ("Number value=99999999", "value_bigger_than_max", "value"),
    ("Ratio 2.5", "value_bigger_than_max", "ratio"),
    ("Ratio", "required_input_missing", "ratio"),
    ("Ratio null", "required_input_missing", "ratio"),
    ("Ratio ratoi=0.5", "required_input_missing", "ratio: Ratio has no input 'ratoi'; did you mean 'ratio'?"),
    ("Number vlaue=5", "required_input_missing", "value: Number has no input 'vlaue'; did you mean 'value'?"),
    ("Flag maybe", "invalid_input_type", "flag, 'maybe', 'maybe' is neither true nor false"),
    ("Text true", "invalid_input_type", "text, True, a text is needed, not true or false"),
    ("Pick green", "value_not_in_list", "of: 'green' not in ['red', 'blue']"),
    ("Add", "required_input_missing", "a"),
    ("Add z", "invalid_input_type", "a, 'z', 'z' is not a number"),
    ("Add a=[1,2,3]", "bad_linked_input", NO_LINK),
    ('Add a=["gone",0]', "bad_linked_input", "a: there is no node 'gone'; connect the input again."),
    ('Add a=["one",1]', "bad_linked_input", "a: node 'one' (Number) has 1 outputs, so there is no [1]."),
    ('Add a=["one",-1]', "bad_linked_input", NO_LINK),
    ('Add a=["one",0.5]', "bad_linked_input", NO_LINK),
    ('Add a=["word",0]', "return_type_mismatch", "a, received_type(STRING) mismatch input_type(INT)"),
    ("Use 3", "bad_linked_input", "thing: THING comes only from another node, so connect one."),
    (
        'Number extra=["one",0]',
        "bad_linked_input",
        "extra: Number has no input of this name; remove the link or connect it again.",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("bad", "kind", "details"), ERRORS, ids=[case[0] for case in ERRORS])
def test_every_error_names_its_input_and_the_outputs_it_spoils(tmp_path, bad, kind, details):
    parsed = parse(
        tmp_path, prompt(f"one = Number 1\nword = Text x\nbad = {bad}\ns = Show bad\nt = Show one\nu = Show word")
    )
    assert parsed.validation.outputs == ("t", "u")
    (error,) = parsed.validation.errors
    assert (error.node_id, error.type, error.details) == ("bad", kind, details)
    assert error.class_type == bad.split()[0]
    assert error.dependent_outputs == ("s",)
    assert error.extra_info["input_name"] == details.partition(",")[0].partition(":")[0]
    assert "bad" not in parsed.graph.nodes
    assert set(parsed.graph.nodes) == {"one", "word", "t", "u"}


def test_errors_have_the_extra_info_that_clients_parse(tmp_path):
    raw = prompt(
        "a = Number value=-2000\nw = Text x\nb = Add w\np = Pick green\nr = Ratio x"
        "\ns = Show a\nt = Show b\nu = Show p\nv = Show r"
    )
    found = {error.node_id: error for error in parse(tmp_path, raw).validation.errors}
    assert found["a"].message == "Value -2000 smaller than min of -1000"
    assert found["a"].extra_info == {
        "input_name": "value",
        "input_config": ["INT", {"default": 0, "min": -1000, "max": 10_000_000}],
        "received_value": -2000,
    }
    assert found["b"].message == "Return type mismatch between linked nodes"
    assert found["b"].extra_info == {
        "input_name": "a",
        "input_config": ["INT", {"forceInput": True}],
        "received_type": "STRING",
        "linked_node": ["w", 0],
    }
    assert found["p"].extra_info["input_config"] == [["red", "blue"], {}]
    assert found["r"].message == "Failed to convert an input value to a FLOAT value"
    assert found["r"].extra_info["exception_message"] == "'x' is not a number"
    assert found[None].type == "prompt_outputs_failed_validation"
    assert len(found[None].details.splitlines()) == 4


VALUES = [
    ("Number 64.0", "value", 64),
    ('Number "64"', "value", 64),
    ('Number "64.0"', "value", 64),
    ("Number", "value", 0),
    ("Number null", "value", 0),
    ("Ratio 1", "ratio", 1.0),
    ('Ratio "0.5"', "ratio", 0.5),
    ("Text 5", "text", "5"),
    ("Flag true", "flag", True),
    ('Flag "false"', "flag", False),
    ('Flag "True"', "flag", True),
    ("Flag 0", "flag", False),
    ('Number {"__value__":7}', "value", 7),
    ("Pick blue", "of", "blue"),
    ('Add ["one",0.0]', "a", Link("one", 0)),
    ("Add [77,0]", "a", Link("77", 0)),
]


@pytest.mark.parametrize(("node", "name", "value"), VALUES, ids=[case[0] for case in VALUES])
def test_values_are_converted_where_nothing_is_lost(tmp_path, node, name, value):
    parsed = parse(tmp_path, prompt(f"one = Number 1\n77 = Number 1\nn = {node}\ns = Show n"))
    assert parsed.validation.errors == ()
    found = parsed.graph.nodes["n"].inputs[name]
    assert (found, type(found)) == (value, type(value))


def test_literals_that_no_input_is_for_are_dropped(tmp_path):
    parsed = parse(tmp_path, prompt("n = Number 1 upload=image\ns = Show n"))
    assert parsed.validation.errors == ()
    assert dict(parsed.graph.nodes["n"].inputs) == {"value": 1}


def test_optional_inputs_may_be_left_out_and_unions_fit(tmp_path):
    raw = prompt(
        "a = Number 1\nr = Ratio 0.5\ne = Either b=r\nf = Either a\ng = Either b=a\ns = Show e\nt = Show f\nu = Show g"
    )
    parsed = parse(tmp_path, raw)
    assert parsed.validation.errors == ()
    assert dict(parsed.graph.nodes["e"].inputs) == {"b": Link("r", 0)}


FILES = [
    ("cat.png", None),
    ("cat.png [input]", None),
    ("made.png [output]", None),
    ("deep/dog.png", None),
    ("gone.png", "value_not_in_list"),
    ("gone.png [output]", "value_not_in_list"),
    ("../secret.png", "value_not_in_list"),
    ("/etc/passwd", "value_not_in_list"),
]


@pytest.mark.parametrize(("name", "error"), FILES)
def test_pictures_may_be_named_by_folder_but_not_outside_it(tmp_path, name, error):
    found = folders(tmp_path)
    (found.input / "deep").mkdir()
    for path in (
        found.input / "cat.png",
        found.output / "made.png",
        found.input / "deep/dog.png",
        tmp_path / "secret.png",
    ):
        path.write_bytes(b"x")
    raw = {
        "r": {"class_type": "Read", "inputs": {"file": name}},
        "s": {"class_type": "Show", "inputs": {"value": ["r", 0]}},
    }
    parsed = parse_prompt(raw, KNOWN, found)
    assert [e.type for e in parsed.validation.errors if e.node_id] == ([error] if error else [])


def test_many_choices_are_counted_not_listed(tmp_path):
    found = folders(tmp_path)
    for i in range(25):
        (found.input / f"{i}.png").write_bytes(b"x")
    raw = prompt("r = Read gone.png\ns = Show r")
    error = parse_prompt(raw, KNOWN, found).validation.errors[1]
    assert error.details == "file: 'gone.png' not in (list of length 25)"
    assert error.extra_info["input_config"] is None


CYCLES = [
    ("4 = Add 7\n7 = Add 4\ns = Show 7\na = Number 1\nt = Show a", "4 -> 7 -> 4", "4"),
    ("5 = Add 5\ns = Show 5\na = Number 1\nt = Show a", "5 -> 5", "5"),
    ("a = Number 1\nx = Add z\ny = Add x\nz = Add y\nw = Add z\ns = Show w\nt = Show a", "x -> y -> z -> x", "x"),
]


@pytest.mark.parametrize(("text", "path", "node_id"), CYCLES)
def test_a_cycle_shows_its_path_and_spoils_only_what_depends_on_it(tmp_path, text, path, node_id):
    parsed = parse(tmp_path, prompt(text))
    assert parsed.validation.outputs == ("t",)
    (error,) = parsed.validation.errors
    assert (error.type, error.node_id, error.details) == ("dependency_cycle", node_id, path)
    assert error.extra_info == {"cycle_nodes": path.split(" -> ")[:-1]}
    assert error.dependent_outputs == ("s",)


def test_a_cycle_that_nothing_needs_does_not_matter(tmp_path):
    parsed = parse(tmp_path, prompt("4 = Add 7\n7 = Add 4\na = Number 1\nt = Show a"))
    assert parsed.validation.errors == ()


def test_all_errors_come_at_once_in_the_order_of_the_prompt(tmp_path):
    text = "a = Number x\nb = Add a b=y\nc = Pick green\ns = Show b\nt = Show c\nu = Show missing=1"
    assert summary(parse(tmp_path, prompt(text)))[1:] == [
        ("a", "invalid_input_type", "value, 'x', 'x' is not a number"),
        ("b", "invalid_input_type", "b, 'y', 'y' is not a number"),
        ("c", "value_not_in_list", "of: 'green' not in ['red', 'blue']"),
        ("u", "required_input_missing", "value"),
    ]


def test_a_node_above_a_bad_link_is_checked_too(tmp_path):
    parsed = parse(tmp_path, prompt('w = Text true\nb = Add a=["w",0]\ns = Show b'))
    assert [error.type for error in parsed.validation.errors[1:]] == ["invalid_input_type", "return_type_mismatch"]
    assert all(error.dependent_outputs == ("s",) for error in parsed.validation.errors[1:])


def test_a_chain_of_20000_nodes_parses_and_so_does_a_broken_one(tmp_path):
    assert parse(tmp_path, chain(20_000)).validation.outputs == ("shown",)
    broken = chain(20_000)
    for i in range(1, 20_001):
        broken[f"n{i}"]["inputs"]["b"] = "x"
    errors = parse(tmp_path, broken).validation.errors
    assert len(errors) == 20_001
    assert all(error.dependent_outputs == ("shown",) for error in errors[1:])
    closed = chain(20_000)
    closed["n0"] = {"class_type": "Add", "inputs": {"a": ["n20000", 0]}}
    assert parse(tmp_path, closed).validation.errors[1].type == "dependency_cycle"


@pytest.mark.parametrize(
    ("meta", "says"),
    [
        (None, "install the pack that has it or replace the node."),
        ({"title": "T"}, "install the pack that has it or replace the node."),
        ({"cnr_id": "fancy"}, "install the pack 'fancy' or replace the node."),
        ({"aux_id": "some/fancy"}, "install the pack 'some/fancy' or replace the node."),
        ({"cnr_id": "comfy-core"}, "it is one of ComfyUI's that Heddle does not have, so replace the node."),
        ({"cnr_id": 5}, "install the pack that has it or replace the node."),
    ],
)
def test_the_pack_of_an_unknown_node_is_named_where_it_is_known(tmp_path, meta, says):
    [error] = [
        error
        for error in parse(tmp_path, {"1": {"class_type": "Gone", "inputs": {}, "_meta": meta}}).validation.errors
        if error.node_id is not None
    ]
    assert error.message == f"Node type 'Gone' is not known here; {says}"
