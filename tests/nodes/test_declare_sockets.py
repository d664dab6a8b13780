"""Every socket that a typed function can have: what it is on the wire, and what the function receives."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Generic, Literal, NamedTuple, TypeVar

import pytest

from executor.object_info import input_info
from executor.schema import InputError, NodeType, Result, Widget
from nodes.declare import Autogrow, Injected, Lazy, RawLink, Socket, Tooltip, node
from nodes.types import AnyValue, Image, Mask

RECORDED: dict[str, Any] = json.loads((Path(__file__).parent / "data" / "dynamic_nodes.json").read_text())
Thing = Annotated[object, Socket("THING")]
Whole = Annotated[int, Widget("number", min=0, max=16384, step=1)]
Crop = Literal["disabled", "center"]


def declared(function: object) -> NodeType:
    node_type = getattr(function, "node_type", None)
    assert isinstance(node_type, NodeType)
    return node_type


def check_wire(function: object, recorded: str) -> None:
    """The node's inputs and outputs are on the wire exactly those that were recorded."""
    definition, entry = declared(function).definition, RECORDED[recorded]
    described = {
        socket.name: input_info(socket, socket.widget.choices if socket.widget else ())  # type: ignore[arg-type]
        for socket in definition.inputs
    }
    for name, info in entry["input"]["required"].items():
        kind, options = info
        if kind == "COMBO":  # the outermost combos are written in the older of the two ways
            choices = options.pop("options")
            assert options.pop("multiselect") is False
            kind = choices
        assert described[name] == [kind, options]
    assert [output.type for output in definition.outputs] == entry["output"]
    assert [output.name for output in definition.outputs] == entry["output_name"]
    assert [output.matches for output in definition.outputs] == (entry["output_matchtypes"] or [None])


@node("BatchImages", category="test")
def batch_images(*, images: Annotated[Mapping[str, Image], Autogrow("image", min=2, max=50)]) -> Image:
    return [*images.items()]  # type: ignore[return-value]


def test_sockets_that_grow_are_those_of_comfyui_and_arrive_as_a_mapping() -> None:
    check_wire(batch_images, "BatchImagesNode")
    call = declared(batch_images).call
    assert call(images={"image0": 1, "image1": 2}) == Result(([("image0", 1), ("image1", 2)],))


@dataclass(frozen=True)
class ByMultiplier:
    key: ClassVar[str] = "scale by multiplier"
    multiplier: Annotated[float, Widget("number", min=0.01, max=8.0, step=0.01)] = 1.0


@dataclass(frozen=True)
class Dimensions:
    key: ClassVar[str] = "scale dimensions"
    width: Whole = 512
    height: Whole = 512
    crop: Crop = "center"


@dataclass(frozen=True)
class Longer:
    key: ClassVar[str] = "scale longer dimension"
    longer_size: Whole = 512


@dataclass(frozen=True)
class Shorter:
    key: ClassVar[str] = "scale shorter dimension"
    shorter_size: Whole = 512


@dataclass(frozen=True)
class Width:
    key: ClassVar[str] = "scale width"
    width: Whole = 512


@dataclass(frozen=True)
class Height:
    key: ClassVar[str] = "scale height"
    height: Whole = 512


@dataclass(frozen=True)
class Pixels:
    key: ClassVar[str] = "scale total pixels"
    megapixels: Annotated[float, Widget("number", min=0.01, max=16.0, step=0.01)] = 1.0


@dataclass(frozen=True)
class Match:
    key: ClassVar[str] = "match size"
    match: Image | Mask
    crop: Crop = "center"


InputType = TypeVar("InputType", Image, Mask)


class Resized(NamedTuple, Generic[InputType]):
    resized: InputType


@node("Resize", category="test")
def resize(
    *,
    input: InputType,  # noqa: A002 - the recorded name
    resize_type: ByMultiplier | Dimensions | Longer | Shorter | Width | Height | Pixels | Match,
    scale_method: Literal["nearest-exact", "bilinear", "area", "bicubic", "lanczos"] = "area",
) -> Resized[InputType]:
    return Resized((input, resize_type, scale_method))  # type: ignore[arg-type]


def test_inputs_that_depend_on_a_choice_are_those_of_comfyui_and_arrive_as_the_option() -> None:
    check_wire(resize, "ResizeImageMaskNode")
    call = declared(resize).call
    chosen = {"resize_type": "scale dimensions", "width": 5, "height": 6}
    expected = Result(((1, Dimensions(5, 6, "center"), "area"),))
    assert call(input=1, resize_type=chosen, scale_method="area") == expected
    chosen = {"resize_type": "match size", "match": 3, "crop": "disabled"}
    expected = Result(((1, Match(3, "disabled"), "area"),))  # type: ignore[arg-type]
    assert call(input=1, resize_type=chosen, scale_method="area") == expected


def test_a_validation_gets_the_option_with_what_is_known_of_it() -> None:
    def judged(*, mode: Width | Match) -> list[str]:
        return [f"mode - {mode}"]

    @node("Judged", category="test", validate=judged)
    def judged_node(*, mode: Width | Match) -> AnyValue:
        return mode

    validate = declared(judged_node).validate
    assert validate is not None
    assert validate(mode={"mode": "scale width", "width": 3}, input_types={}) == (f"mode - {Width(3)}",)
    expected = Match(None, "disabled")  # type: ignore[arg-type]
    linked = {"mode": "match size", "crop": "disabled"}
    assert validate(mode=linked, input_types={"mode.match": "MASK"}) == (f"mode - {expected}",)


@dataclass(frozen=True)
class Nested:
    key: ClassVar[str] = "nested"
    inner: ByMultiplier | Longer
    things: Annotated[Mapping[str, Thing], Autogrow(names=("a", "b"), min=0)]
    note: str | None = None


@node("Deep", category="test")
def deep(*, mode: Nested | Width) -> AnyValue:
    return mode


def test_a_choice_may_contain_choices_and_growing_sockets() -> None:
    call = declared(deep).call
    given = {"mode": "nested", "inner": {"inner": "scale by multiplier", "multiplier": 2.0}, "things": {"b": 1}}
    assert call(mode=given) == Result((Nested(ByMultiplier(2.0), {"b": 1}),))
    assert call(mode=given | {"things": {}, "note": "x"}) == Result((Nested(ByMultiplier(2.0), {}, "x"),))
    socket = declared(deep).definition.input("mode")
    assert socket is not None
    nested = socket.options["options"][0]["inputs"]
    assert nested["optional"] == {"note": ["STRING", {}]}
    assert nested["required"]["things"] == [
        "COMFY_AUTOGROW_V3",
        {"template": {"input": {"required": {"value": ["THING", {}]}}, "names": ["a", "b"], "min": 0}},
    ]


class Both(NamedTuple):
    one: Annotated[int, Tooltip("The first.")]
    many: list[int]


@node("Lists", category="test", search_aliases=("plural",))
def lists(*, values: list[int], names: list[str] | None = None, offset: Annotated[int, Tooltip("Added.")] = 0) -> Both:
    return Both(offset, [value + offset for value in values] + [len(name) for name in names or []])


def test_a_list_in_the_signature_takes_whole_lists_and_gives_whole_lists() -> None:
    node_type = declared(lists)
    definition = node_type.definition
    assert (definition.input_is_list, definition.search_aliases) == (True, ("plural",))
    assert [socket.type for socket in definition.inputs] == ["INT", "STRING", "INT"]
    assert [(output.is_list, output.tooltip) for output in definition.outputs] == [(False, "The first."), (True, None)]
    assert [socket.tooltip for socket in definition.inputs] == [None, None, "Added."]
    assert node_type.call(values=[1, 2], offset=[10]) == Result((10, [11, 12]))
    assert node_type.call(values=[], names=["abc"]) == Result((0, [3]))
    with pytest.raises(InputError, match="'offset' takes one value, not a list of 2"):
        node_type.call(values=[1], offset=[1, 2])


@node("Odd", category="test")
def odd(*, either: Image | Mask, number: int | float, link: RawLink[Image], any_value: AnyValue) -> list[AnyValue]:
    return [either, number, link, any_value]


def test_unions_any_value_and_raw_links() -> None:
    definition = declared(odd).definition
    assert [(socket.type, socket.raw_link) for socket in definition.inputs] == [
        ("IMAGE,MASK", False),
        ("INT,FLOAT", False),
        ("IMAGE", True),
        ("*", False),
    ]
    assert [(output.type, output.is_list) for output in definition.outputs] == [("*", True)]
    assert not definition.input_is_list


@pytest.mark.parametrize(("hint", "accepts"), [(AnyValue, "any"), (int, "any"), (Image, "links")])
def test_further_inputs_are_taken_under_any_name(hint: Any, accepts: str) -> None:
    def free(*, first: int, **more: Any) -> AnyValue:
        return (first, more)

    free.__annotations__["more"] = hint
    node_type = declared(node("Free", category="test")(free))
    assert node_type.definition.accepts == accepts
    assert [socket.name for socket in node_type.definition.inputs] == ["first"]
    assert node_type.call(first=1, a=2, b=3) == Result(((1, {"a": 2, "b": 3}),))


def test_further_inputs_may_be_lists() -> None:
    @node("FreeLists", category="test")
    def free(*, scale: int, **more: list[int]) -> AnyValue:
        return {name: [scale * value for value in values] for name, values in more.items()}

    assert declared(free).definition.input_is_list
    assert declared(free).call(scale=[2], a=[1, 2]) == Result(({"a": [2, 4]},))


def check_refusal(function: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        node("Bad", category="test")(function)


def test_what_cannot_be_declared_is_said_at_declaration() -> None:
    def default_list(*, values: list[int] = [1]) -> None: ...  # noqa: B006
    def default_choice(*, mode: Width | Height = Width()) -> None: ...
    def dynamic_in_lists(*, values: list[int], mode: Width | Height) -> None: ...
    def lazy(*, value: Lazy[Image]) -> None: ...
    def unknown_result() -> bytes: ...  # type: ignore[empty-body]
    def no_annotation(*, value, run: Injected[object]) -> None: ...  # type: ignore[no-untyped-def]

    check_refusal(default_list, "Bad: parameter 'values' can have no default but None")
    check_refusal(default_choice, "Bad: parameter 'mode' can have no default but None")
    check_refusal(dynamic_in_lists, "Bad: parameter 'mode' changes its sockets, which a node of lists cannot")
    check_refusal(lazy, "Bad has lazy inputs, so it must say which of them it waits for")
    check_refusal(unknown_result, "Bad: the result has a type that no socket carries")
    check_refusal(no_annotation, "Bad: parameter 'value' has a type that no socket carries")
