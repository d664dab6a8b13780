"""What nodes say of their own inputs (VALIDATE_INPUTS), asked at the door."""

import asyncio

import pytest

from executor.context import executing
from executor.object_info import definition_from_object_info
from executor.prompt import parse_prompt, stale_types
from tests.executor.toys import definitions, folders, prompt

KNOWN = definitions()
COMBO = {"options": [{"key": "to", "inputs": {"required": {"width": ["INT", {}]}}}]}
INPUTS = {"required": {"mode": ["COMFY_DYNAMICCOMBO_V3", COMBO]}}
RESIZE = definition_from_object_info("Resize", {"input": INPUTS, "output": ["INT"]})


class Asked(list):
    """Remembers what a validator was given."""

    def answer(self, *complaints, later=False):
        def validate(**given):
            self.append(given)
            return self._later(complaints) if later else list(complaints)

        return validate

    async def _later(self, complaints):
        await asyncio.sleep(0)
        return list(complaints)


def check(tmp_path, text, validators, outputs, errors):
    """The outputs that may run, and `node.input: details` of each error."""
    parsed = parse_prompt(prompt(text), KNOWN, folders(tmp_path), None, validators)
    assert parsed.validation.outputs == outputs
    assert [
        f"{error.node_id}.{error.extra_info['input_name']}: {error.details}"
        for error in parsed.validation.errors
        if error.node_id
    ] == errors
    return parsed


@pytest.mark.parametrize("later", [False, True])
def test_a_node_is_asked_with_its_literals_and_the_types_of_its_links(tmp_path, later):
    asked = Asked()
    text = "a = Number 1\nb = Divide a 3\ns = Show b\nunused = Divide 1 2"
    check(tmp_path, text, {"Divide": asked.answer(later=later)}, ("s",), [])
    assert asked == [{"b": 3, "input_types": {"a": "INT"}}]


@pytest.mark.parametrize("later", [False, True])
def test_a_complaint_spoils_the_outputs_that_depend_on_the_node(tmp_path, later):
    asked = Asked()
    validators = {"Divide": asked.answer("b - must not be 3", later=later)}
    text = "a = Number 1\nb = Divide a 3\ns = Show b\nt = Show a"
    parsed = check(tmp_path, text, validators, ("t",), ["b.b: b - must not be 3"])
    (error,) = parsed.validation.errors
    assert (error.type, error.message) == ("custom_validation_failed", "Custom validation failed for node")
    assert (error.class_type, error.dependent_outputs) == ("Divide", ("s",))
    assert set(parsed.graph.nodes) == {"a", "t"}


def test_an_input_is_complained_of_once_however_often_the_node_says_so(tmp_path):
    validators = {"Divide": Asked().answer("b - wrong", "a", "b - wrong", "b", "a")}
    check(tmp_path, "d = Divide 1 2\ns = Show d", validators, (), ["d.b: b - wrong", "d.a: a"])


def test_one_complaint_may_come_without_a_list(tmp_path):
    check(tmp_path, "d = Divide 1 2\ns = Show d", {"Divide": lambda **_: "b - wrong"}, (), ["d.b: b - wrong"])


def test_a_node_of_which_something_is_wrong_is_not_asked(tmp_path):
    asked = Asked()
    text = "d = Divide x 2\ne = Divide d 2\ns = Show e"
    check(tmp_path, text, {"Divide": asked.answer()}, (), ["d.a: a, 'x', 'x' is not a number"])
    assert asked == [{"b": 2, "input_types": {"a": "INT"}}]


def test_complaints_stand_between_the_errors_of_other_nodes(tmp_path):
    text = "n = Number x\nd = Divide n 2\np = Pick green\ns = Show d\nt = Show p"
    expected = ["n.value: value, 'x', 'x' is not a number", "d.b: b", "p.of: of: 'green' not in ['red', 'blue']"]
    check(tmp_path, text, {"Divide": Asked().answer("b")}, (), expected)


@pytest.mark.parametrize("later", [False, True])
def test_a_validator_that_fails_is_told_in_a_sentence(tmp_path, caplog, later):
    def validate(**_):
        if later:
            return failing()
        raise LookupError("no such file.")

    async def failing():
        raise LookupError("no such file.")

    parsed = parse_prompt(prompt("d = Divide 1 2\ns = Show d"), KNOWN, folders(tmp_path), None, {"Divide": validate})
    error = parsed.validation.errors[1]
    assert (error.type, error.node_id, error.message) == (
        "exception_during_validation",
        "d",
        "Exception when validating node",
    )
    assert error.details == (
        "Divide could not check its inputs: no such file (LookupError); change them, or tell the author of the node."
    )
    assert error.extra_info["exception_type"] == "LookupError"
    assert error.extra_info["traceback"] == []
    assert "LookupError: no such file." in caplog.text
    assert error.dependent_outputs == ("s",)


@pytest.mark.parametrize("later", [False, True])
def test_a_validator_may_learn_which_node_it_is_asked_about(tmp_path, later):
    asked = []

    def validate(**_):
        return answer() if later else note()

    async def answer():
        await asyncio.sleep(0)
        return note()

    def note():
        asked.append(executing.get().node_id)
        return []

    check(tmp_path, "d = Divide 1 2\ne = Divide d 2\ns = Show e", {"Divide": validate}, ("s",), [])
    assert asked == ["d", "e"]
    assert executing.get() is None


@pytest.mark.parametrize("answer", [3, True])
def test_an_answer_that_is_no_list_is_a_failure_of_the_node(tmp_path, answer):
    raw = prompt("d = Divide 1 2\ns = Show d")
    errors = parse_prompt(raw, KNOWN, folders(tmp_path), None, {"Divide": lambda **_: answer}).validation.errors
    assert [error.type for error in errors[1:]] == ["exception_during_validation"]


def test_dynamic_inputs_reach_the_validator_nested(tmp_path):
    asked = Asked()
    raw = {
        "r": {"class_type": "Resize", "inputs": {"mode": "to", "mode.width": 5}},
        "s": {"class_type": "Show", "inputs": {"value": ["r", 0]}},
    }
    parsed = parse_prompt(raw, KNOWN | {"Resize": RESIZE}, folders(tmp_path), None, {"Resize": asked.answer()})
    assert parsed.validation.errors == ()
    assert asked == [{"mode": {"mode": "to", "width": 5}, "input_types": {}}]


def test_types_whose_choices_may_be_out_of_date_are_named(tmp_path):
    raw = prompt("p = Pick green\nr = Read gone.png\nn = Number x\ns = Show p\nt = Show r\nu = Show n\nq = Pick red")
    assert stale_types(parse_prompt(raw, KNOWN, folders(tmp_path)).validation) == {"Pick", "Read"}
    assert stale_types(parse_prompt(prompt("n = Number 1\ns = Show n"), KNOWN, folders(tmp_path)).validation) == set()
