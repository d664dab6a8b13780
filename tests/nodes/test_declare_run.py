"""What a typed function says of its run: what it waits for, what it checks, what it expands into, what it blocks."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, NamedTuple

import pytest

from executor.context import ExecutingContext, executing
from executor.dynamic_prompt import DynamicPrompt
from executor.progress import Progress
from executor.schema import ExecutionBlocker, NodeType, Result, RunInfo, Widget
from nodes.declare import (
    ApiKey,
    Autogrow,
    Expanded,
    Injected,
    Lazy,
    Shown,
    SubGraph,
    UniqueId,
    node,
)
from nodes.logic import comfy_switch, preview_any
from nodes.types import AnyValue, Image
from tests.nodes.conftest import Watcher


def declared(function: object) -> NodeType:
    node_type = getattr(function, "node_type", None)
    assert isinstance(node_type, NodeType)
    return node_type


async def answer(value: Any) -> Any:
    """What a node type's function says, whether at once or later."""
    return await value if hasattr(value, "__await__") else value


async def first_known(*, count: int, images: Mapping[str, Image | None]) -> Sequence[str]:
    return [f"images.{name}" for name, image in images.items() if image is None][:count]


@node("Patient", category="test", needs=first_known)
def patient(
    *, count: int, images: Annotated[Mapping[str, Lazy[Image]], Autogrow("image")], mask: Lazy[Image] | None = None
) -> Image | ExecutionBlocker:
    return ExecutionBlocker(f"{count} {len(images)} {mask}")


async def test_lazy_inputs_are_asked_for_by_what_is_known() -> None:
    node_type = declared(patient)
    assert node_type.needs is not None
    mask = node_type.definition.input("mask")
    assert mask is not None
    assert (mask.lazy, mask.required) == (True, False)
    images = node_type.definition.input("images")
    assert images is not None
    assert images.options["template"]["input"]["required"] == {"image": ["IMAGE", {"lazy": True}]}
    asked = node_type.needs(count=1, images={"image0": 1, "image1": None, "image2": None}, mask=None)
    assert await answer(asked) == ("images.image1",)
    assert node_type.call(count=1, images={}) == Result((ExecutionBlocker("1 0 None"),))


def test_a_switch_asks_for_the_branch_that_it_passes_on() -> None:
    node_type = declared(comfy_switch)
    assert node_type.needs is not None
    assert node_type.needs(switch=True, on_false=None, on_true=None) == ("on_true",)
    assert node_type.needs(switch=False, on_false=None, on_true=None) == ("on_false",)
    assert node_type.call(switch=True, on_false=None, on_true=5) == Result((5,))
    assert [output.matches for output in node_type.definition.outputs] == ["switch"]


@pytest.mark.parametrize(
    ("value", "text"),
    [("a", "a"), (1.5, "1.5"), (True, "True"), ({"é": [1]}, '{\n  "é": [\n    1\n  ]\n}'), ([{1}], "[{1}]")],
)
def test_any_value_is_shown_as_text(value: object, text: str) -> None:
    assert preview_any(source=value) == Shown({"text": [text]}, (text,))


def even_steps(*, steps: int | None, input_types: Mapping[str, str], mode: str = "x") -> list[str]:
    wrong = [f"value - {input_types['value']} is no number"] if input_types.get("value") == "IMAGE" else []
    return wrong + (["steps - must be even"] if steps is not None and steps % 2 else []) + ([mode] * (mode != "x"))


@node("Checked", category="test", validate=even_steps, per_id=True)
def checked(*, steps: Annotated[int, Widget("number", max=4)], value: AnyValue, other: int = 1) -> int:
    return steps + other + value


def test_a_validation_is_responsible_for_what_it_names() -> None:
    node_type = declared(checked)
    definition, validate = node_type.definition, node_type.validate
    assert (definition.checks, definition.checks_types, definition.per_id) == ({"steps", "mode"}, True, True)
    assert validate is not None
    assert validate(steps=2, other=1, input_types={"value": "INT"}) == ()
    assert validate(steps=9, input_types={}) == ("steps - must be even",)
    assert validate(other=1, input_types={"value": "IMAGE"}) == ("value - IMAGE is no number",), "steps is linked"


def test_a_validation_may_look_at_everything() -> None:
    def all_small(**inputs: int) -> list[str]:
        return [name for name, value in inputs.items() if value > 9]

    @node("CheckedAll", category="test", validate=all_small)
    def small(*, a: int, b: int) -> int:
        return a + b

    node_type = declared(small)
    assert (node_type.definition.checks, node_type.definition.checks_types) == ("all", False)
    assert node_type.validate is not None
    assert node_type.validate(a=1, b=10, input_types={}) == ("b",)


@node("Knowing", category="test")
def knowing(
    *, node_id: Injected[UniqueId], prompt: Injected[DynamicPrompt], run: Injected[RunInfo], key: Injected[ApiKey]
) -> AnyValue:
    return (node_id, prompt, run, key)


@node("Unknowing", category="test")
def unknowing(*, run: Injected[RunInfo], progress: Injected[Progress]) -> None:
    """A run is no part of an identity."""


def test_hidden_inputs_are_injected_and_the_id_becomes_part_of_the_identity() -> None:
    definition = declared(knowing).definition
    assert definition.injected == {
        "node_id": "UNIQUE_ID",
        "prompt": "DynamicPrompt",
        "run": "RunInfo",
        "key": "API_KEY_COMFY_ORG",
    }
    assert (definition.per_id, definition.inputs) == (True, ())
    assert declared(knowing).call(node_id="1", prompt=2, run=3, key=None) == Result((("1", 2, 3, None),))
    assert not declared(unknowing).definition.per_id
    assert declared(unknowing).call(run=1, progress=2) == Result()


class Pair(NamedTuple):
    left: AnyValue
    right: list[AnyValue]


@node("Sum", category="test")
def add(*, a: AnyValue, b: AnyValue) -> AnyValue:
    return (a, b)


@node("Loop", category="test")
def loop(*, value: AnyValue, left: int) -> Pair | Expanded | Shown:
    """Adds one to a value, `left` times: each turn expands into the next."""
    if left == 0:
        return Pair(value, [value])
    if left < 0:
        return Shown({"text": ["done"]}, Pair(1, [2]))
    graph = SubGraph()
    step = graph.add(add, a=value, b=1)
    again = graph.add("Loop", value=step.out(), left=left - 1)
    again.inputs["note"] = "late"
    again.display_id = "7"
    return Expanded(graph, Pair(again.out(), again.out(1)), ui={"text": ["turn"]})  # type: ignore[arg-type]


def test_an_expansion_is_a_graph_with_new_ids() -> None:
    context = ExecutingContext("job", "5", 2, Watcher(), [])
    token = executing.set(context)
    try:
        declared(loop).call(value=0, left=1)
        result = declared(loop).call(value=0, left=3)
    finally:
        executing.reset(token)
    assert result == Result(
        (["5.2.1.2", 0], ["5.2.1.2", 1]),
        {"text": ["turn"]},
        {
            "5.2.1.1": {"class_type": "Sum", "inputs": {"a": 0, "b": 1}},
            "5.2.1.2": {
                "class_type": "Loop",
                "inputs": {"value": ["5.2.1.1", 0], "left": 2, "note": "late"},
                "override_display_id": "7",
            },
        },
    )


def test_a_node_that_may_expand_may_also_answer_at_once() -> None:
    node_type = declared(loop)
    assert [output.is_list for output in node_type.definition.outputs] == [False, True]
    assert node_type.call(value=3, left=0) == Result((3, [3]))
    assert node_type.call(value=3, left=-1) == Result((1, [2]), {"text": ["done"]})


def test_outside_of_a_run_the_ids_are_plain() -> None:
    graph = SubGraph()
    assert [graph.add("A").id, graph.add("B").id] == ["1", "2"]


def test_only_nodes_can_be_added() -> None:
    with pytest.raises(TypeError, match="is no node"):
        SubGraph().add(len)


def test_a_blocker_fills_every_output() -> None:
    @node("Blocks", category="test")
    def blocks() -> Pair | ExecutionBlocker:
        return ExecutionBlocker("stop")

    assert declared(blocks).call() == Result((ExecutionBlocker("stop"),) * 2)


async def test_a_coroutine_function_runs_on_the_loop() -> None:
    @node("Later", category="test")
    async def later(*, value: AnyValue) -> AnyValue:
        return value

    assert declared(later).definition.lane == "loop"
    assert await answer(declared(later).call(value=None)) == Result((None,)), "None is a value where one is promised"
    assert declared(add).definition.lane == "thread"
