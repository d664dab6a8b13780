"""Which types may be linked, and what type an output has that takes that of its inputs."""

import pytest

from executor.graph import Link
from executor.link_types import LinkTypes, RawNode, as_link, types_fit, wanted_type
from executor.object_info import definition_from_object_info
from executor.prompt import parse_prompt
from executor.schema import InputSocket, PackType
from tests.executor.toys import folders


class Anything(str):
    """The wildcard as many packs write it: it denies being different."""

    __slots__ = ()

    def __ne__(self, other):
        return False


class Either(str):
    """Another kind of pack type: it fits whatever it has been given."""

    __slots__ = ()

    def __ne__(self, other):
        return other not in ("IMAGE", "MASK")


class Failing(str):
    __slots__ = ()

    def __ne__(self, other):
        raise RuntimeError("compared")


def pack(kind, text):
    return PackType(kind(text))


FITTING = [
    ("INT", "INT", True),
    ("int", "INT", True),
    ("INT", "FLOAT", False),
    ("*", "IMAGE", True),
    ("IMAGE", "*", True),
    ("", "IMAGE", True),
    ("IMAGE,MASK", "MASK, LATENT", True),
    ("IMAGE,MASK", "LATENT", False),
    ("IMAGE", "IMAGE,MASK", True),
    ("IMAGE,*", "LATENT", True),
    ("COMBO", "COMBO", True),
    ("COMBO", "STRING", False),
    ("IMAGE", pack(Anything, "ANY"), True),
    (pack(Anything, "ANY"), "IMAGE", True),
    (pack(Anything, "ANY"), pack(Failing, "X"), True),
    ("IMAGE", pack(Either, "PICTURE"), True),
    ("LATENT", pack(Either, "PICTURE"), False),
    (pack(Either, "PICTURE"), "MASK", True),
    (pack(Either, "PICTURE"), "LATENT", False),
    ("IMAGE", pack(Failing, "X"), False),
    (pack(Failing, "X"), "X", True),
    (pack(str, "IMAGE"), "IMAGE", True),
    (pack(str, "IMAGE"), "LATENT", False),
]


@pytest.mark.parametrize(("offered", "wanted", "fit"), FITTING)
def test_types_fit(offered, wanted, fit):
    assert types_fit(offered, wanted) is fit


WANTED = [
    ("IMAGE", {}, "IMAGE"),
    ("COMFY_MATCHTYPE_V3", {"template": {"template_id": "t", "allowed_types": "IMAGE,MASK"}}, "IMAGE,MASK"),
    ("COMFY_MATCHTYPE_V3", {"template": {"template_id": "t", "allowed_types": ["IMAGE", "MASK"]}}, "IMAGE,MASK"),
    ("COMFY_MATCHTYPE_V3", {"template": {"template_id": "t"}}, "*"),
    ("COMFY_MATCHTYPE_V3", {}, "*"),
]


@pytest.mark.parametrize(("kind", "options", "wanted"), WANTED)
def test_a_template_wants_its_allowed_types(kind, options, wanted):
    assert wanted_type(InputSocket("a", kind, options=options)) == wanted


def match(template="t", allowed="*"):
    return ["COMFY_MATCHTYPE_V3", {"template": {"template_id": template, "allowed_types": allowed}}]


def define(inputs, outputs, matches=()):
    return {"input": {"required": {}, "optional": inputs}, "output": outputs, "output_matchtypes": list(matches)}


ANY = {"a": ["*"], "b": ["*"]}
INFO = {
    "Image": define({"a": ["*"]}, ["IMAGE"]),
    "Mask": define({"a": ["*"]}, ["MASK"]),
    "Wild": define({}, ["*"]),
    "Switch": define({"a": match(), "b": match()}, ["COMFY_MATCHTYPE_V3"], ["t"]),
    "Picture": define({"a": match(allowed="IMAGE,MASK"), "b": ["INT"]}, ["INT", "COMFY_MATCHTYPE_V3"], [None, "t"]),
    "Two": define({"a": match("t"), "b": match("u")}, ["COMFY_MATCHTYPE_V3"] * 2, ["t", "u"]),
    "Forgetful": define({"a": match()}, ["COMFY_MATCHTYPE_V3"]),
    "Many": define(
        {"a": ["COMFY_AUTOGROW_V3", {"template": {"input": {"required": {"x": match()}}, "prefix": "x", "min": 0}}]},
        ["COMFY_MATCHTYPE_V3"],
        ["t"],
    ),
    "UseImage": define({"a": ["IMAGE"]}, ["IMAGE"]),
    "Show": define({"a": ["*"]}, []) | {"output_node": True},
}
DEFINITIONS = {name: definition_from_object_info(name, info) for name, info in INFO.items()}


def wire(text):
    """Lines such as `s = Switch a=x b=y.1`."""
    nodes = {}
    for line in text.strip().splitlines():
        node_id, _, made_by = line.strip().partition(" = ")
        class_type, *links = made_by.split()
        inputs = {}
        for link in links:
            name, _, source = link.partition("=")
            source, _, output = source.partition(":")
            inputs[name] = [source, int(output or 0)]
        nodes[node_id] = {"class_type": class_type, "inputs": inputs}
    return nodes


def check(tmp_path, text, errors):
    """The links that do not fit, as `node.input received/wanted`."""
    validation = parse_prompt(wire(text), DEFINITIONS, folders(tmp_path)).validation
    told = [error for error in validation.errors if error.node_id]
    assert all(error.type == "return_type_mismatch" for error in told)
    assert [
        f"{error.node_id}.{error.details.replace(', received_type(', ' ').replace(') mismatch input_type(', '/')[:-1]}"
        for error in told
    ] == errors


MATCHING = [
    ("the type of what is linked", "i = Image\ns = Switch a=i b=i\nu = UseImage a=s", []),
    ("another type", "m = Mask\ns = Switch a=m b=m\nu = UseImage a=s", ["u.a MASK/IMAGE"]),
    ("several types fit where one of them fits", "i = Image\nm = Mask\ns = Switch a=i b=m\nu = UseImage a=s", []),
    ("nothing linked is whatever is allowed", "s = Switch\nu = UseImage a=s", []),
    ("nothing linked is not what is not allowed", "p = Picture\nv = Picture b=p:1", ["v.b IMAGE,MASK/INT"]),
    ("a type that is not allowed", "p = Picture\nx = Picture a=p:0", ["x.a INT/IMAGE,MASK"]),
    (
        "what does not fit is not passed on",
        "p = Picture\nx = Picture a=p:0\nu = UseImage a=x:1",
        ["x.a INT/IMAGE,MASK"],
    ),
    ("a wildcard", "w = Wild\ns = Switch a=w\nu = UseImage a=s", []),
    ("through two", "m = Mask\ns = Switch b=m\nt = Picture a=s\nu = UseImage a=t:1", ["u.a MASK/IMAGE"]),
    (
        "templates are apart",
        "i = Image\nm = Mask\ns = Two a=i b=m\nu = UseImage a=s:0\nv = UseImage a=s:1",
        ["v.a MASK/IMAGE"],
    ),
    ("grown inputs", "m = Mask\ns = Many a.x0=m a.x3=m\nu = UseImage a=s", ["u.a MASK/IMAGE"]),
    ("an output whose template is not known", "m = Mask\ns = Forgetful a=m\nu = UseImage a=s", []),
    ("an output that does not match", "p = Picture\nu = UseImage a=p:0", ["u.a INT/IMAGE"]),
]


@pytest.mark.parametrize(("text", "errors"), [case[1:] for case in MATCHING], ids=[case[0] for case in MATCHING])
def test_outputs_have_the_type_of_what_is_linked_to_their_template(tmp_path, text, errors):
    names = [line.partition(" ")[0] for line in text.splitlines()]
    shows = "".join(f"\nshow{name} = Show a={name}" for name in names if name in "uvx")
    check(tmp_path, text + shows, errors)


@pytest.mark.parametrize("last", ["UseImage", "Picture"])
def test_a_chain_of_20000_switches_has_the_type_of_its_first(tmp_path, last):
    lines = ["n0 = Mask", *(f"n{i} = Switch a=n{i - 1} b=n{max(i - 2, 0)}" for i in range(1, 20_001))]
    text = "\n".join([*lines, f"u = {last} a=n20000", "show = Show a=u"])
    check(tmp_path, text, ["u.a MASK/IMAGE"] if last == "UseImage" else [])


def test_types_that_run_in_a_circle_end(tmp_path):
    raw = wire("a = Switch a=b\nb = Switch a=c b=i\nc = Switch a=a\ni = Image\nu = UseImage a=b\nshow = Show a=u")
    validation = parse_prompt(raw, DEFINITIONS, folders(tmp_path)).validation
    assert [error.type for error in validation.errors if error.node_id] == ["dependency_cycle"]
    nodes = {name: RawNode(DEFINITIONS[node["class_type"]], "", node["inputs"]) for name, node in raw.items()}
    types = LinkTypes(nodes, lambda node_id: nodes[node_id].definition.inputs)
    assert [set(types.offered(Link(node_id, 0))) <= {"IMAGE", "*"} for node_id in "abc"] == [True] * 3


LINKS = [
    (["a", 0], Link("a", 0)),
    ([7, 1], Link("7", 1)),
    (["a", 1.0], Link("a", 1)),
    (["a", 0.5], None),
    (["a", float("nan")], None),
    (["a", float("inf")], None),
    (["a", -1], None),
    (["a", 2**31], None),
    (["a", True], None),
    ([True, 0], None),
    ([["a"], 0], None),
    (["a", 0, 0], None),
    (("a", 0), None),
    ("a0", None),
    ({"a": 0}, None),
]


@pytest.mark.parametrize(("value", "link"), LINKS)
def test_links_are_told_from_literals(value, link):
    assert as_link(value) == link
