"""Every declared node is, on the wire, exactly the node of that name that saved workflows know."""

import json
import types
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import pytest

from executor.schema import MISSING, FolderChoices, Injected, InputSocket, NodeDefinition, NodeType, Result, Widget
from nodes.builtin import builtin_nodes
from nodes.declare import Shown, Socket, collect, node
from nodes.diffusion.sampling.samplers import SAMPLERS
from nodes.diffusion.sampling.schedules import SCHEDULERS
from nodes.registration import BUILT_IN

NEWER: dict[str, dict[str, Any]] = json.loads((Path(__file__).parent / "data" / "newer.json").read_text())
"""Classes that came, or changed, after the recorded ones, as published templates connect them."""
RECORDED: dict[str, dict[str, Any]] = {
    name: recorded
    for file in sorted((Path(__file__).parent / "data").glob("nodes*.json"))
    for name, recorded in json.loads(file.read_text()).items()
    if name not in NEWER
}
NODES = builtin_nodes()
Thing = Annotated[object, Socket("THING")]


def wire_input(socket: InputSocket) -> list[Any]:
    """One input as clients see it: [type or choices, options]."""
    options: dict[str, Any] = {}
    if socket.default is not MISSING:
        options["default"] = socket.default
    widget = socket.widget
    if widget:
        bounds = {"min": widget.min, "max": widget.max, "step": widget.step, "round": widget.round}
        options |= {name: value for name, value in bounds.items() if value is not None}
        flags = {"dynamicPrompts": widget.dynamic_prompts, "control_after_generate": widget.control_after_generate}
        options |= {name: True for name, value in flags.items() if value}
        options |= {"multiline": True} if widget.multiline else {}
        options |= {f"{widget.upload}_upload": True} if widget.upload else {}
        options |= {"display": "color"} if widget.kind == "color" else {}
        if widget.kind == "combo":
            return [[] if isinstance(widget.choices, FolderChoices) else list(widget.choices), options | socket.options]
    options |= {"lazy": True} if socket.lazy else {}
    return [socket.type, options | socket.options]


def recorded_input(entry: list[Any]) -> list[Any]:
    """A recorded input in one of its two notations, without what says nothing: texts for people, flags that are off."""
    options = dict(entry[1]) if len(entry) > 1 else {}
    options.pop("tooltip", None)
    kind = options.pop("options", []) if entry[0] == "COMBO" else entry[0]
    silent = {name for name, value in options.items() if value is False and name != "default"}
    return [kind, {name: value for name, value in options.items() if name not in silent}]


@pytest.mark.parametrize("class_type", sorted(RECORDED))
def test_a_node_has_the_recorded_inputs_in_order(class_type: str) -> None:
    definition, recorded = NODES[class_type].definition, RECORDED[class_type]
    for group, required in (("required", True), ("optional", False)):
        entries = recorded["input"].get(group, {})
        mine = {socket.name: wire_input(socket) for socket in definition.inputs if socket.required is required}
        assert list(mine) == recorded["input_order"].get(group, [])
        assert mine == {name: recorded_input(entry) for name, entry in entries.items()}


@pytest.mark.parametrize("class_type", sorted(RECORDED))
def test_a_node_has_the_recorded_outputs_and_names(class_type: str) -> None:
    definition, recorded = NODES[class_type].definition, RECORDED[class_type]
    assert [socket.type for socket in definition.outputs] == recorded["output"]
    assert [socket.name for socket in definition.outputs] == recorded["output_name"]
    assert [socket.is_list for socket in definition.outputs] == recorded["output_is_list"]
    no_matches = [None] * len(definition.outputs)
    assert [socket.matches for socket in definition.outputs] == (recorded.get("output_matchtypes") or no_matches)
    assert definition.category == recorded["category"]
    assert definition.display_name == (recorded["display_name"] or class_type)
    assert (definition.deprecated, definition.experimental) == (
        recorded.get("deprecated", False),
        recorded.get("experimental", False),
    )
    assert definition.is_output is recorded["output_node"]


OUR_OWN = {"DeepCache"}
"""Nodes that nobody else has."""


def test_every_declared_node_is_compared() -> None:
    ours = {name for name, one in NODES.items() if one.definition.python_module == BUILT_IN}
    assert ours == set(RECORDED) | set(NEWER) | OUR_OWN
    assert set(NODES) - ours == {"IPAdapterAdvanced", "IPAdapterModelLoader"}, "which packs may replace"


@pytest.mark.parametrize("class_type", sorted(NEWER))
def test_a_newer_node_has_the_sockets_that_published_templates_show(class_type: str) -> None:
    definition, shown = NODES[class_type].definition, NEWER[class_type]
    mine = {socket.name: socket.type for socket in definition.inputs}
    for name, kind in shown["inputs"]:
        whole, _, grown = name.partition(".")
        if grown:
            template = next(one for one in definition.inputs if one.name == whole).options["template"]
            assert grown in template["names"]
            (element,) = (template["input"].get("required") or template["input"]["optional"]).values()
            assert element[0] == kind
        else:
            assert mine[name] == kind
    assert [[socket.name, socket.type] for socket in definition.outputs] == shown["outputs"]


@pytest.mark.parametrize("class_type", sorted(RECORDED))
def test_a_node_says_what_it_does(class_type: str) -> None:
    assert NODES[class_type].definition.description.split("\n")[0].endswith((".", ":"))


def test_each_sampler_and_scheduler_in_the_combo_exists() -> None:
    definition = NODES["KSampler"].definition
    for name, table in (("sampler_name", SAMPLERS), ("scheduler", SCHEDULERS)):
        socket = definition.input(name)
        assert socket is not None
        assert socket.widget is not None
        assert set(socket.widget.choices) == set(table)  # type: ignore[arg-type]


def test_injected_resources_are_no_sockets() -> None:
    definition = NODES["KSampler"].definition
    assert definition.injected == {"memory": "DeviceMemory", "progress": "Progress"}
    assert NODES["SaveImage"].definition.injected == {"folders": "Folders", "run": "RunInfo"}


class Pair(NamedTuple):
    first: int
    THING: Thing


@node("Everything", category="test", version=3, lane="loop")
async def everything(
    *, thing: Thing, mode: Literal["a", "b"] = "b", maybe: Thing | None = None, extra: Injected[FolderChoices]
) -> Pair:
    """Has one of each."""
    return Pair(len(mode), (thing, maybe, extra))


@node("Quiet", category="test", is_output=True)
def quiet(*, flag: bool = True) -> Shown:
    """Shows its input."""
    return Shown({"flag": [flag]})


def definition_of(function: object) -> NodeDefinition:
    node_type = getattr(function, "node_type", None)
    assert isinstance(node_type, NodeType)
    return node_type.definition


def test_a_signature_is_the_definition() -> None:
    definition = definition_of(everything)
    assert definition.inputs == (
        InputSocket("thing", "THING"),
        InputSocket("mode", "COMBO", Widget("combo", choices=("a", "b")), "b"),
        InputSocket("maybe", "THING", required=False),
    )
    assert [(output.name, output.type) for output in definition.outputs] == [("first", "INT"), ("THING", "THING")]
    assert (definition.version, definition.lane, definition.description) == (3, "loop", "Has one of each.")


async def test_results_become_outputs_and_what_is_shown() -> None:
    nodes = collect(types.ModuleType("empty"), _module(everything, quiet))
    assert list(nodes) == ["Everything", "Quiet"]
    pending = nodes["Everything"].call(thing=1, mode="b", extra=2)
    assert not isinstance(pending, Result)
    assert await pending == Result((1, (1, None, 2)))
    assert nodes["Quiet"].call(flag=False) == Result((), {"flag": [False]})
    assert nodes["Quiet"].definition.outputs == ()
    assert quiet(flag=False) == Shown({"flag": [False]}), "a node function stays an ordinary function"


def test_two_nodes_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="Two nodes are called Quiet"):
        collect(_module(quiet), _module(quiet))


def test_an_imported_node_is_collected_only_where_it_is_defined() -> None:
    module = types.ModuleType("elsewhere")
    module.quiet = quiet  # type: ignore[attr-defined]
    assert collect(module) == {}


def test_a_positional_or_unknown_parameter_is_refused_at_declaration() -> None:
    with pytest.raises(TypeError, match="'value' must be keyword-only"):

        @node("Bad", category="test")
        def positional(value: int) -> int:
            return value

    with pytest.raises(TypeError, match="'value' has a type that no socket carries"):

        @node("Bad", category="test")
        def unknown(*, value: bytes) -> int:
            return len(value)


def _module(*functions: object) -> types.ModuleType:
    module = types.ModuleType(__name__)
    for function in functions:
        setattr(module, function.__name__, function)  # type: ignore[attr-defined]
    return module


def test_the_bounds_of_a_float_are_floats_whatever_was_declared_before() -> None:
    # Equal annotations are shared by `typing`, so the second declaration gets the first one's 0 and 1.
    first = Annotated[float, Widget("number", min=0, max=1)]
    second = Annotated[float, Widget("number", min=0.0, max=1.0)]

    @node("FloatBounds", category="test")
    def float_bounds(*, one: first = 0.5, two: second = 0.5) -> None: ...

    for socket in float_bounds.node_type.definition.inputs:
        assert socket.widget is not None
        assert (repr(socket.widget.min), repr(socket.widget.max)) == ("0.0", "1.0")
